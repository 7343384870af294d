"""The labs of notebook 14: each fault is really there, is the only one, and can be undone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_run import TINY, fake_store

from microx_utils import training
from microx_utils.components import COMPONENTS
from microx_utils.course import planted
from microx_utils.crops import CropStore, crop_store
from microx_utils.labels import EMOTIONS
from microx_utils.support import paths
from microx_utils.video import read_frames, write_video

EXPERIMENT = replace(TINY, frames=10, step=10, epochs=1)


@pytest.fixture(scope="module")
def store() -> CropStore:
    return planted.excerpt(fake_store(subjects=10, frames=26))


def frames_of(segments: pd.DataFrame) -> dict[str, set[int]]:
    """Return the store's rows that each side of a split uses."""
    return {str(side): set(planted.frame_rows(rows)) for side, rows in segments.groupby("split")}


def people_of(segments: pd.DataFrame) -> dict[str, set[str]]:
    return {str(side): set(rows["split_group"]) for side, rows in segments.groupby("split")}


def test_an_excerpt_is_the_middle_of_each_clip() -> None:
    whole = fake_store(subjects=2, frames=26)
    whole = replace(whole, clips=whole.clips.assign(frames=[26] * 13 + [15]))
    middle = planted.excerpt(whole)
    assert middle.clips["frames"].tolist() == [20] * 13 + [15]
    assert middle.clips["start"].tolist() == [3] * 13 + [0]
    for k, (first, count) in enumerate(zip(middle.clips["first"], middle.clips["frames"], strict=True)):
        wanted = whole.crops[26 * k + (3 if k < 13 else 0) :][:count]
        np.testing.assert_array_equal(middle.crops[first : first + count], wanted)
    assert len(middle.crops) == len(middle.available) == 13 * 20 + 15


def test_a_store_is_keyed_by_its_crops(store: CropStore) -> None:
    crops = store.crops.copy()
    assert planted.with_crops(store, crops).key == store.key
    crops[0, 0, 0, 0, 0] ^= 1
    assert planted.with_crops(store, crops).key != store.key
    with pytest.raises(ValueError, match="one for each frame"):
        planted.with_crops(store, crops[1:])
    with pytest.raises(ValueError, match="float64"):
        planted.with_crops(store, np.array(crops, float))


def test_lab_a_shares_frames_and_people_between_the_sides(store: CropStore) -> None:
    case = planted.lab_a(store, seed=0)
    frames, people = frames_of(case.segments), people_of(case.segments)
    assert len(frames["train"] & frames["test"]) > 0.3 * len(frames["test"])
    assert people["test"] <= people["train"]
    assert not people["later"] & (people["train"] | people["validation"] | people["test"])
    honest = planted.honest_segments(store, seed=0)
    assert people["later"] == people_of(honest)["test"]
    assert case.segments["segment_id"].is_unique
    np.testing.assert_array_equal(case.store.crops, store.crops)


def test_lab_b_exchanges_the_eyes_of_new_people_and_nothing_else(store: CropStore) -> None:
    case = planted.lab_b(store, seed=0)
    tested = planted.honest_segments(store, seed=0).query("split == 'test'")
    assert sorted(case.segments["segment_id"]) == sorted(tested["segment_id"])
    assert set(case.segments["split"]) == {"test"}
    own = store.crops[planted.frame_rows(store.clips[store.clips["clip_id"].isin(tested["clip_id"])])]
    left, right = COMPONENTS.index("left_eye"), COMPONENTS.index("right_eye")
    np.testing.assert_array_equal(case.store.crops[:, left], own[:, right])
    np.testing.assert_array_equal(case.store.crops[:, right], own[:, left])
    others = [k for k in range(len(COMPONENTS)) if k not in (left, right)]
    np.testing.assert_array_equal(case.store.crops[:, others], own[:, others])


def test_lab_d_fills_every_side_with_one_class_and_moves_nobody(store: CropStore) -> None:
    case = planted.lab_d(store, seed=0)
    for side, rows in case.segments.groupby("split"):
        counts = rows["emotion"].value_counts()
        assert counts.iloc[0] > 5 * counts.iloc[1], side
        assert len(counts) == len(EMOTIONS)
    assert people_of(case.segments) == people_of(planted.honest_segments(store, seed=0))
    assert case.segments["segment_id"].is_unique


@pytest.fixture(scope="module")
def filmed(clip_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CropStore]:
    """Four clips of a real video, of different lengths, and a store of their crops; landmarks are found once."""
    folder = tmp_path_factory.mktemp("filmed")
    film = read_frames(clip_path)[0]
    rows: list[dict[str, str]] = []
    for k in range(4):
        path = folder / f"{k}.mp4"
        write_video(path, np.roll(film[4 * k : 4 * k + 24], 6 * k, axis=2))
        rows.append({"clip_id": f"c{k}", "corpus": "BAUM-2", "subject": f"s{k}", "emotion": EMOTIONS[k]})
        rows[-1] |= {"source_label": "", "path": str(path), "condition": "plain", "split_group": f"s{k}", "note": ""}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "PROCESSED", folder / "processed")
        yield planted.excerpt(crop_store(pd.DataFrame(rows), size=16, jobs=1))


def test_lab_c_freezes_three_clips_of_four_and_tracking_again_undoes_it(
    filmed: CropStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planted, "new_people", lambda store, *, seed: store)  # four people are too few for a split
    case = planted.lab_c(filmed, seed=0)
    assert case.landmarks is not None
    assert len(case.landmarks) == len(filmed.crops)
    spread = case.landmarks.groupby("clip_id")["x_30"].agg(np.ptp)
    still = spread.index[spread == 0]
    assert len(still) == 3
    assert (case.landmarks["success"] == 1).all()
    for row in filmed.clips.to_dict("records"):
        mine = slice(row["first"], row["first"] + row["frames"])
        assert np.array_equal(case.store.crops[mine], filmed.crops[mine]) == (row["clip_id"] not in still)
    assert planted.recrop(case.store, still).key == filmed.key
    one = planted.recrop(case.store, still[:1])
    assert one.key not in {filmed.key, case.store.key}
    assert planted.recrop(case.store, []).key == case.store.key


def test_the_clips_to_show_are_of_both_kinds(store: CropStore) -> None:
    names = store.clips["clip_id"].head(10)
    still = pd.Series(names.isin(names[::2]).to_numpy(), index=names)
    landmarks = pd.DataFrame(
        [{"clip_id": name, "x_30": 0.0 if still[name] else x} for name in names for x in (1.0, 2.0)]
    )
    case = planted.Case(planted.only_clips(store, names), pd.DataFrame(), landmarks)
    shown = planted.clips_to_show(case, seed=0)
    assert shown["clip_id"].is_unique
    assert still[shown["clip_id"]].value_counts().to_dict() == {True: 3, False: 3}
    pd.testing.assert_frame_equal(shown, case.store.clips[case.store.clips["clip_id"].isin(shown["clip_id"])])
    with pytest.raises(ValueError, match="left no landmarks"):
        planted.clips_to_show(planted.lab_b(store, seed=0), seed=0)


def test_mended_data_is_trained_once_and_scored_beside_what_was_left(
    store: CropStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "PROCESSED", tmp_path)
    honest = planted.honest_segments(store, seed=0)
    run = training.train(EXPERIMENT, store, honest, progress=False)
    monkeypatch.setattr(training, "_train", lambda *_, **__: pytest.fail("was in the cache"))
    copy = planted.with_crops(store, store.crops.copy())
    after = planted.retrained(EXPERIMENT, copy, honest)
    pd.testing.assert_frame_equal(after, run.predictions.query("split == 'test'"))
    case = planted.lab_b(store, seed=0)
    spoilt = training.predict(run, case.store, case.segments)
    crops = case.store.crops.copy()
    crops[:, planted.EYES] = case.store.crops[:, planted.EYES[::-1]]
    mended = planted.answers_of(run, planted.with_crops(case.store, crops), case.segments)
    columns = [f"p_{emotion}" for emotion in EMOTIONS]
    pd.testing.assert_frame_equal(mended[columns], after.reset_index(drop=True)[columns], atol=1e-6)
    table = planted.scores({"left": spoilt, "mended": mended}, samples=20, seed=0)
    assert table.index.tolist() == ["left", "mended"]
    assert planted.change(spoilt, mended, samples=20, seed=0).index.tolist() == ["accuracy", "uar"]


def test_without_an_answer_there_is_only_what_was_left(store: CropStore) -> None:
    assert planted.recrop(store, ...) is ...
    assert planted.with_crops(store, ...) is ...
    assert planted.retrained(EXPERIMENT, store, ...) is ...
    run = training.Run(EXPERIMENT, "", Path(), pd.DataFrame(), pd.DataFrame(), {})
    assert planted.answers_of(run, planted.recrop(store, ...), pd.DataFrame()) is ...
    table = planted.honest_segments(store, seed=0).query("split == 'test'")
    chances = np.full((len(table), len(EMOTIONS)), 1 / 7)
    table = table[["segment_id", "clip_id", "subject", "emotion", "split"]].reset_index(drop=True)
    left = table.join(pd.DataFrame(chances, columns=[f"p_{emotion}" for emotion in EMOTIONS]))
    assert planted.scores({"left": left, "mended": ...}, samples=20, seed=0).index.tolist() == ["left"]
    assert planted.change(left, ..., samples=20, seed=0).empty
