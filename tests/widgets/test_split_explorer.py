"""The split explorer: who stands where, and which training segment is most like a test segment."""

import numpy as np
import pandas as pd
import pytest
from seen import alt, pixels

from microx_utils.labels import EMOTIONS
from microx_utils.plots.overlays import rgb
from microx_utils.plots.style import SPLIT_COLOURS
from microx_utils.segments import make_segments
from microx_utils.widgets.live import Live
from microx_utils.widgets.split_explorer import (
    compare,
    count_sides,
    divide,
    draw_grid,
    lay_out,
    mark_pair,
    same,
    split_explorer,
)


@pytest.fixture(scope="module")
def segments() -> pd.DataFrame:
    """Fourteen people, each with seven clips of three segments."""
    rows = [(person, emotion) for person in range(14) for emotion in EMOTIONS]
    clips = pd.DataFrame(rows, columns=["person", "emotion"])
    clips["subject"] = clips["split_group"] = [f"S/{person:02d}" for person in clips.pop("person")]
    clips["clip_id"] = [
        f"{subject}_{emotion}" for subject, emotion in zip(clips["subject"], clips["emotion"], strict=True)
    ]
    clips = clips.assign(corpus="S", condition="plain", frames=30, first=30 * np.arange(len(clips)))
    return make_segments(clips)


@pytest.fixture(scope="module")
def pictures(segments: pd.DataFrame) -> np.ndarray:
    """Pictures in which people differ most, then clips, then segments."""
    person, clip = pd.factorize(segments["subject"])[0], pd.factorize(segments["emotion"])[0]
    place = segments.groupby("clip_id").cumcount().to_numpy()
    values = np.zeros((len(segments), 4, 4, 3), np.uint8)
    for channel, levels in enumerate((18 * person, 3 * clip, 18 * person + place)):
        values[..., channel] = levels[:, None, None]
    return values


@pytest.fixture
def live(segments: pd.DataFrame, pictures: np.ndarray) -> Live:
    return split_explorer(segments, pictures, samples=50)


def test_the_nearest_training_segment_is_found_and_its_distance(segments: pd.DataFrame, pictures: np.ndarray) -> None:
    found = divide(segments, pictures, "segment", samples=50)
    train = np.flatnonzero(found.split == "train")
    assert set(found.test) == set(np.flatnonzero(found.split == "test"))
    assert (np.diff(found.distance) >= 0).all()
    for test, near, distance in zip(found.test, found.nearest, found.distance, strict=True):
        apart = np.sqrt(((pictures[train].astype(float) - pictures[test]) ** 2).mean(axis=(1, 2, 3)))
        assert distance == pytest.approx(apart.min())
        assert near in train
    low, high = found.interval
    assert low <= found.accuracy == same(segments, found, "emotion").mean() <= high


def test_rules_decide_whom_the_nearest_segment_may_show(segments: pd.DataFrame, pictures: np.ndarray) -> None:
    shares = {
        rule: [
            same(segments, divide(segments, pictures, rule, samples=20), column).mean()
            for column in ("clip_id", "subject")
        ]
        for rule in ("segment", "clip", "subject")
    }
    assert shares["segment"][0] > 0.7 and shares["segment"][1] == 1
    assert shares["clip"][0] == 0 and shares["clip"][1] == 1
    assert shares["subject"] == [0, 0]


def test_words_say_whom_the_pair_shows(segments: pd.DataFrame, pictures: np.ndarray) -> None:
    for rule, words in (
        ("segment", "the same clip"),
        ("clip", "the same person, another clip"),
        ("subject", "another person"),
    ):
        said = compare(segments, divide(segments, pictures, rule, samples=20), 0)
        assert f"<td>{words}</td>" in said
    assert "copied, is</th><td>wrong" in compare(segments, divide(segments, pictures, "clip", samples=20), 0)


def test_every_segment_has_a_box_of_its_own_in_its_sides_colour(segments: pd.DataFrame) -> None:
    grid = lay_out(segments, width=200)
    split = pd.Series(["train", "validation", "test"] * (len(segments) // 3))
    picture = draw_grid(grid, split)
    for row, side in enumerate(split):
        x, y = grid.middle(row)
        assert picture[y, x].tolist() == list(rgb(SPLIT_COLOURS[side]))
    coloured = (picture != 255).any(axis=2).sum()
    assert coloured == len(segments) * grid.wide * grid.high, "no two overlap, none is cut off"
    columns = segments.groupby("split_group").indices.values()
    assert all(len(set(grid.corners[rows, 0])) == 1 for rows in columns) and len(set(grid.corners[:, 0])) == 14
    first = grid.corners[:6, 1]  # the first person's first two clips
    assert len(set(np.diff(first)[[0, 1, 3, 4]])) == 1 and np.diff(first)[2] > np.diff(first)[0]


def test_a_marked_pair_is_ringed(segments: pd.DataFrame) -> None:
    grid = lay_out(segments)
    split = pd.Series(["train"] * len(segments))
    plain = draw_grid(grid, split)
    changed = np.argwhere((plain != mark_pair(plain, grid, 0, 40)).any(axis=2))
    for row in (0, 40):
        gaps = np.abs(np.linalg.norm(changed[:, ::-1] - grid.middle(row), axis=1) - 8)
        assert (gaps < 1).sum() > 15


def test_sides_are_counted(segments: pd.DataFrame) -> None:
    said = count_sides(segments, pd.Series(["train"] * 21 + ["test"] * (len(segments) - 21)))
    assert (
        "train: 21 segments of 7 clips and 1 people" in said and "test: 273 segments of 91 clips and 13 people" in said
    )


def test_another_rule_redraws_everything(live: Live) -> None:
    assert live.values == {"rule": "subject", "number": 0}
    assert "people of 0% of the test segments are in training" in alt(live.shown["grid"])
    before = pixels(live.shown["grid"])
    live.controls["rule"].value = "segment"
    assert live.problem.value == ""
    assert (before != pixels(live.shown["grid"])).any()
    assert "people of 100% of the test segments are in training" in alt(live.shown["grid"])
    assert "segment split, n = " in str(live.shown["shares"]) and "chance 14.3 %" in str(live.shown["shares"])
    assert "interval" in str(live.shown["shares"])


def test_the_slider_goes_from_the_most_alike_to_the_least(live: Live) -> None:
    first = live.views["facts"].value
    live.controls["number"].value = live.controls["number"].max
    assert live.problem.value == "" and live.views["facts"].value != first
    assert pixels(live.shown["pair"]).shape == (168, 344, 3)
