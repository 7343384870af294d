"""A small network without training, and a video of two people of whom one comes later and leaves."""

from pathlib import Path

import numpy as np
import pytest

from microx_utils.robust.network import Design, Network, build
from microx_utils.support.keras_setup import pinned_keras, prepare_networks
from microx_utils.video import read_frames, write_video


@pytest.fixture(scope="session")
def network() -> Network:
    prepare_networks()
    pinned_keras().utils.set_random_seed(0)  # or two probabilities may be equal once they are rounded
    return build(Design(filters=(2, 2, 2), features=4))


@pytest.fixture(scope="session")
def lively() -> Network:
    """As large as the shipped one, untrained, with biases, so that its answers differ from frame to frame."""
    prepare_networks()
    made, rng = build(Design(units=("AU01", "AU12"))), np.random.default_rng(0)
    for half in (made.frame, made.span):
        weights = half.get_weights()
        half.set_weights([values + rng.normal(0, 0.05, values.shape).astype(np.float32) for values in weights])
    return made


@pytest.fixture(scope="session")
def smile(clip_path: Path) -> np.ndarray:
    """uint8 (60, 256, 256, 3): one person."""
    return read_frames(clip_path)[0]


@pytest.fixture(scope="session")
def two_people(smile: np.ndarray) -> np.ndarray:
    """uint8 (60, 256, 512, 3): one person all the time, and on the right another in frames 15 to 49."""
    right = np.full_like(smile, 120)
    right[15:50, 32:224, 32:224] = smile[15:50, 32:224, 32:224][:, :, ::-1]
    return np.concatenate([smile, right], axis=2)


@pytest.fixture(scope="session")
def film(two_people: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / "two people.mp4"
    write_video(path, two_people)
    return path
