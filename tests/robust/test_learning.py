"""Fitting the robust model: it learns, it is cached, it tests no one; and what it says of a clip."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_run import fake_store, tiny

from microx_utils.batches import segment_table, split_table
from microx_utils.components import COMPONENTS
from microx_utils.crops import CropStore
from microx_utils.evaluation import check_predictions, summary
from microx_utils.experiments import PROFILES
from microx_utils.robust import learning, predicting
from microx_utils.robust.inputs import REST_FRAMES, Faces, moves
from microx_utils.robust.learning import Fit, Recipe, fit, read_recipe
from microx_utils.robust.predicting import clip_spans, predict_clip, predict_spans
from microx_utils.robust.units import Units

RECIPE = Recipe(
    epochs=50,
    frames=2,
    batch_size=16,
    learning_rate=0.01,
    filters=(4, 4, 4),
    features=8,
    dropout=0.1,
    hide=0.2,
    drop=0.1,
    relight=False,
    units=1.0,
    seen=0.5,
)


def faces_of(store: CropStore) -> Faces:
    """Faces of a store without videos: the landmarks of everyone are the same."""
    rng = np.random.default_rng(0)
    points = np.repeat(rng.normal(size=(1, 68, 2)), len(store.crops), axis=0).astype(np.float32)
    rest = np.repeat(store.clips["first"].to_numpy(), store.clips["frames"].to_numpy())
    return Faces(store.crops, points, store.available, rest[:, None] + np.arange(REST_FRAMES))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Fit, CropStore, Path]:
    cache, store = tmp_path_factory.mktemp("robust"), fake_store(size=16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning, "store_faces", faces_of)
        values = np.random.default_rng(0).random((len(store.crops), 2)).astype(np.float32)
        return fit(tiny(crop_size=16), store, RECIPE, units=Units(("AU04", "AU12"), values), cache=cache), store, cache


@pytest.fixture(autouse=True)
def without_videos(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (learning, predicting):
        monkeypatch.setattr(module, "store_faces", faces_of)


def test_it_learns_what_is_easy(fitted: tuple[Fit, CropStore, Path]) -> None:
    """The fake crops of an emotion have its colour."""
    found, store, cache = fitted
    clips = clip_spans(split_table(tiny(crop_size=16), store).query("split == 'test'"), store)
    rows = predict_spans(found, store, clips, cache=cache)
    check_predictions(rows)
    assert summary(rows)["accuracy"] > 0.5
    assert found.history["loss"].iloc[-1] < found.history["loss"].iloc[0]
    assert found.facts["units"] == ["AU04", "AU12"]


def test_a_fit_is_read_from_the_cache(fitted: tuple[Fit, CropStore, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    found, store, cache = fitted
    values = np.random.default_rng(0).random((len(store.crops), 2)).astype(np.float32)
    monkeypatch.setattr(learning, "_fit", None)  # it would be called otherwise
    again = fit(tiny(crop_size=16), store, RECIPE, units=Units(("AU04", "AU12"), values), cache=cache)
    assert again.key == found.key
    with pytest.raises(TypeError):
        fit(tiny(crop_size=16, seed=1), store, RECIPE, cache=cache)


def test_only_training_people_are_shown_in_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store = fake_store(size=16)
    segments = split_table(tiny(crop_size=16), store)
    used: set[int] = set()

    def shown(faces: Faces, frames: np.ndarray, *rest: Any) -> dict[str, np.ndarray]:
        used.update(frames.tolist())
        return real(faces, frames, *rest)

    real = learning._show
    monkeypatch.setattr(learning, "_show", shown)
    fit(tiny(crop_size=16), store, replace(RECIPE, epochs=1), cache=tmp_path)
    clips = segments[segments["split"] == "train"]["clip_id"].unique()
    rows = store.clips[store.clips["clip_id"].isin(clips)]
    allowed = {
        row for first, count in zip(rows["first"], rows["frames"], strict=True) for row in range(first, first + count)
    }
    assert used and used <= allowed


def test_a_clip_is_answered_in_segments_and_as_a_whole(fitted: tuple[Fit, CropStore, Path]) -> None:
    found, store, _ = fitted
    faces = faces_of(store)
    row = store.clips.iloc[3]
    part = slice(row["first"], row["first"] + row["frames"])
    alone = Faces(faces.crops[part], faces.points[part], faces.given[part], faces.rest[part] - row["first"])
    answer = predict_clip(found.load(), alone, length=3)
    assert answer.segments["first"].tolist() == [0, 3] and answer.clip.sum() == pytest.approx(1)
    assert answer.weights.shape == answer.available.shape == (len(answer.frames), 7)
    short = Faces(alone.crops[:2], alone.points[:2], alone.given[:2], alone.rest[:2] % 2)
    assert predict_clip(found.load(), short, length=3).segments[["first", "frames"]].to_numpy().tolist() == [[0, 2]]


def test_hidden_components_change_the_answer_and_unknown_ones_are_refused(
    fitted: tuple[Fit, CropStore, Path],
) -> None:
    found, store, cache = fitted
    segments = segment_table(tiny(crop_size=16), store)
    plain, hidden = (
        predict_spans(found, store, segments, level="segment", hide=hide, cache=cache) for hide in ((), ("mouth",))
    )
    assert (plain["split"] == "test").all() and not plain.equals(hidden)
    with pytest.raises(ValueError, match="beard"):
        predict_spans(found, store, segments, hide=("beard",), cache=cache)
    with pytest.raises(ValueError, match="level"):
        predict_spans(found, store, segments, level="film", cache=cache)


def test_every_profile_has_a_recipe() -> None:
    for profile in PROFILES:
        assert read_recipe(profile, epochs=3).epochs == 3


def test_a_fit_can_go_on_from_the_weights_of_another(fitted: tuple[Fit, CropStore, Path]) -> None:
    found, store, cache = fitted
    values = np.random.default_rng(0).random((len(store.crops), 2)).astype(np.float32)
    units, once = Units(("AU04", "AU12"), values), replace(RECIPE, epochs=1)
    first = fit(tiny(crop_size=16), store, once, units=units, cache=cache)
    later = fit(tiny(crop_size=16), store, once, units=units, start=found.folder, cache=cache)
    assert later.key not in (found.key, first.key)
    assert later.history["loss"].item() < first.history["loss"].item()
    fit(tiny(crop_size=16), store, once, start=found.folder, cache=cache)  # of people whose action units nobody knows
    with pytest.raises(ValueError, match="for crops of 16 px, or for other action units"):
        fit(tiny(crop_size=16), store, once, units=Units(("AU01",), values[:, :1]), start=found.folder, cache=cache)


def test_what_is_hidden_moves_like_another_face_and_what_is_seen_like_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = fake_store(size=16)
    points = np.random.default_rng(1).normal(size=(len(store.crops), 68, 2)).astype(np.float32)
    faces = replace(faces_of(store), points=points)
    mouth = COMPONENTS.index("mouth")

    def hide_the_mouth(crops: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        visible = np.ones(crops.shape[:2], np.float32)
        visible[:, mouth] = 0.1
        return visible

    monkeypatch.setattr(learning, "draw_some", hide_the_mouth)
    monkeypatch.setattr(learning, "JITTER", (0.0, 0.0))
    recipe, mine, others = replace(RECIPE, hide=1.0), np.array([1, 2]), np.array([21, 22])
    shown = learning._show(faces, mine, others, None, recipe, np.random.default_rng(0))
    moved, guessed = (moves(faces.points[k], faces.points[faces.rest[k[0]]].mean(axis=0)) for k in (mine, others))
    assert not (np.random.default_rng(0).random() < 0.5), "this seed does not mirror"
    np.testing.assert_allclose(shown["moves"][:, mouth], guessed[:, mouth], atol=1e-4)
    np.testing.assert_allclose(shown["moves"][:, :mouth], moved[:, :mouth], atol=1e-4)
