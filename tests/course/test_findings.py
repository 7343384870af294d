"""Sentences that state results: each agrees with its numbers, whichever tracker they come from."""

import pandas as pd
import pytest

from microx_utils.course.findings import following, largest_errors, mask_words, notices_mask

NAN = float("nan")


@pytest.mark.parametrize(
    ("found", "score", "noticed"),
    [
        ({"plain": 1.0, "mask": 1.0}, {"plain": 1.0, "mask": 0.99}, False),
        ({"plain": 1.0, "mask": 0.64}, {"plain": 0.94, "mask": 0.55}, True),
        ({"plain": 1.0, "mask": 1.0}, {"plain": 0.94, "mask": 0.55}, True),
        ({"plain": 1.0, "mask": 0.64}, {"plain": 0.9, "mask": 0.9}, True),
        ({"plain": 0.5, "mask": 0.9}, {"plain": 0.5, "mask": 0.9}, False),
    ],
)
def test_a_mask_is_noticed_by_lost_frames_or_by_the_score(
    found: dict[str, float], score: dict[str, float], noticed: bool
) -> None:
    assert notices_mask(found, score) is noticed
    said = mask_words("some tracker", found, score, {"plain": 4.26, "mask": 12.3})
    assert ("It notices the mask" in said) is noticed
    assert ("It doesn't notice the mask" in said) is not noticed
    assert f"{100 * found['mask']:.0f} % of the frames with a mask" in said
    assert f"{score['mask']:.2f} and {score['plain']:.2f}" in said
    assert "12.3 % and 4.3 %" in said


def test_no_error_is_given_where_no_face_was_found() -> None:
    said = mask_words("x", {"plain": 1.0, "mask": 0.0}, {"plain": 1.0, "mask": 0.0}, {"plain": 4.0, "mask": NAN})
    assert "nan" not in said and "mouth" not in said


@pytest.mark.parametrize(
    ("slope", "words"),
    [(-0.1, "hardly follow"), (0.24, "hardly follow"), (0.25, "follow in part"), (0.75, "follow ("), (1.2, "follow (")],
)
def test_a_slope_in_words(slope: float, words: str) -> None:
    said = following({"lips": slope})
    assert words in said and f"slope {slope:.2f}" in said


def test_the_largest_errors_are_named_by_the_table() -> None:
    rows = {"mean": [9.0, 2.0, 8.5], "constant": [1.0, 1.5, 8.0]}
    said = largest_errors(pd.DataFrame(rows, index=["mouth", "jaw", "right_eye"]))
    assert "mouth (9.0 %; a constant shift of 1.0 %), then right eye (8.5 %; a constant shift of 8.0 %)" in said
    assert "jaw" not in said
