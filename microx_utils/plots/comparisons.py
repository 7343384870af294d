"""Charts that compare: second choices (Figure 15), scores of several models, differences with their intervals.

As in `plots`: data in, Axes or Figure out, nothing written.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from microx_utils.labels import CHANCE, EMOTIONS
from microx_utils.plots.style import (
    EMOTION_COLOURS,
    HELD_OUT_COLOUR,
    INK,
    MUTED,
    RULE,
    WIDTH,
    ink_on,
    new_axes,
    write_head,
)

GROUP_COLOURS = (HELD_OUT_COLOUR, "#b2182b", MUTED)
"""Colours of the groups of rows in one chart, in the order in which the caller names them."""


def draw_second_choice_panels(
    first: Sequence[str],
    second: Sequence[str],
    *,
    title: str = "Second choice of each segment, by predicted emotion",
    caption: str = "",
) -> Figure:
    """Draw a scatter panel for each predicted emotion, as the paper's Figure 15.

    Parameters
    ----------
    first, second
        The most and second most probable emotion of each segment. Across: a segment's place in the table, from 1. Up:
        its second choice, which also gives the colour.
    """
    frame = pd.DataFrame({"first": list(first), "second": list(second)})
    figure, grid = plt.subplots(2, 4, figsize=(WIDTH, 4.3), sharex=True, sharey=True)
    for ax, emotion in zip(grid.flat, EMOTIONS, strict=False):
        chosen = frame[frame["first"] == emotion]
        heights = chosen["second"].map(EMOTIONS.index).to_numpy(int)
        colours = [EMOTION_COLOURS[name] for name in chosen["second"]]
        ax.scatter(chosen.index + 1, heights, s=11, c=colours, alpha=0.75, linewidth=0)
        ax.set_title(f"{emotion}, n = {len(chosen)}", fontsize=9, fontweight="normal", loc="center")
        ax.grid(axis="y")
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
    grid.flat[-1].axis("off")
    grid.flat[3].tick_params(axis="x", labelbottom=True)  # nothing is drawn below it
    grid.flat[0].set_yticks(range(len(EMOTIONS)), EMOTIONS)
    grid.flat[0].set_ylim(len(EMOTIONS) - 0.5, -0.5)
    grid.flat[0].set_xlim(1 - 0.04 * len(frame), 1.04 * len(frame))
    grid.flat[0].xaxis.set_major_locator(MaxNLocator(3, integer=True))
    figure.supxlabel("segment number", fontsize=8.5)
    figure.supylabel("second choice", fontsize=8.5)
    write_head(figure, title, caption)
    return figure


def draw_second_choice_matrix(
    counts: pd.DataFrame,
    expected: pd.DataFrame,
    *,
    title: str = "Second choices, % of each predicted emotion",
    caption: str = "",
) -> Figure:
    """Draw the shares of second choices, and how far they lie from the shares expected.

    Parameters
    ----------
    counts
        (7, 7) rows the predicted emotion, columns the second choice, both in the order of EMOTIONS; diagonal 0.
    expected
        Shares, 0 to 1, of the same form: what each cell would be without any likeness.
    """
    totals = counts.sum(axis=1).to_numpy(float)[:, None]
    with np.errstate(invalid="ignore"):  # an emotion that is never predicted has no shares: NaN, drawn as a dash
        shares = 100 * counts.to_numpy(float) / totals
    excess = shares - 100 * expected.to_numpy(float)
    for values in (shares, excess):
        np.fill_diagonal(values, np.nan)
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.7), sharey=True)
    reach = float(np.nanmax(np.abs(excess)))
    left_image = left.imshow(shares, cmap="Blues", vmin=0, vmax=max(float(np.nanmax(shares)), 1.0), aspect="auto")
    right_image = right.imshow(excess, cmap="RdBu_r", vmin=-reach, vmax=reach, aspect="auto")
    for ax, image, values, form in ((left, left_image, shares, "{:.0f}"), (right, right_image, excess, "{:+.0f}")):
        for (row, column), value in np.ndenumerate(values):
            if row == column:
                ax.fill_between([column - 0.5, column + 0.5], row - 0.5, row + 0.5, color=RULE, linewidth=0)
                continue
            colour = INK if np.isnan(value) else ink_on(image.cmap(image.norm(value)))
            text = "-" if np.isnan(value) else form.format(value)
            ax.text(column, row, text, ha="center", va="center", fontsize=7.5, color=colour)
        ax.set_xticks(range(len(EMOTIONS)), EMOTIONS, rotation=35, ha="right", rotation_mode="anchor")
        ax.set_xlabel("second choice")
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    left.set_yticks(
        range(len(EMOTIONS)), [f"{name} ({n:,.0f})" for name, n in zip(EMOTIONS, totals[:, 0], strict=True)]
    )
    left.set_ylabel("predicted emotion (its segments)")
    left.set_title("share, %", fontsize=9, fontweight="normal", loc="center")
    right.set_title("points above or below expected", fontsize=9, fontweight="normal", loc="center")
    write_head(figure, title, caption)
    return figure


def draw_model_scores(
    scores: pd.DataFrame,
    *,
    groups: Sequence[str] = ("ours",),
    seeds: Mapping[str, Sequence[float]] | None = None,
    title: str = "Accuracy",
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a row for each model: a dot with its interval, its single seeds, and the paper's value as a diamond.

    Parameters
    ----------
    scores
        Indexed by the rows' labels, with accuracy, low, high (0 to 1) and, if there are such, paper (NaN: none) and
        group (one of `groups`).
    groups
        What the rows' colours mean, at most three.
    seeds
        Label -> accuracies of the single seeds, drawn as ticks.
    """
    alone = ax is None
    ax = ax or new_axes(1.25 + 0.42 * len(scores))
    rows = scores if "group" in scores else scores.assign(group=groups[0])
    has_paper = "paper" in scores
    offset = 0.17 if has_paper else 0.0
    places = np.arange(len(scores))

    def write(value: float, beside: float, place: float, colour: str) -> None:
        text = f"{100 * value:.1f} %"
        ax.annotate(text, (beside, place), (6, 0), textcoords="offset points", va="center", fontsize=8, color=colour)

    for colour, group in zip(GROUP_COLOURS, groups, strict=False):
        mine = (rows["group"] == group).to_numpy()
        ax.hlines(places[mine] - offset, rows["low"][mine], rows["high"][mine], color=colour, linewidth=2.4, alpha=0.55)
        ax.plot(rows["accuracy"][mine], places[mine] - offset, "o", color=colour, ms=6.5, label=group)
    single = [(accuracy, y) for y, label in enumerate(scores.index) for accuracy in (seeds or {}).get(str(label), ())]
    if single:
        x, y = np.transpose(single)
        ax.plot(x, y - offset, "|", color=INK, ms=8, mew=1, label="one seed")
    for place, (value, high) in enumerate(zip(scores["accuracy"], scores["high"], strict=True)):
        write(value, high, place - offset, INK)
    if has_paper:
        ax.plot(scores["paper"], places + offset, "D", color="white", ms=5.5, mec=MUTED, mew=1.2, label="paper (BAUM)")
        for place in places[scores["paper"].notna().to_numpy()]:
            value = float(scores["paper"].iloc[place])
            write(value, value, place + offset, MUTED)
    ax.axvline(CHANCE, color=MUTED, linewidth=0.9, linestyle=":", label=f"chance {100 * CHANCE:.1f} %")
    ax.set_xlim(0, 1.06)
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    _finish_rows(ax, scores.index, legend=True)
    _write_head(ax, title, caption, alone=alone, legend=True)
    return ax


def draw_differences(
    differences: pd.DataFrame,
    *,
    groups: Sequence[str] = ("",),
    xlabel: str = "difference, percentage points",
    title: str = "Differences",
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a row for each difference: a dot with its interval, and a line at zero.

    Parameters
    ----------
    differences
        Indexed by the rows' labels, with difference, low, high (fractions; drawn in percentage points) and, if there
        are `groups`, group.
    groups
        What the rows' colours mean, at most three.
    """
    alone = ax is None
    ax = ax or new_axes(1.1 + (0.34 if len(differences) < 12 else 0.2) * len(differences))
    rows = differences if "group" in differences else differences.assign(group=groups[0])
    places, points = np.arange(len(rows)), 100 * rows[["difference", "low", "high"]]
    for colour, group in zip(GROUP_COLOURS, groups, strict=False):
        mine = (rows["group"] == group).to_numpy()
        ax.hlines(places[mine], points["low"][mine], points["high"][mine], color=colour, linewidth=2.4, alpha=0.55)
        ax.plot(points["difference"][mine], places[mine], "o", color=colour, ms=5.5, label=group)
    ax.axvline(0, color=INK, linewidth=0.9)
    ax.set_xlabel(xlabel)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:+g}" if value else "0")
    _finish_rows(ax, differences.index, legend=len(groups) > 1)
    _write_head(ax, title, caption, alone=alone, legend=len(groups) > 1)
    return ax


def _finish_rows(ax: Axes, labels: pd.Index, *, legend: bool) -> None:
    """Name the rows from the top, and put the legend between head and chart."""
    ax.set_yticks(range(len(labels)), [str(label) for label in labels])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.grid(axis="x")
    if legend:
        place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.01, 1), "ncols": 5}
        ax.legend(**place, borderpad=0.3, columnspacing=1.2, handlelength=1.4)


def _write_head(ax: Axes, title: str, caption: str, *, alone: bool, legend: bool) -> None:
    """Write over the whole page where there is only this chart: long names of rows leave its Axes little width."""
    figure = ax.get_figure(root=True)
    if alone and figure is not None:
        write_head(figure, title, caption)
    else:
        write_head(ax, title, caption, blank_lines=int(legend))
