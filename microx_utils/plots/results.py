"""Charts of training and results (Figures 7-14): data in, Axes or Figure out, nothing written.

A function with `ax=None` draws into the Axes given, or makes a figure of page width, and returns the Axes; the others
arrange several panels and return the Figure. `title` says what is shown and `caption`, best made by `caption_data`, on
which data, split and n. The data's own charts are in `dataset_plots`, faces in `pictures`, networks in `diagrams`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from microx_utils.labels import CHANCE, EMOTIONS
from microx_utils.plots.style import (
    COMPONENT_COLOURS,
    EMOTION_COLOURS,
    HELD_OUT_COLOUR,
    INK,
    MUTED,
    RULE,
    SPLIT_COLOURS,
    TRAIN_COLOUR,
    WIDTH,
    caption_data,
    ink_on,
    new_axes,
    style,
    write_head,
)

__all__ = [
    "COMPONENT_COLOURS",
    "EMOTION_COLOURS",
    "SPLIT_COLOURS",
    "caption_data",
    "draw_accuracies",
    "draw_class_metrics",
    "draw_confusion",
    "draw_learning_curve",
    "draw_one_vs_rest",
    "draw_reliability",
    "draw_subject_accuracy",
    "style",
]

_OURS = {"color": HELD_OUT_COLOUR, "marker": "o", "ms": 5.5, "mew": 0, "ls": "none"}
_PAPERS = {"color": "white", "marker": "D", "ms": 5.5, "mec": MUTED, "mew": 1.2, "ls": "none"}


def draw_learning_curve(
    history: pd.DataFrame,
    measure: str = "accuracy",
    *,
    best: int | None = None,
    stopped: bool = False,
    borders: Sequence[int] = (),
    title: str | None = None,
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw training and validation accuracy or loss per epoch (Figures 7, 8).

    Parameters
    ----------
    history
        Columns epoch, `measure` and `val_<measure>`.
    measure
        "accuracy" or "loss".
    best
        The epoch whose weights were kept; None marks nothing.
    stopped
        Early stopping ended the training at the last epoch.
    borders
        Last epochs of the runs that were saved and resumed (the paper: 30, 60, 90).
    """
    if measure not in ("accuracy", "loss"):
        raise ValueError(f"unknown measure {measure!r}; choose from ['accuracy', 'loss']")
    ax = ax or new_axes(2.9)
    epochs = history["epoch"].to_numpy()
    for column, name, colour in (
        (measure, "training", TRAIN_COLOUR),
        (f"val_{measure}", "validation", HELD_OUT_COLOUR),
    ):
        values = history[column].to_numpy()
        ax.plot(epochs, values, color=colour, label=name, marker="o" if len(epochs) < 3 else "", ms=4)
        if best is not None and column.startswith("val_"):
            kept = values[epochs == best]
            ax.plot([best] * len(kept), kept, "o", ms=7, mfc="white", mec=colour, mew=1.8, label=f"kept: epoch {best}")
    for border in borders:
        ax.axvline(border + 0.5, color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
    if borders:
        for run, start in enumerate((0, *borders), 1):
            at = (max(start + 0.5, ax.dataLim.x0), 1)
            ax.annotate(
                f"run {run}",
                at,
                xytext=(4, -2),
                xycoords=ax.get_xaxis_transform(),
                textcoords="offset points",
                va="top",
                fontsize=7.5,
                color=MUTED,
            )
    if stopped:
        ax.axvline(epochs[-1], color=INK, linewidth=0.9, linestyle="--", label=f"stopped: epoch {epochs[-1]}")
    if measure == "accuracy":
        _draw_chance(ax)
        ax.set_ylim(0, 1)
        ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    else:
        ax.set_ylim(bottom=0)
    if borders:
        ax.set_ylim(top=1.1 * ax.get_ylim()[1])  # room for the runs' names
    ax.set_xlim(min(epochs[0], 1) - 0.2, epochs[-1] + max(0.4, 0.02 * len(epochs)))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss (cross-entropy)" if measure == "loss" else measure)
    ax.grid(axis="y")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.01, 1), ncols=5, borderpad=0.1, columnspacing=1.2, handlelength=1.6)
    write_head(ax, title or f"Model {measure} per epoch", caption, blank_lines=1)
    return ax


def draw_class_metrics(
    classes: pd.DataFrame,
    *,
    intervals: pd.DataFrame | None = None,
    paper: Mapping[str, Mapping[str, float]] | None = None,
    title: str = "Precision, recall and F-score of each emotion",
    caption: str = "",
) -> Figure:
    """Draw ours as dots with intervals, the paper's read-offs as diamonds, a panel a metric (Figure 9).

    The paper joins the classes with lines; there is nothing between two emotions, so here they are dots.

    Parameters
    ----------
    classes
        `evaluation.per_class`.
    intervals
        `evaluation.class_intervals`.
    paper
        Metric -> emotion -> value.
    """
    figure, panels = plt.subplots(1, 3, figsize=(WIDTH, 3.3), sharey=True)
    rows, offset = np.arange(len(EMOTIONS)), 0.16 if paper else 0.0
    for panel, metric, name in zip(
        panels, ("precision", "recall", "fscore"), ("Precision", "Recall", "F-score"), strict=True
    ):
        values = classes.loc[list(EMOTIONS), metric].to_numpy(float)
        for row, emotion in enumerate(EMOTIONS):
            if intervals is not None:
                span = intervals.loc[emotion, [f"{metric}_low", f"{metric}_high"]]
                panel.plot(
                    span, [row - offset] * 2, color=HELD_OUT_COLOUR, linewidth=2.2, alpha=0.4, solid_capstyle="butt"
                )
            if paper and metric in paper:
                panel.plot(
                    paper[metric][emotion], row + offset, **_PAPERS, label="paper, read off" if row == 0 else None
                )
        label = "ours" + ("" if intervals is None else "; bar: 95 % interval over subjects")
        panel.plot(values, rows - offset, **_OURS, label=label)
        panel.set_title(name, loc="center", fontsize=9, fontweight="normal")
        panel.set_xlim(-0.03, 1.03)
        panel.set_xticks(np.linspace(0, 1, 5), ["0", "", "0.5", "", "1"])
        panel.grid(axis="x")
        panel.hlines(rows[:-1] + 0.5, 0, 1, color=RULE, linewidth=0.6)
        panel.tick_params(axis="y", length=0)
        panel.spines["left"].set_visible(False)
    panels[0].set_yticks(rows, [f"{e}  ({int(classes['support'][e])})" for e in EMOTIONS])
    panels[0].set_ylim(len(EMOTIONS) - 0.5, -0.5)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside lower right", ncols=2)
    write_head(figure, title, caption)
    return figure


def draw_confusion(
    counts: ArrayLike,
    *,
    normalize: str | None = "all",
    title: str | None = None,
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw the confusion matrix of the seven emotions as a heat map (Figure 10), rows true, columns predicted.

    Parameters
    ----------
    counts
        (7, 7) in the order of EMOTIONS, rows true: `evaluation.confusion`, or per cent with `normalize=None`.
    normalize
        "all": per cent of all segments, as the paper; "true": per cent of the row, so that the diagonal is the recall;
        None: the values as they are.
    """
    meanings = {"all": "% of all segments", "true": "% of each true emotion", None: "as given"}
    if normalize not in meanings:
        raise ValueError(f"unknown normalize {normalize!r}; choose from {list(meanings)}")
    values = np.asarray(counts, dtype=float)
    if values.shape != (len(EMOTIONS), len(EMOTIONS)):
        raise ValueError(f"a confusion matrix of shape {values.shape}; wanted (7, 7), in the order {list(EMOTIONS)}")
    aspect: Literal["auto", "equal"] = "equal" if ax else "auto"  # alone it fills the page's width
    ax = ax or new_axes(4.3)
    total = {"all": values.sum(), "true": values.sum(axis=1, keepdims=True), None: 100.0}[normalize]
    with np.errstate(invalid="ignore"):  # a class without segments has no recall: NaN, drawn as a dash
        shown = 100 * values / total
    top = np.nanmax(shown)
    image = ax.imshow(shown, cmap="Blues", vmin=0, vmax=100 if normalize == "true" else top, aspect=aspect)
    small = ax.get_window_extent().width < 3.2 * plt.rcParams["figure.dpi"]  # narrower than 3.2 inches
    places = 0 if normalize == "true" else (1 if small else 2)
    for (row, column), value in np.ndenumerate(shown):
        text = "-" if np.isnan(value) else f"{value:.{places}f}"
        colour = ink_on(image.cmap(image.norm(value)))
        ax.text(column, row, text, ha="center", va="center", fontsize=6.5 if small else 8.5, color=colour)
    slant: Any = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if small else {}
    ax.set_xticks(range(len(EMOTIONS)), EMOTIONS, **slant)
    rows = [f"{e} ({n:.0f})" for e, n in zip(EMOTIONS, values.sum(axis=1), strict=True)]
    ax.set_yticks(range(len(EMOTIONS)), rows if normalize == "true" else EMOTIONS)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xticks(np.arange(6) + 0.5, minor=True)
    ax.set_yticks(np.arange(6) + 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=1.2)
    ax.tick_params(which="minor", length=0)
    ax.set_xlabel("predicted emotion")
    ax.set_ylabel("true emotion (its segments)" if normalize == "true" else "true emotion")
    write_head(ax, title or f"Confusion matrix, {meanings[normalize]}", caption)
    return ax


def draw_one_vs_rest(
    tables: Mapping[str, np.ndarray],
    *,
    emotions: Sequence[str] = EMOTIONS,
    paper: Mapping[str, Sequence[Sequence[int]]] | None = None,
    data: str = "ours",
    title: str = "One emotion against the rest",
    caption: str = "",
) -> Figure:
    """Draw the 2x2 heat maps [[TN, FP], [FN, TP]] of the given emotions (Figures 11-14).

    With `paper`, an emotion a row, ours on the left and the paper's on the right. A cell is as dark as its share of its
    row: of the segments of other emotions above, of this emotion below.
    """
    panels = [
        (e, source, np.asarray(t))
        for e in emotions
        for source, t in ((data, tables[e]), ("paper", (paper or {}).get(e)))
        if t is not None
    ]
    columns = 2 if paper else min(4, len(panels))
    rows = -(-len(panels) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(WIDTH, 0.75 + 1.75 * rows), squeeze=False)
    for axes, (emotion, source, cells) in zip(grid.flat, panels, strict=False):
        share = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)
        image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1.1, aspect="auto")
        for (row, column), count in np.ndenumerate(cells):
            colour = ink_on(image.cmap(image.norm(share[row, column])))
            name = (("TN", "FP"), ("FN", "TP"))[row][column]
            axes.text(column, row, f"{count:,}", ha="center", va="bottom", fontsize=11, fontweight="bold", color=colour)
            axes.text(
                column,
                row + 0.08,
                f"{name}, {100 * share[row, column]:.0f} %",
                ha="center",
                va="top",
                fontsize=8,
                color=colour,
            )
        axes.set_xticks([0, 1], ["other", emotion])
        axes.set_yticks([0, 1], ["other", emotion], rotation=90, va="center")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        heading = f"{emotion} · {source}, n = {cells.sum():,}" if paper else emotion
        axes.set_title(heading, fontsize=9, fontweight="normal", loc="center")
    for axes in grid.flat[len(panels) :]:
        axes.axis("off")
    figure.supxlabel("predicted", fontsize=8.5)
    figure.supylabel("true", fontsize=8.5)
    write_head(figure, title, caption)
    return figure


def draw_reliability(
    bins: pd.DataFrame,
    *,
    title: str = "Are the probabilities right? Accuracy by confidence",
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw accuracy against confidence (`evaluation.calibration`), the diagonal being perfect calibration."""
    ax = ax or new_axes(3.6)
    full = bins[bins["count"] > 0]
    width = float((bins["high"] - bins["low"]).iloc[0])
    middle = (full["low"] + full["high"]) / 2
    ax.bar(middle, full["accuracy"], 0.92 * width, color=HELD_OUT_COLOUR, alpha=0.85, label="accuracy")
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--", label="perfectly calibrated")
    ax.plot(full["confidence"], full["confidence"], "_", color=INK, ms=11, mew=1.6, label="mean confidence")
    for x, accuracy, confidence, count in zip(middle, full["accuracy"], full["confidence"], full["count"], strict=True):
        top = max(accuracy, confidence)
        ax.annotate(
            f"{count:,}", (x, top), xytext=(0, 4), textcoords="offset points", ha="center", fontsize=7.5, color=MUTED
        )
    error = float((full["count"] * (full["accuracy"] - full["confidence"]).abs()).sum() / full["count"].sum())
    ax.set(
        xlim=(0, 1),
        ylim=(0, 1.06),
        xlabel="confidence: probability of the predicted emotion (grey: segments)",
        ylabel="accuracy",
    )
    ax.grid(axis="y")
    ax.legend(loc="upper left", title=f"calibration error (ECE) {100 * error:.1f} %", alignment="left")
    write_head(ax, title, caption)
    return ax


def draw_subject_accuracy(
    subjects: pd.DataFrame,
    *,
    interval: tuple[float, float] | None = None,
    title: str = "Accuracy of each test subject",
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a dot a subject, sorted, larger for more segments (`evaluation.per_subject`), with the pooled accuracy.

    `interval` is the bootstrap interval of the pooled accuracy, drawn as a band.
    """
    ax = ax or new_axes(2.8)
    ordered = subjects.sort_values("accuracy", kind="stable")
    place = np.arange(len(ordered))
    pooled = float(np.average(ordered["accuracy"], weights=ordered["n"]))
    if interval is not None:
        ax.axhspan(*interval, color=HELD_OUT_COLOUR, alpha=0.13, linewidth=0, label="95 % interval over subjects")
    ax.axhline(pooled, color=HELD_OUT_COLOUR, linewidth=1.2, label=f"all segments: {100 * pooled:.1f} %")
    _draw_chance(ax)
    ax.vlines(place, pooled, ordered["accuracy"], color=RULE, linewidth=1.2, zorder=1)
    sizes = 14 + 46 * ordered["n"] / ordered["n"].max()
    ax.scatter(place, ordered["accuracy"], s=sizes, color=HELD_OUT_COLOUR, edgecolor="white", linewidth=0.7, zorder=3)
    if len(ordered) <= 45:
        ax.set_xticks(place, ordered.index.astype(str), rotation=90, fontsize=7.5)
    else:
        ax.set_xticks([])
        ax.set_xlabel(f"{len(ordered)} subjects, sorted")
    ax.set_xlim(-0.8, len(ordered) - 0.2)
    ax.set_ylim(-0.04, 1.04)
    ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    ax.set_ylabel("accuracy")
    ax.grid(axis="y")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.01, 1), ncols=3, borderpad=0.1)
    write_head(ax, title, caption, blank_lines=1)
    return ax


def draw_accuracies(
    scores: pd.DataFrame, *, title: str = "Accuracy", caption: str = "", ax: Axes | None = None
) -> Axes:
    """Draw a row for each score: a dot with its interval, and chance.

    `scores` is indexed by the rows' labels and has accuracy, low, high (0 to 1) and, if its rows differ in size, n.
    """
    ax = ax or new_axes(1.0 + 0.34 * len(scores))
    place = np.arange(len(scores))
    ax.hlines(place, scores["low"], scores["high"], color=HELD_OUT_COLOUR, linewidth=2.4)
    ax.plot(scores["accuracy"], place, "o", color=HELD_OUT_COLOUR, ms=6.5)
    for y, (accuracy, high) in enumerate(zip(scores["accuracy"], scores["high"], strict=True)):
        ax.annotate(
            f"{100 * accuracy:.1f} %", (high, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8
        )
    ax.axvline(CHANCE, color=MUTED, linewidth=0.9, linestyle=":")
    ax.annotate(
        f"chance {100 * CHANCE:.1f} %",
        (CHANCE, 0),
        xytext=(3, 3),
        xycoords=ax.get_xaxis_transform(),
        textcoords="offset points",
        fontsize=7.5,
        color=MUTED,
    )
    sizes = [f"\n(n = {n:,.0f})" for n in scores["n"]] if "n" in scores else [""] * len(scores)
    ax.set_yticks(place, [f"{label}{size}" for label, size in zip(scores.index, sizes, strict=True)])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(scores) - 0.4, -0.6)
    ax.set_xlim(0, 1.06)
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    ax.grid(axis="x")
    write_head(ax, title, caption)
    return ax


def _draw_chance(ax: Axes) -> None:
    ax.axhline(CHANCE, color=MUTED, linewidth=0.9, linestyle=":")
    ax.annotate(
        f"chance {100 * CHANCE:.1f} %",
        (0, CHANCE),
        xytext=(4, -2),
        xycoords=ax.get_yaxis_transform(),
        textcoords="offset points",
        va="top",
        fontsize=7.5,
        color=MUTED,
    )
