"""Charts of second choices show every segment once, and shares beside what was expected."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from figure_checks import check_text, drawn, styled, texts
from matplotlib.colors import to_rgba

from microx_utils.labels import EMOTIONS
from microx_utils.plots import results, style

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
    figure = drawn(results.draw_second_choice_panels(choices["first"], choices["second"], caption=CAPTION))
    check_text(figure)
    panels = figure.axes[:7]
    assert [panel.get_title().split(",")[0] for panel in panels] == list(EMOTIONS)
    across = np.concatenate([np.asarray(panel.collections[0].get_offsets())[:, 0] for panel in panels])
    assert sorted(across) == list(range(1, 393))
    anger = panels[EMOTIONS.index("anger")].collections[0]
    rows = choices[choices["first"] == "anger"]
    assert np.asarray(anger.get_offsets())[:, 1].tolist() == [EMOTIONS.index(name) for name in rows["second"]]
    assert to_rgba(np.asarray(anger.get_facecolor())[0], 1) == to_rgba(style.EMOTION_COLOURS[rows["second"].iloc[0]])


def test_an_emotion_never_predicted_has_an_empty_panel_and_no_shares(choices):
    few = choices[choices["first"] != "fear"].reset_index(drop=True)
    figure = drawn(results.draw_second_choice_panels(few["first"], few["second"]))
    assert np.size(figure.axes[EMOTIONS.index("fear")].collections[0].get_offsets()) == 0
    assert "fear, n = 0" in texts(figure)
    plt.close("all")
    even = pd.DataFrame(1 / 6, index=EMOTIONS, columns=EMOTIONS)
    figure = drawn(results.draw_second_choice_matrix(counted(few), even))
    assert [len(ax.texts) for ax in figure.axes] == [6 * 6, 6 * 6]


def test_second_choice_matrix_shows_shares_and_excess(choices):
    counts = counted(choices)
    expected = pd.DataFrame(1 / 6, index=EMOTIONS, columns=EMOTIONS)
    figure = drawn(results.draw_second_choice_matrix(counts, expected, caption=CAPTION))
    check_text(figure)
    row, column = EMOTIONS.index("anger"), EMOTIONS.index("sad")
    share = 100 * counts.to_numpy()[row, column] / counts.to_numpy()[row].sum()
    written = [{(t.get_position()): t.get_text() for t in ax.texts} for ax in figure.axes]
    place = (column + 0.5, row + 0.5)
    assert written[0][place] == f"{share:.0f}"
    assert written[1][place] == f"{share - 100 / 6:+.0f}"
    assert (3.5, 3.5) not in written[0], "the first choice can't be the second"
