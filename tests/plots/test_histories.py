"""The charts of one training show both histories and mark the epochs that rules keep."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from figure_checks import check_text, drawn, styled, texts

from microx_utils.course import paper
from microx_utils.plots import histories


@pytest.fixture(autouse=True)
def _styled():
    with styled():
        yield


@pytest.fixture
def history() -> pd.DataFrame:
    loss = np.array([1.9, 1.6, 1.5, 1.4, 1.45, 1.6])
    columns = {"loss": loss, "val_loss": loss + 0.1, "accuracy": 1 - loss / 2, "val_accuracy": 0.9 - loss / 2}
    return pd.DataFrame({"epoch": np.arange(1, 7), **columns})


@pytest.mark.parametrize(("measure", "number"), [("accuracy", 7), ("loss", 8)])
def test_the_papers_ends_stand_beside_ours_on_one_scale(history, measure, number):
    read = paper.figure(number)
    figure = drawn(histories.draw_beside_paper(history, measure, read, best=4, caption="Rendered people."))
    ours, theirs = figure.axes
    ends = np.array([line.get_ydata() for line in theirs.lines])
    assert ends.tolist() == [read["read_off"]["train"], read["read_off"]["validation"]]
    assert ours.get_ylim() == theirs.get_ylim()
    assert ours.get_ylim()[1] >= ends.max()
    assert "kept: epoch 4" in texts(figure)


def test_rules_that_keep_the_same_epoch_share_its_mark(history):
    kept = {"first rise": 5, "best loss": 4, "best accuracy": 4}
    figure = drawn(histories.draw_stopping_rules(history, kept, caption="Rendered people."))
    check_text(figure)
    above, below = figure.axes
    assert [text.get_text() for text in above.texts] == ["B, C", "A"]
    marks = np.concatenate([line.get_xydata() for line in below.lines if line.get_marker() == "o"])
    assert marks.tolist() == [[epoch, history["val_accuracy"][epoch - 1]] for epoch in (4, 5)]
    assert "A  first rise\nB  best loss\nC  best accuracy" in texts(figure)


def test_panels_share_a_legend_or_have_their_own() -> None:
    steps = pd.Index([0, 100, 200], name="step")
    loss = pd.DataFrame({"raw": [2.0, 1.95, np.nan], "scaled": [2.0, 1.9, 1.8]}, steps)
    looks = {"raw": {"ls": "--", "color": "red"}}
    shared = drawn(histories.draw_panels({"loss": loss, "dead units": loss / 10}, looks=looks, title="Raw or scaled"))
    check_text(shared)
    assert [ax.get_legend() for ax in shared.axes] == [None, None] and len(shared.legends) == 1
    raw, scaled = shared.axes[0].lines
    assert (raw.get_linestyle(), raw.get_color(), np.size(raw.get_xdata())) == ("--", "red", 2)  # the gap is left out
    assert scaled.get_color() != "red"
    assert [ax.get_xlabel() for ax in shared.axes] == ["step", "step"]
    plt.close(shared)

    panels = {"fused": loss, "alone": loss[["raw"]]}
    places = ("lower left", "upper right")
    own = drawn(histories.draw_panels(panels, stacked=True, legends=places, levels={"ln 7": 1.94}, title="Loss"))
    check_text(own)
    assert not own.legends
    legends = [ax.get_legend() for ax in own.axes]
    assert [len(legend.get_texts()) for legend in legends if legend] == [2, 1]
    assert texts(own).count("ln 7") == 2
