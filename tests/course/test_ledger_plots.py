"""Charts of the ledger: every claim is in a bar, every score in a row, and what is missing stays empty."""

from collections.abc import Iterator

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.patches import Rectangle

from microx_utils.course import gallery, ledger, ledger_plots, paper
from microx_utils.course.claims import UNTESTABLE
from microx_utils.course.outline import load_course


@pytest.fixture
def table() -> Iterator[pd.DataFrame]:
    mpl.use("agg")
    rows = ledger.read_ledger({}, load_course()).to_dict("index")
    rows["table_1_accuracy"] |= {"ours": 0.4, "interval": [0.3, 0.5], "n": 411, "split": "subject"}
    rows["table_1_accuracy"] |= {"verdict": UNTESTABLE, "status": ledger.RECORDED}
    yield pd.DataFrame.from_dict(rows, orient="index", dtype=object)
    pyplot.close("all")


def test_everything_that_may_be_said_has_a_look() -> None:
    assert set(ledger_plots.COLOURS) == set(gallery.STANDINGS)
    coloured = [colour for colour in ledger_plots.COLOURS.values() if colour != "#ffffff"]
    assert len(set(coloured)) == len(coloured)
    assert len(ledger_plots.HATCHES) == len(ledger_plots.COLOURS) - len(coloured)


def test_claims_are_shown_with_the_colour_of_their_verdict(table: pd.DataFrame) -> None:
    page = ledger_plots.claims_table(table.loc[["table_1_accuracy"]].rename_axis("claim"), "Table 1").to_html()
    for text in ("Table 1</caption>", "0.400 (0.300 to 0.500)", f"solid {ledger_plots.COLOURS[UNTESTABLE]}"):
        assert text in page


def test_bars_add_up_to_all_claims(table: pd.DataFrame) -> None:
    fig = ledger_plots.draw_verdicts(table, paper.value("sections"), title="Verdicts")
    bars = [patch.get_width() for patch in fig.axes[0].patches if isinstance(patch, Rectangle)]
    assert sum(bars) == len(table)
    assert min(bars) >= 1


def test_a_score_of_one_person_is_drawn_without_an_interval(table: pd.DataFrame) -> None:
    row = table.loc[["table_1_accuracy"]].assign(interval=None)
    _, right = ledger_plots.draw_scores(row, title="Scores", data="rendered").axes
    (dot,) = [line for line in right.lines if line.get_marker() == "o"]
    assert np.allclose(np.asarray(dot.get_xydata(), float)[0, 0], 0.4)
    assert any("40.0 %" in text.get_text() and text.xy[0] == 0.4 for text in right.texts if hasattr(text, "xy"))


def test_scores_without_a_value_are_named_and_not_drawn(table: pd.DataFrame) -> None:
    scores = table[table["kind"] == "score"]
    fig = ledger_plots.draw_scores(scores, title="Scores", data="rendered people")
    left, right = fig.axes
    assert [np.shape(line.get_xydata()) for line in right.lines if line.get_marker() == "o"] == [(1, 2)]
    (papers,) = [line for line in left.lines if line.get_marker() == "D"]
    assert np.allclose(np.asarray(papers.get_xdata(), float), scores["paper"].astype(float))
    assert sum("yet" in text.get_text() for text in right.texts) == len(scores) - 1
    assert "not comparable" in right.get_title(plt.rcParams["axes.titlelocation"])  # another test may set the style
