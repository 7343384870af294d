"""Segments and splits: windows by hand and as properties, and groups that never appear on two sides."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microx_utils import experiments
from microx_utils import segments as sg
from microx_utils.labels import EMOTIONS
from microx_utils.segments import frame_numbers, make_segments


def clip_table(frames: list[int], *, subjects: int = 10) -> pd.DataFrame:
    """Clips of the given lengths: each subject shows each emotion in turn."""
    count = len(frames)
    person = [f"S{k // len(EMOTIONS) % subjects:03d}" for k in range(count)]
    return pd.DataFrame(
        {
            "clip_id": [f"BAUM-2/{person[k]}_{k:03d}" for k in range(count)],
            "corpus": "BAUM-2",
            "subject": person,
            "emotion": [EMOTIONS[k % len(EMOTIONS)] for k in range(count)],
            "source_label": "",
            "path": "",
            "condition": "plain",
            "split_group": [f"BAUM-2:{name}" for name in person],
            "note": "",
            "first": np.cumsum(frames) - frames,
            "frames": frames,
        }
    )


@given(st.lists(st.integers(0, 120), min_size=1, max_size=20), st.integers(1, 20), st.integers(1, 20))
def test_windows_stay_inside_their_clip(frames, length, step):
    clips = clip_table(frames)
    if max(frames) < length:
        with pytest.raises(ValueError, match="no clip has"):
            sg.make_segments(clips, length=length, step=step)
        return
    segments = sg.make_segments(clips, length=length, step=step)
    owner = clips.set_index("clip_id").loc[segments["clip_id"]]
    start = segments["first"].to_numpy() - owner["first"].to_numpy()
    assert (start % step == 0).all() and (start >= 0).all()
    assert (start + length <= owner["frames"].to_numpy()).all()
    assert segments["segment_id"].is_unique


def test_paper_windows_by_hand():
    segments = sg.make_segments(clip_table([35, 9, 20]))
    assert segments["first"].to_list() == [0, 10, 20, 44, 54]  # the clip of 9 frames gives none
    assert segments["segment_id"].to_list()[:2] == ["BAUM-2/S000_000#00", "BAUM-2/S000_000#01"]
    limited = sg.make_segments(clip_table([120]), max_segments=4)
    assert len(limited) == 4


def test_short_clips_are_dropped_or_repeated():
    clips = clip_table([25, 7, 10])
    dropped = make_segments(clips, length=10, step=10)
    assert dropped["clip_id"].tolist() == [clips["clip_id"][k] for k in (0, 0, 2)]
    repeated = make_segments(clips, length=10, step=10, short_clips="repeat")
    assert repeated["clip_id"].tolist() == [clips["clip_id"][k] for k in (0, 0, 1, 2)]
    assert repeated["frames"].tolist() == [10, 10, 7, 10]
    assert frame_numbers(30, 10, 10).tolist() == list(range(30, 40))
    with pytest.raises(ValueError, match="short_clips is 'stretch'"):
        make_segments(clips, short_clips="stretch")


@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 40))
def test_repeated_frames_are_evenly_spread_and_in_order(first, frames, length):
    frames = min(frames, length)
    numbers = frame_numbers(first, frames, length)
    assert len(numbers) == length
    assert set(numbers) == set(range(first, first + frames))
    assert (np.diff(numbers) >= 0).all()
    counts = np.unique(numbers, return_counts=True)[1]
    assert counts.max() - counts.min() <= 1


@pytest.fixture(scope="module")
def many_segments():
    return sg.make_segments(clip_table([40] * 140, subjects=20))


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31 - 1), rule=st.sampled_from(["subject", "clip"]))
def test_nobody_stands_on_two_sides(many_segments, seed, rule):
    split = sg.split_segments(many_segments, by=rule, seed=seed)
    group = many_segments["split_group" if rule == "subject" else "clip_id"]
    assert split.groupby(group).nunique().max() == 1
    assert set(split) == set(sg.SPLIT_NAMES)


def test_segment_split_leaks_clips(many_segments):
    split = sg.split_segments(many_segments, by="segment", seed=0)
    sides = split.groupby(many_segments["clip_id"]).nunique()
    assert (sides > 1).mean() > 0.5  # the flaw that notebook 03 shows


def test_experiments_offer_what_segments_can_do():
    assert experiments.CHOICES["split"] == sg.SPLIT_RULES
    assert experiments.CHOICES["short_clips"] == sg.SHORT_CLIPS


@pytest.mark.parametrize("short_clips", experiments.CHOICES["short_clips"])
def test_every_choice_for_short_clips_works(short_clips):
    segments = make_segments(clip_table([25, 7]), short_clips=short_clips)
    assert segments["frames"].tolist() == {"drop": [10, 10], "repeat": [10, 10, 7]}[short_clips]


@pytest.mark.parametrize("rule", experiments.CHOICES["split"])
def test_shares_and_classes(many_segments, rule):
    split = sg.split_segments(many_segments, by=rule, seed=3)
    assert (split == "test").mean() == pytest.approx(0.2, abs=0.05)
    assert (split == "validation").mean() == pytest.approx(0.16, abs=0.05)
    counts = pd.crosstab(many_segments["emotion"], split)
    assert (counts.to_numpy() > 0).all()
    assert sg.split_segments(many_segments, by=rule, seed=3).equals(split)
    assert not sg.split_segments(many_segments, by=rule, seed=4).equals(split)


def test_split_refuses_nonsense(many_segments):
    with pytest.raises(ValueError, match="choose from"):
        sg.split_segments(many_segments, by="frame")
    with pytest.raises(ValueError, match="above 0"):
        sg.split_segments(many_segments, test=0)
    with pytest.raises(ValueError, match="too few"):
        sg.split_segments(many_segments[many_segments["subject"] < "S003"])


def test_five_groups_are_enough_and_each_side_has_one(many_segments):
    few = many_segments[many_segments["subject"] < "S005"].reset_index(drop=True)
    sides = sg.split_segments(few).groupby(few["split_group"]).agg(set)
    assert sorted(map(sorted, sides)) == [["test"], ["train"], ["train"], ["train"], ["validation"]]
    with pytest.raises(ValueError, match="2 groups are too few for 3 folds of validation"):
        sg.split_segments(few[few["subject"] < "S003"].reset_index(drop=True), test=0.34)
