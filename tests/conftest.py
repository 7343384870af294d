"""Inputs shared by the tests: real clips, a real face, a seeded generator."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from microx_utils.support.keras_setup import prepare_networks
from microx_utils.support.parallel import IN_PROCESS_VARIABLE

os.environ[IN_PROCESS_VARIABLE] = "1"  # a single job stays here, where a test can replace what it calls
prepare_networks()  # before anything starts TensorFlow
settings.register_profile("microx", deadline=None)  # a busy machine is slow, not wrong
settings.load_profile("microx")

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has whatever it starts with `&` ignore Ctrl-C

OPENFACE_DATA = Path(__file__).parent / "data" / "openface"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20221122)


@pytest.fixture(scope="session")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Caches of the notebooks that the tests run: empty at first, then shared."""
    return tmp_path_factory.mktemp("processed")


@pytest.fixture(scope="session")
def openface_data() -> Path:
    """Folder of OpenFace CSVs (two dialects, one without a face) and the clips they were made from."""
    return OPENFACE_DATA


@pytest.fixture(scope="session")
def clip_path() -> Path:
    """A rendered person who starts to smile: 60 frames of 256 px at 30 fps."""
    return OPENFACE_DATA / "happy.mp4"


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """A real face: NASA's portrait of Eileen Collins (public domain), uint8 (512, 512, 3) RGB."""
    from skimage.data import astronaut

    return astronaut()
