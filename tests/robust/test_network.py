"""The robust network: what is hidden has no say, and the rest is joined to one size."""

import numpy as np
import pytest

from microx_utils.components import COMPONENTS
from microx_utils.robust.inputs import MIRROR, MOVES
from microx_utils.robust.network import FLOOR, Design, Network, build

DESIGN = Design(size=16, filters=(4, 6, 8), features=8, units=("AU04", "AU12L", "AU12R"))


@pytest.fixture(scope="module")
def network() -> Network:
    return build(DESIGN)


def some_frames(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "pixels": rng.integers(0, 256, (count, 7, 16, 16, 4), np.uint8),
        "moves": rng.normal(size=(count, 7, MOVES)).astype(np.float32),
        "given": np.ones((count, 7), np.float32),
    }


def said(network: Network, frames: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in network.frame.predict_on_batch(frames).items()}


def test_a_hidden_component_has_no_say(network: Network) -> None:
    """Whatever is in its place, the face is the same, and so are all weights."""
    frames, other = some_frames(4), some_frames(4, seed=1)
    mouth = COMPONENTS.index("mouth")
    frames["given"][:, mouth] = 0
    changed = {name: values.copy() for name, values in frames.items()}
    for name in ("pixels", "moves"):
        changed[name][:, mouth] = other[name][:, mouth]
    before, after = said(network, frames), said(network, changed)
    assert (before["weights"][:, mouth] == 0).all() and (before["available"][:, mouth] == 0).all()
    for name in before:
        np.testing.assert_allclose(after[name], before[name], atol=1e-6)


def test_the_others_take_over_its_weight(network: Network) -> None:
    frames = some_frames(4)
    before = said(network, frames)["weights"]
    frames["given"][:, 0] = 0
    after = said(network, frames)["weights"]
    np.testing.assert_allclose(after[:, 1:], before[:, 1:] / (1 - before[:, :1]), rtol=0.02)  # but for FLOOR
    assert (after[:, 1:] > before[:, 1:]).all()
    assert (before.sum(axis=1) > 1 - 2 * FLOOR).all() and (before.sum(axis=1) < 1).all()


def test_nothing_at_all_gives_an_answer_too(network: Network) -> None:
    frames = some_frames(5)
    frames["given"][:] = 0
    found = said(network, frames)
    assert not found["face"].any() and not found["weights"].any()
    emotion = np.asarray(network.span.predict_on_batch(found["face"][None])["emotion"])
    assert np.isfinite(emotion).all() and emotion.sum() == pytest.approx(1, abs=1e-5)


def test_both_sides_share_a_block(network: Network) -> None:
    """Exchanged sides give exchanged weights, and the same face."""
    frames = some_frames(4)
    exchanged = {name: values[:, MIRROR] for name, values in frames.items()}
    before, after = said(network, frames), said(network, exchanged)
    np.testing.assert_allclose(after["weights"], before["weights"][:, MIRROR], atol=1e-5)
    np.testing.assert_allclose(after["face"], before["face"], atol=1e-4)


def test_the_halves_together_say_what_they_say_apart(network: Network) -> None:
    frames = some_frames(6)
    spans = {name: values.reshape(2, 3, *values.shape[1:]) for name, values in frames.items()}
    together = network.together(3).predict_on_batch(spans)
    apart = said(network, frames)
    np.testing.assert_allclose(together["weights"], apart["weights"].reshape(2, 3, 7), atol=1e-5)
    emotion = network.span.predict_on_batch(apart["face"].reshape(2, 3, -1))["emotion"]
    np.testing.assert_allclose(together["emotion"], emotion, atol=1e-5)
    assert together["units"].shape == (2, 3, 3)


def test_the_order_of_frames_does_not_matter_and_their_weights_add_up(network: Network) -> None:
    face = np.abs(np.random.default_rng(0).normal(size=(1, 6, DESIGN.features))).astype(np.float32)
    found, turned = (network.span.predict_on_batch(f) for f in (face, face[:, ::-1].copy()))
    np.testing.assert_allclose(found["emotion"], turned["emotion"], atol=1e-5)
    assert np.asarray(found["moments"]).sum() == pytest.approx(1, abs=1e-5)


def test_it_is_as_small_as_promised() -> None:
    assert build(Design(units=tuple(f"AU{k}" for k in range(27)))).parameters < 2_000_000
