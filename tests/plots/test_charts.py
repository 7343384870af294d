"""General charts show every number of their table, keep their text readable, and refuse what they can't draw."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from figure_checks import check_text, drawn, styled, texts
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation

from microx_utils.components import COMPONENTS
from microx_utils.labels import EMOTIONS
from microx_utils.plots import charts
from microx_utils.plots.canvas import figure_of
from microx_utils.plots.style import COMPONENT_COLOURS, EMOTION_COLOURS, INK, RULE

HEAD: dict[str, Any] = {
    "title": "What is shown",
    "caption": "rendered sample, subject split, n = 392 segments of 98 clips",
}


@pytest.fixture(autouse=True)
def _styled():
    with styled():
        yield


def test_lines_are_named_at_their_ends_without_overlap():
    epochs = pd.Index(range(1, 41), name="epoch")
    table = pd.DataFrame({name: np.linspace(0.2, 0.5 + 0.001 * k, 40) for k, name in enumerate("abcde")}, index=epochs)
    table.loc[40, "e"] = np.nan
    ax = charts.draw_lines(table, levels={"chance": 0.499}, ylabel="accuracy", ylim=(0, 1), **HEAD)
    check_text(drawn(ax))
    assert {*"abcde", "chance"} <= set(texts(figure_of(ax)))
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), table["a"])
    assert ax.get_xlabel() == "epoch"


def test_one_line_is_named_by_its_axis_alone():
    ax = charts.draw_lines(pd.Series([3.0, 2.0, 1.5], name="loss"), ylabel="loss", yscale="log", marker="o")
    check_text(drawn(ax))
    assert texts(figure_of(ax)).count("loss") == 1


def test_a_line_has_its_interval_as_a_band():
    table = pd.DataFrame({"error": [0.6, 0.5, np.nan]}, index=[0.5, 0.75, 1.0])
    ax = charts.draw_lines(table, ends=(table - 0.1, table + 0.1), ylabel="error", **HEAD)
    check_text(drawn(ax))
    (band,) = ax.collections
    ax = charts.draw_lines(pd.DataFrame({"low": [1.0, 2.0], "high": [5.0, 9.0]}))
    names = {text.get_text(): text.xy[1] for text in ax.texts if isinstance(text, Annotation)}
    assert names["high"] > 0.9 and 0.05 < names["low"] < 0.25, "beside the ends of their lines, without a ylim, too"
    assert list(band.get_paths()[0].get_extents().extents) == pytest.approx([0.5, 0.4, 0.75, 0.7])


def test_bars_have_their_numbers_and_the_colours_of_their_emotions():
    ax = charts.draw_bars(pd.Series(range(1000, 1007), index=EMOTIONS), xlabel="segments", **HEAD)
    check_text(drawn(ax))
    assert {"1,000", "1,006"} <= set(texts(figure_of(ax)))
    assert [to_hex(bar.get_facecolor()) for bar in ax.patches] == list(EMOTION_COLOURS.values())
    assert ax.get_yticklabels()[0].get_text() == EMOTIONS[0] and ax.yaxis_inverted()


def test_bars_of_two_columns_lie_side_by_side():
    table = pd.DataFrame({"aligned": [1.5, 2.25], "published": [3.0, 4.0]}, index=["left_eye", "mouth"])
    ax = charts.draw_bars(table, form="{:.2f}", **HEAD)
    check_text(drawn(ax))
    assert {"1.50", "2.25", "3.00", "4.00", "aligned", "published", "left eye"} <= set(texts(figure_of(ax)))


def test_dots_of_a_row_are_joined():
    table = pd.DataFrame({"plain": [0.1, 0.9], "mask": [0.3, 0.2]}, index=["s001", "s002"])
    ax = charts.draw_dots(table, reference=("chance", 1 / 7), xlabel="accuracy", **HEAD)
    check_text(drawn(ax))
    spans = [np.asarray(path.vertices)[:, 0].tolist() for path in ax.collections[0].get_paths()]
    assert spans == [[0.1, 0.3], [0.2, 0.9]]


def test_intervals_with_groups_seeds_and_the_paper():
    columns = {"accuracy": [0.71, 0.5], "low": [0.6, 0.4], "high": [0.8, 0.6]}
    table = pd.DataFrame(columns, index=["full face\naligned", "parts"])
    table = table.assign(paper=[0.715, np.nan], group=["subject split", "segment split"])
    groups = ("subject split", "segment split")
    ax = charts.draw_intervals(table, "accuracy", groups=groups, seeds={"parts": [0.45, 0.55]}, xlim=(0, 1.06), **HEAD)
    check_text(drawn(ax))
    assert {"71.0 %", "71.5 %", "50.0 %"} <= set(texts(figure_of(ax)))
    assert ax.get_legend_handles_labels()[1] == [*groups, "one seed", "paper (BAUM)", "chance 14.3 %"]
    (single,) = [line for line in ax.lines if line.get_marker() == "|"]
    assert np.asarray(single.get_xdata()).tolist() == [0.45, 0.55]


def test_plain_intervals_have_no_legend_but_chance_is_named():
    table = pd.DataFrame({"uar": [0.3], "low": [0.2], "high": [0.4]}, index=["MicroX"])
    ax = charts.draw_intervals(table, "uar")
    check_text(drawn(ax))
    assert ax.get_legend() is None
    assert {"30.0 %", "chance 14.3 %"} <= set(texts(figure_of(ax)))


def test_a_score_without_an_interval_keeps_its_number():
    table = pd.DataFrame({"uar": [0.25], "low": [np.nan], "high": [np.nan]}, index=["one person"])
    ax = charts.draw_intervals(table, "uar")
    assert ("25.0 %", 0.25) in [(text.get_text(), text.xy[0]) for text in ax.texts if hasattr(text, "xy")]


def test_intervals_refuse_a_group_without_a_name():
    table = pd.DataFrame({"uar": [0.3], "low": [0.2], "high": [0.4], "group": ["x"]})
    with pytest.raises(ValueError, match=r"groups \['x'\] in the table; wanted"):
        charts.draw_intervals(table, "uar", groups=("a", "b"))


def test_heatmap_writes_each_number_and_leaves_missing_cells_grey():
    table = pd.DataFrame([[1.2, np.nan, 90.0], [4.0, 5.0, 6.0]], index=["neutral", "left_eye"], columns=list("abc"))
    ax = charts.draw_heatmap(table, form="{:.1f}", bar="share, %", xlabel="said", **HEAD)
    check_text(drawn(ax))
    assert [text.get_text() for text in ax.texts] == ["1.2", "90.0", "4.0", "5.0", "6.0"]
    assert [text.get_color() for text in ax.texts][:2] == [INK, "white"]
    assert to_hex(ax.get_facecolor()) == RULE
    assert [label.get_text() for label in ax.get_yticklabels()] == ["neutral", "left eye"]


def test_histograms_share_their_bins():
    values = {"segments": np.arange(60.0), "subjects": np.arange(30.0)}
    ax = charts.draw_histograms(values, bins=6, marks={"measured": 20.0}, xlabel="frames", ylabel="clips", **HEAD)
    check_text(drawn(ax))
    heights = [bar.get_height() for bar in ax.patches if isinstance(bar, Rectangle)]
    assert heights[:6] == [10] * 6
    assert sum(heights) == 90
    assert sorted(ax.get_legend_handles_labels()[1]) == ["measured", "segments", "subjects"]


def test_strips_show_every_row_and_the_median():
    table = pd.DataFrame({"seconds": [1.0, 2.0, 9.0, 4.0], "corpus": ["B", "B", "B", "A"], "rate": [30, 30, 25, 30]})
    ax = charts.draw_strips(table, "seconds", "corpus", hue="rate", marked=table["rate"].iloc[0], **HEAD)
    check_text(drawn(ax))
    assert ax.lines[0].get_markersize() > ax.lines[1].get_markersize()
    assert sorted(np.concatenate([line.get_xdata() for line in ax.lines])) == [1, 2, 4, 9]
    assert [np.asarray(path.vertices)[0, 0] for path in ax.collections[0].get_paths()] == [2, 4]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["B", "A"]


def test_scatter_colours_components_and_draws_the_diagonal():
    table = pd.DataFrame({"alone": [0.3, 0.5], "hidden": [0.1, 0.2], "component": ["mouth", "left_eye"]})
    ax = charts.draw_scatter(table, "alone", "hidden", hue="component", diagonal="the same", **HEAD)
    check_text(drawn(ax))
    by_name = {line.get_label(): line for line in ax.lines}
    assert by_name["mouth"].get_color() == COMPONENT_COLOURS["mouth"]
    assert np.asarray(by_name["left_eye"].get_xydata()).tolist() == [[0.5, 0.2]]
    assert np.asarray(by_name["the same"].get_xydata()).tolist() == [[0, 0], [0.5, 0.5]]


def test_what_cannot_be_drawn_is_refused_and_leaves_no_figure():
    many = pd.DataFrame(np.ones((2, 7)), columns=list("abcdefg"))
    empty = pd.DataFrame({"a": [1.0], "b": [np.nan]})
    with pytest.raises(ValueError, match="6 colours for 7 groups"):
        charts.draw_lines(many)
    for call, said in (
        (lambda: charts.draw_lines(empty), r"no numbers in \['b'\]"),
        (lambda: charts.draw_bars(pd.Series(dtype=float)), "no numbers"),
        (lambda: charts.draw_heatmap(pd.DataFrame()), "an empty table"),
        (lambda: charts.draw_histograms({"x": [1.0], "y": []}), r"no values in \['y'\]"),
        (lambda: charts.draw_strips(pd.DataFrame({"x": [], "y": []}), "x", "y"), "an empty table"),
        (lambda: charts.draw_scatter(pd.DataFrame({"x": [], "y": []}), "x", "y"), "an empty table"),
    ):
        with pytest.raises(ValueError, match=said):
            call()
    assert not plt.get_fignums()


def test_charts_draw_into_given_axes():
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.6))
    table = pd.DataFrame({"value": [0.5, 0.6], "low": [0.4, 0.5], "high": [0.6, 0.7]}, index=COMPONENTS[:2])
    assert charts.draw_intervals(table, "value", ax=left, title="left", caption="n = 2") is left
    assert charts.draw_bars(table["value"], ax=right, title="right") is right
    check_text(drawn(figure))


@pytest.mark.parametrize("count", [2, 21])
def test_differences_have_signs_and_a_line_at_zero(count):
    middle = np.random.default_rng(1).normal(0, 5, count)
    table = pd.DataFrame({"difference": middle, "low": middle - 4, "high": middle + 3})
    table["group"] = ["named", *["other"] * (count - 1)]
    groups = ("named", "other")
    ax = charts.draw_intervals(table, "difference", groups=groups, form="", reference=("no difference", 0), **HEAD)
    check_text(drawn(ax))
    points = {line.get_label(): line.get_xdata() for line in ax.lines}
    assert points["named"] == pytest.approx(middle[:1])
    assert points["other"] == pytest.approx(middle[1:])
    assert any(text.startswith("+") for text in texts(figure_of(ax)))
    assert [line.get_xdata() for line in ax.lines][-1] == [0, 0]
