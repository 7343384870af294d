"""Charts of trainings: a history beside the paper's (Figures 7, 8), what each stopping rule keeps, several runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from microx_utils.plots.charts import PALETTE
from microx_utils.plots.results import draw_learning_curve
from microx_utils.plots.style import HELD_OUT_COLOUR, MUTED, TRAIN_COLOUR, WIDTH, write_head


def draw_beside_paper(
    history: pd.DataFrame, measure: str, paper: Mapping[str, Any], *, caption: str = "", **marks: Any
) -> Figure:
    """Draw our whole history and, beside it, the two ends of the paper's curves (Figures 7, 8).

    Parameters
    ----------
    history, measure, marks
        As `results.draw_learning_curve` takes them; marks are best, stopped and borders.
    paper
        `epochs` (first, last) and `read_off`: train and validation at these epochs, as `paper.figure(7)` has them.
    """
    figure, (ours, theirs) = plt.subplots(1, 2, figsize=(WIDTH, 3.2), width_ratios=[3, 1], sharey=True)
    draw_learning_curve(history, measure, caption=caption, ax=ours, **marks)
    epochs, read_off = paper["epochs"], paper["read_off"]
    for key, name, colour in (("train", "training", TRAIN_COLOUR), ("validation", "validation", HELD_OUT_COLOUR)):
        ends = read_off[key]
        theirs.plot(epochs, ends, "D--", color=colour, mfc="white", linewidth=1, ms=5)
        theirs.annotate(name, (epochs[0], ends[0]), (0, 7), textcoords="offset points", color=colour, fontsize=7.5)
    if measure == "loss":
        ours.set_ylim(0, 1.08 * max(history[["loss", "val_loss"]].to_numpy().max(), *read_off["validation"]))
    theirs.set(xlabel="epoch", xticks=epochs, xlim=(epochs[0] - 6, epochs[1] + 6))
    theirs.grid(axis="y")
    write_head(theirs, "Paper (BAUM)", "ends, read off", blank_lines=1)
    return figure


def draw_stopping_rules(
    history: pd.DataFrame,
    kept: Mapping[str, int],
    *,
    title: str = "Which weights each stopping rule keeps",
    caption: str = "",
) -> Figure:
    """Draw validation loss and accuracy per epoch, and mark the epoch that each rule keeps.

    Parameters
    ----------
    history
        Columns epoch, val_loss and val_accuracy.
    kept
        Rule -> epoch, from 1; the rules are lettered from A and listed below the chart.
    """
    figure, panels = plt.subplots(2, 1, figsize=(WIDTH, 4.2), sharex=True)
    letters = dict(zip(kept, "ABCDEFGH", strict=False))
    for panel, column, label in zip(
        panels, ("val_loss", "val_accuracy"), ("validation loss", "validation accuracy"), strict=True
    ):
        values = history.set_index("epoch")[column]
        panel.plot(values, color=HELD_OUT_COLOUR, marker=".")
        for epoch in sorted(set(kept.values())):
            panel.axvline(epoch, color=MUTED, linewidth=0.9, linestyle=(0, (2, 2)))
            panel.plot(epoch, values[epoch], "o", ms=8, mfc="white", mec=HELD_OUT_COLOUR, mew=1.8, clip_on=False)
            if panel is panels[0]:
                text = ", ".join(letters[rule] for rule, its in kept.items() if its == epoch)
                panel.text(epoch, 1.02, text, transform=panel.get_xaxis_transform(), ha="center", fontweight="bold")
        panel.set_ylabel(label)
        panel.grid(axis="y")
    panels[1].set_xlabel("epoch")
    panels[1].xaxis.set_major_locator(MaxNLocator(integer=True))
    listed = "\n".join(f"{letter}  {rule}" for rule, letter in letters.items())
    figure.supxlabel(listed, x=0.08, ha="left", fontsize=8)
    write_head(figure, title, caption)
    return figure


def draw_panels(
    panels: Mapping[str, pd.DataFrame],
    *,
    levels: Mapping[str, float] | None = None,
    looks: Mapping[str, Mapping[str, Any]] | None = None,
    stacked: bool = False,
    legends: Sequence[str] = (),
    title: str = "",
    caption: str = "",
    **settings: Any,
) -> Figure:
    """Draw small charts side by side, or `stacked`, each with a line for each column of its table over the index.

    Parameters
    ----------
    panels
        What a chart shows -> its table; missing values are passed over.
    levels
        Name -> y of dotted lines in every chart.
    looks
        Column -> matplotlib's settings of its line; lines without a colour take those of `charts.PALETTE` in turn.
    legends
        Where each chart's legend stands, such as "lower left". Without them one legend, below, stands for all charts.
    settings
        Given to `Axes.set` of every chart.
    """
    rows, columns = (len(panels), 1) if stacked else (1, len(panels))
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, 0.8 + 2.2 * rows), sharex=True, squeeze=False)
    places = legends or [""] * len(panels)
    for ax, (name, table), place in zip(axes.flat, panels.items(), places, strict=True):
        for (column, values), colour in zip(table.items(), PALETTE, strict=False):
            ax.plot(values.dropna(), **{"color": colour, "label": column} | dict((looks or {}).get(str(column), {})))
        for label, value in (levels or {}).items():
            ax.axhline(value, color=MUTED, linewidth=0.9, linestyle=":")
            at_right: Any = {"xycoords": ax.get_yaxis_transform(), "textcoords": "offset points", "ha": "right"}
            ax.annotate(label, (1, value), (0, 2), color=MUTED, **at_right)
        ax.set_title(name, loc="left", fontsize=9)
        ax.set(xlabel=table.index.name or "", **settings)
        if stacked:
            ax.label_outer()
        ax.grid(axis="y")
        if place:
            ax.legend(loc=place, fontsize=8)
    if not legends:
        handles = axes.flat[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower left", ncols=min(4, len(handles[0])), fontsize=8)
    write_head(figure, title, caption)
    return figure
