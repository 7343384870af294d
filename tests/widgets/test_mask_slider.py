"""The mask slider: which takes it pairs, whose answer it shows in a frame, and where its pictures come from."""

import re

import cv2
import numpy as np
import pandas as pd
import pytest

from microx_utils.labels import EMOTIONS, PROBABILITIES
from microx_utils.support import paths
from microx_utils.video import read_frames
from microx_utils.widgets.live import Live
from microx_utils.widgets.mask_slider import frame_shares, mask_slider, paired_clips

OWN = paths.DATA / "sample" / "own"
FRAMES = 28


@pytest.fixture
def recordings() -> pd.DataFrame:
    """Two takes of the sample both ways, and one without a partner; the second begins at row 56 of the store."""
    names = ["happy_plain", "happy_mask", "sad_mask", "sad_plain", "fear_mask"]
    rows = [
        {
            "clip_id": f"own/p01_{name}_1",
            "take": f"own/p01_{name.split('_')[0]}_1",
            "condition": name.split("_")[1],
            "emotion": name.split("_")[0],
            "path": str(OWN / "p01" / f"{name}_1.mp4"),
            "first": FRAMES * place,
            "frames": FRAMES,
        }
        for place, name in enumerate(names)
    ]
    return pd.DataFrame(rows).set_index("clip_id")


@pytest.fixture
def segments(recordings: pd.DataFrame) -> pd.DataFrame:
    """Two segments of ten frames from each clip; its last eight frames are in none."""
    rows = [
        {"segment_id": f"{name}#{k:02d}", "clip_id": name, "first": clip["first"] + 10 * k, "frames": 10}
        for name, clip in recordings.iterrows()
        for k in (0, 1)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def answers(segments: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    shares = pd.DataFrame(rng.dirichlet(np.ones(7), len(segments)), columns=list(PROBABILITIES))
    return segments[["segment_id", "clip_id"]].join(shares).sample(frac=1, random_state=0)  # in another order


@pytest.fixture
def live(recordings: pd.DataFrame, segments: pd.DataFrame, answers: pd.DataFrame) -> Live:
    return mask_slider(recordings, segments, answers)


def shown(live: Live, condition: str) -> dict[str, int]:
    found = re.findall(r'<th scope="row"[^>]*>(\w+)</th>.*?>(\d+)%</td>', live.views[f"{condition}_answer"].value)
    return {name: int(share) for name, share in found}


def expected(answers: pd.DataFrame, segment: str) -> dict[str, int]:
    row = answers.set_index("segment_id").loc[segment, list(PROBABILITIES)]
    return {name: int(f"{100 * share:.0f}") for name, share in zip(EMOTIONS, row, strict=True)}


def test_takes_are_paired_and_those_without_a_partner_left_out(recordings: pd.DataFrame) -> None:
    pairs = paired_clips(recordings)
    assert pairs == {
        f"own/p01_{name}_1": {"plain": f"own/p01_{name}_plain_1", "mask": f"own/p01_{name}_mask_1"}
        for name in ("happy", "sad")
    }
    with pytest.raises(ValueError, match="none of 2 recordings has a partner"):
        paired_clips(recordings.loc[["own/p01_happy_plain_1", "own/p01_sad_mask_1"]])


def test_a_frame_has_the_answer_of_its_segment(
    recordings: pd.DataFrame, segments: pd.DataFrame, answers: pd.DataFrame
) -> None:
    name = "own/p01_sad_mask_1"
    shares = frame_shares(
        {"first": 2 * FRAMES, "frames": FRAMES},
        segments[segments["clip_id"] == name],
        answers[answers["clip_id"] == name],
    )
    rows = answers.set_index("segment_id")[list(PROBABILITIES)]
    np.testing.assert_array_equal(shares[[0, 9]], rows.loc[[f"{name}#00"] * 2])
    np.testing.assert_array_equal(shares[[10, 19]], rows.loc[[f"{name}#01"] * 2])
    assert np.isnan(shares[20:]).all() and shares.shape == (FRAMES, 7)


def test_pictures_and_answers_follow_the_frame(live: Live, answers: pd.DataFrame) -> None:
    live.set(take="own/p01_sad_1", frame=13)
    assert live.problem.value == ""
    for condition in ("plain", "mask"):
        name = f"own/p01_sad_{condition}_1"
        image = cv2.imdecode(np.frombuffer(live.views[f"{condition}_face"].png, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        np.testing.assert_array_equal(image[..., ::-1], read_frames(OWN / "p01" / f"sad_{condition}_1.mp4")[0][13])
        assert live.views[f"{condition}_face"].alt.startswith(f"{name}: frame 13 of a face labelled sad, with")
        assert shown(live, condition) == expected(answers, f"{name}#01")


def test_the_course_marks_the_moment_and_reads_the_labels_probability(live: Live, answers: pd.DataFrame) -> None:
    live.set(take="own/p01_happy_1", frame=5)
    rows = answers.set_index("segment_id")["p_happy"]
    for words, condition in (("without a mask", "plain"), ("with a mask", "mask")):
        share = rows[f"own/p01_happy_{condition}_1#00"]
        assert f"{words} {share:.3g}" in live.views["course"].value
    assert "Probability of the label, happy" in live.views["course"].value


def test_a_frame_in_no_segment_says_so(live: Live) -> None:
    live.set(frame=25)
    assert live.problem.value == ""
    assert "in no segment" in live.views["plain_answer"].value
    assert "without a mask nothing" in live.views["course"].value


def test_the_slider_ends_with_the_shorter_clip(
    recordings: pd.DataFrame, segments: pd.DataFrame, answers: pd.DataFrame
) -> None:
    recordings.loc["own/p01_sad_plain_1", "frames"] = 21
    live = mask_slider(recordings, segments, answers)
    assert live.controls["frame"].max == FRAMES - 1
    live.controls["frame"].value = FRAMES - 1
    live.controls["take"].value = "own/p01_sad_1"
    assert (live.controls["frame"].max, live.controls["frame"].value) == (20, 20)
    assert live.problem.value == ""
