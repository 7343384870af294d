"""Charts of notebook 14's labs: the right numbers in the right places."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from figure_checks import check_text, drawn, styled, texts
from matplotlib.axes import Axes

from microx_utils.labels import EMOTIONS, PROBABILITIES
from microx_utils.plots import labs
from microx_utils.plots.canvas import figure_of


@pytest.fixture(autouse=True)
def _styled() -> Iterator[None]:
    with styled():
        yield


def predictions(right: int) -> pd.DataFrame:
    """Two segments of each emotion by each of two people; those of the first `right` emotions are right."""
    rows = [(person, k) for person in ("ann", "ben") for k in range(len(EMOTIONS)) for _ in range(2)]
    table = pd.DataFrame({"subject": [person for person, _ in rows], "emotion": [EMOTIONS[k] for _, k in rows]})
    table["segment_id"] = table["clip_id"] = [str(k) for k in range(len(rows))]
    answers = np.eye(len(EMOTIONS))[[k if k < right else (k + 1) % len(EMOTIONS) for _, k in rows]]
    return table.assign(split="test").join(pd.DataFrame(answers, columns=list(PROBABILITIES)))


def points(ax: Axes) -> list[np.ndarray]:
    """Return x and y of each line and each set of dots, as they were drawn."""
    return [np.asarray(line.get_xydata(), float) for line in ax.lines]


TABLE = pd.DataFrame(
    {"accuracy": [0.63, 0.3], "low": [0.5, 0.2], "high": [0.7, 0.4], "UAR": [0.6, 0.25], "n": [219, 219]},
    index=["left", "mended"],
)


def test_before_and_after_have_their_numbers() -> None:
    ax = labs.draw_before_and_after(TABLE, "A", caption="rendered sample")
    check_text(drawn(ax))
    written = {text.strip() for text in texts(figure_of(ax))}
    assert {"63.0 %", "30.0 %", "left\n(n = 219)", "Lab A, before and after"} <= written


def test_accuracy_and_uar_are_side_by_side() -> None:
    ax = labs.draw_accuracy_and_uar(TABLE, "D", caption="rendered sample")
    check_text(drawn(ax))
    accuracy, uar = points(ax)[:2]
    np.testing.assert_allclose(accuracy[:, 0], np.array([0.63, 0.3]))
    np.testing.assert_allclose(uar[:, 0], np.array([0.6, 0.25]))
    assert "lab D, rendered sample, n = 219 segments" in texts(figure_of(ax))


TABLES = {"before: a": predictions(7), "after: b": predictions(2)}


def test_each_person_is_a_dot() -> None:
    ax = labs.draw_people(TABLES, caption="rendered sample")
    check_text(drawn(ax))
    dots = np.sort(np.concatenate([xy[:, 0] for xy in points(ax)]))
    np.testing.assert_allclose(dots, np.array([2 / 7, 2 / 7, 1, 1]))


def test_recalls_are_those_of_each_table() -> None:
    ax = labs.draw_recalls(TABLES, caption="rendered sample")
    check_text(drawn(ax))
    before, after = points(ax)[:2]
    np.testing.assert_allclose(before[:, 0], np.ones(7))
    np.testing.assert_allclose(after[:, 0], np.array([1.0, 1, 0, 0, 0, 0, 0]))
    assert {"before", "after"} <= {*texts(figure_of(ax))}


def test_traces_start_at_zero_and_may_differ_in_length() -> None:
    landmarks = pd.DataFrame({"clip_id": ["a"] * 3 + ["b"] * 2, "x_30": [10.0, 12, 11, 50, 50]})
    ax = labs.draw_traces(landmarks, {"a": "clip 1", "b": "clip 2"}, "x_30", caption="rendered sample")
    check_text(drawn(ax))
    long, short = points(ax)[:2]
    np.testing.assert_allclose(long[:, 1], np.array([0.0, 2, 1]))
    np.testing.assert_allclose(short[:, 1], np.array([0, 0, np.nan]))
