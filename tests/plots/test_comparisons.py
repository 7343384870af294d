"""Comparing charts show the numbers they were given and keep their text readable."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from figure_checks import check_text, drawn, styled, texts
from matplotlib.colors import to_rgba

from microx_utils.labels import EMOTIONS
from microx_utils.plots import comparisons, style

CAPTION = style.caption_data(data="rendered sample", split="subject", n=392, clips=98, subjects=14)


@pytest.fixture(autouse=True)
def _styled():
    with styled():
        yield


@pytest.fixture
def choices() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    pairs = [rng.choice(7, 2, replace=False) for _ in range(392)]
    return pd.DataFrame([[EMOTIONS[a], EMOTIONS[b]] for a, b in pairs], columns=["first", "second"])


def counted(choices: pd.DataFrame) -> pd.DataFrame:
    table = pd.crosstab(choices["first"], choices["second"])
    return table.reindex(index=EMOTIONS, columns=EMOTIONS, fill_value=0)


def test_second_choice_panels_hold_every_segment_once(choices):
    figure = drawn(comparisons.draw_second_choice_panels(choices["first"], choices["second"], caption=CAPTION))
    check_text(figure)
    panels = figure.axes[:7]
    assert [panel.get_title().split(",")[0] for panel in panels] == list(EMOTIONS)
    across = np.concatenate([np.asarray(panel.collections[0].get_offsets())[:, 0] for panel in panels])
    assert sorted(across) == list(range(1, 393))
    anger = panels[EMOTIONS.index("anger")].collections[0]
    rows = choices[choices["first"] == "anger"]
    assert np.asarray(anger.get_offsets())[:, 1].tolist() == [EMOTIONS.index(name) for name in rows["second"]]
    assert to_rgba(np.asarray(anger.get_facecolor())[0], 1) == to_rgba(style.EMOTION_COLOURS[rows["second"].iloc[0]])


def test_an_emotion_never_predicted_has_an_empty_panel_and_dashes(choices):
    few = choices[choices["first"] != "fear"].reset_index(drop=True)
    figure = drawn(comparisons.draw_second_choice_panels(few["first"], few["second"]))
    assert np.size(figure.axes[EMOTIONS.index("fear")].collections[0].get_offsets()) == 0
    assert "fear, n = 0" in texts(figure)
    plt.close("all")
    even = pd.DataFrame(1 / 6, index=EMOTIONS, columns=EMOTIONS)
    figure = drawn(comparisons.draw_second_choice_matrix(counted(few), even))
    assert texts(figure).count("-") == 12


def test_second_choice_matrix_shows_shares_and_excess(choices):
    counts = counted(choices)
    expected = pd.DataFrame(1 / 6, index=EMOTIONS, columns=EMOTIONS)
    figure = drawn(comparisons.draw_second_choice_matrix(counts, expected, caption=CAPTION))
    check_text(figure)
    row, column = EMOTIONS.index("anger"), EMOTIONS.index("sad")
    share = 100 * counts.to_numpy()[row, column] / counts.to_numpy()[row].sum()
    written = [{(t.get_position()): t.get_text() for t in ax.texts} for ax in figure.axes]
    place = (column, row)
    assert written[0][place] == f"{share:.0f}"
    assert written[1][place] == f"{share - 100 / 6:+.0f}"
    assert (3, 3) not in written[0], "the first choice can't be the second"


def test_model_scores_with_seeds_groups_and_the_paper():
    scores = pd.DataFrame(
        {
            "accuracy": [0.71, 0.5],
            "low": [0.6, 0.4],
            "high": [0.8, 0.6],
            "paper": [0.715, np.nan],
            "group": ["subject split", "segment split"],
        },
        index=["full face\naligned", "parts"],
    )
    ax = comparisons.draw_model_scores(
        scores, groups=("subject split", "segment split"), seeds={"parts": [0.45, 0.55]}, caption=CAPTION
    )
    figure = drawn(ax)
    check_text(figure)
    assert {"71.0 %", "71.5 %", "50.0 %"} <= set(texts(figure))
    _, labels = ax.get_legend_handles_labels()
    assert labels == ["subject split", "segment split", "one seed", "paper (BAUM)", "chance 14.3 %"]
    (single,) = [line for line in ax.lines if line.get_marker() == "|"]
    assert np.asarray(single.get_xdata()).tolist() == [0.45, 0.55]


def test_model_scores_without_extras():
    scores = pd.DataFrame({"accuracy": [0.3], "low": [0.2], "high": [0.4]}, index=["MicroX"])
    figure = drawn(comparisons.draw_model_scores(scores))
    check_text(figure)
    assert "30.0 %" in texts(figure)


@pytest.mark.parametrize("count", [2, 21])
def test_differences_are_drawn_in_points(count):
    rng = np.random.default_rng(1)
    middle = rng.normal(0, 0.05, count)
    table = pd.DataFrame(
        {
            "difference": middle,
            "low": middle - 0.04,
            "high": middle + 0.03,
            "group": ["named", *["other"] * (count - 1)],
        },
        index=[f"pair {k}" for k in range(count)],
    )
    ax = comparisons.draw_differences(table, groups=("named", "other"), caption=CAPTION)
    check_text(drawn(ax))
    points = {line.get_label(): line.get_xdata() for line in ax.lines}
    assert points["named"] == pytest.approx(100 * middle[:1])
    assert points["other"] == pytest.approx(100 * middle[1:])
    assert ax.get_yticklabels()[0].get_text() == "pair 0"
