"""Charts of training and results (Figures 7-15): data in, Axes or Figure out, nothing written.

A function with `ax=None` draws into the Axes given, or makes a figure of page width, and returns the Axes; the others
arrange several panels and return the Figure. `title` says what is shown and `caption`, best made by `caption_data`, on
which data, split and n.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from microx_utils.labels import EMOTIONS
from microx_utils.plots.charts import draw_heatmap
from microx_utils.plots.style import (
    EMOTION_COLOURS,
    HELD_OUT_COLOUR,
    INK,
    MUTED,
    RULE,
    TRAIN_COLOUR,
    WIDTH,
    draw_chance,
    legend_above,
    new_axes,
    write_head,
    write_percent,
)

_OURS = {"color": HELD_OUT_COLOUR, "marker": "o", "ms": 5.5, "mew": 0, "ls": "none"}
_PAPERS = {"color": "white", "marker": "D", "ms": 5.5, "mec": MUTED, "mew": 1.2, "ls": "none"}
_PANEL_TITLE: dict[str, Any] = {"fontsize": 9, "fontweight": "normal", "loc": "center"}


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
    epochs, held_out = history["epoch"].to_numpy(), history[f"val_{measure}"].to_numpy()
    look: dict[str, Any] = {"marker": "o" if len(epochs) < 3 else "", "ms": 4}
    ax.plot(epochs, history[measure].to_numpy(), color=TRAIN_COLOUR, label="training", **look)
    ax.plot(epochs, held_out, color=HELD_OUT_COLOUR, label="validation", **look)
    if best is not None:
        kept = epochs == best
        look |= {"marker": "o", "ls": "none", "ms": 7, "mfc": "white", "mec": HELD_OUT_COLOUR, "mew": 1.8}
        ax.plot(epochs[kept], held_out[kept], **look, label=f"kept: epoch {best}")
    for border in borders:
        ax.axvline(border + 0.5, color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
    for run, start in enumerate((0, *borders) if borders else (), 1):
        at, where = (max(start + 0.5, ax.dataLim.x0), 1), ax.get_xaxis_transform()
        look = {"textcoords": "offset points", "va": "top", "fontsize": 7.5, "color": MUTED}
        ax.annotate(f"run {run}", at, (4, -2), where, **look)
    if stopped:
        ax.axvline(epochs[-1], color=INK, linewidth=0.9, linestyle="--", label=f"stopped: epoch {epochs[-1]}")
    if measure == "accuracy":
        draw_chance(ax)
        ax.set_ylim(0, 1)
        write_percent(ax.yaxis)
    else:
        ax.set_ylim(bottom=0)
    if borders:
        ax.set_ylim(top=1.1 * ax.get_ylim()[1])  # room for the runs' names
    ax.set_xlim(min(epochs[0], 1) - 0.2, epochs[-1] + max(0.4, 0.02 * len(epochs)))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="epoch", ylabel="loss (cross-entropy)" if measure == "loss" else measure)
    ax.grid(axis="y")
    legend_above(ax)
    write_head(ax, title or f"Model {measure} per epoch", caption, blank_lines=1)
    return ax


def draw_class_metrics(
    classes: pd.DataFrame,
    *,
    intervals: pd.DataFrame | None = None,
    paper: Mapping[str, Mapping[str, float]] | None = None,
    caption: str = "",
) -> Figure:
    """Draw ours as dots with intervals and the paper's read-offs as diamonds, one panel per metric (Figure 9).

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
    rows, offset, order = np.arange(len(EMOTIONS)), 0.16 if paper else 0.0, list(EMOTIONS)
    names = {"precision": "Precision", "recall": "Recall", "fscore": "F-score"}
    for panel, (metric, name) in zip(panels, names.items(), strict=True):
        label = "ours"
        if intervals is not None:
            label += "; bar: 95 % interval over subjects"
            low, high = (intervals.loc[order, f"{metric}_{end}"] for end in ("low", "high"))
            panel.hlines(rows - offset, low, high, color=HELD_OUT_COLOUR, linewidth=2.2, alpha=0.4)
        if paper and metric in paper:
            panel.plot([paper[metric][e] for e in order], rows + offset, **_PAPERS, label="paper, read off")
        panel.plot(classes.loc[order, metric], rows - offset, **_OURS, label=label)
        panel.set_title(name, **_PANEL_TITLE)
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
    write_head(figure, "Precision, recall and F-score of each emotion", caption)
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
    total = {"all": values.sum(), "true": values.sum(axis=1, keepdims=True), None: 100.0}[normalize]
    with np.errstate(invalid="ignore"):  # a class without segments has no recall: NaN, a grey row
        shown = 100 * values / total
    sizes = [f"{e} ({n:.0f})" for e, n in zip(EMOTIONS, values.sum(axis=1), strict=True)]
    by_row = normalize == "true"
    return draw_heatmap(
        pd.DataFrame(shown, index=sizes if by_row else EMOTIONS, columns=EMOTIONS),
        form="{:.0f}" if by_row else "{:.1f}" if ax else "{:.2f}",
        vmax=100 if by_row else None,
        xlabel="predicted emotion",
        ylabel="true emotion (its segments)" if by_row else "true emotion",
        title=title or f"Confusion matrix, {meanings[normalize]}",
        caption=caption,
        ax=ax or new_axes(4.3),
    )


def draw_confusions(
    matrices: Mapping[str, ArrayLike], *, normalize: str | None, title: str = "Confusion matrix", caption: str = ""
) -> Figure:
    """Draw confusion matrices side by side, each under its name; the rest as in `draw_confusion`."""
    figure, panels = plt.subplots(1, len(matrices), figsize=(WIDTH, 3.7), squeeze=False)
    for panel, (name, matrix) in zip(panels[0], matrices.items(), strict=True):
        draw_confusion(matrix, normalize=normalize, title=name, ax=panel)
        if panel is not panels[0, 0]:
            panel.set_ylabel("")
    write_head(figure, title, caption)
    return figure


def draw_one_vs_rest(
    tables: Mapping[str, np.ndarray],
    *,
    emotions: Sequence[str] = EMOTIONS,
    paper: Mapping[str, Sequence[Sequence[int]]] | None = None,
    data: str = "ours",
    title: str | None = None,
    caption: str = "",
) -> Figure:
    """Draw the 2x2 heat maps [[TN, FP], [FN, TP]] of the given emotions (Figures 11-14).

    With `paper`, one row per emotion, ours on the left and the paper's on the right. A cell is as dark as its share of
    its row: of the segments of other emotions above, of this emotion below.
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
    for ax, (emotion, source, cells) in zip(grid.flat, panels, strict=False):
        share = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)
        each = zip(cells.flat, ("TN", "FP", "FN", "TP"), share.flat, strict=True)
        text = np.reshape([rf"$\mathbf{{{n}}}$" + f"\n{name}, {100 * part:.0f} %" for n, name, part in each], (2, 2))
        sides = ["other", emotion]
        draw_heatmap(pd.DataFrame(share, sides, sides), text=text, vmax=1.1, ax=ax)
        ax.set_yticks(ax.get_yticks(), sides, rotation=90, va="center")
        ax.set_title(f"{emotion} · {source}, n = {cells.sum():,}" if paper else emotion, **_PANEL_TITLE)
    for ax in grid.flat[len(panels) :]:
        ax.axis("off")
    figure.supxlabel("predicted", fontsize=8.5)
    figure.supylabel("true", fontsize=8.5)
    named = "" if len(emotions) == len(EMOTIONS) else f": {' and '.join(emotions)}"
    write_head(figure, title or f"One emotion against the rest{named}", caption)
    return figure


def draw_second_choice_panels(first: Sequence[str], second: Sequence[str], *, caption: str = "") -> Figure:
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
        ax.set_title(f"{emotion}, n = {len(chosen)}", **_PANEL_TITLE)
        ax.grid(axis="y")
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
    corner = grid.flat[0]
    corner.set_yticks(range(len(EMOTIONS)), EMOTIONS)
    corner.set(ylim=(len(EMOTIONS) - 0.5, -0.5), xlim=(1 - 0.04 * len(frame), 1.04 * len(frame)))
    corner.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    grid.flat[3].tick_params(axis="x", labelbottom=True)  # nothing is drawn below it
    grid.flat[-1].axis("off")
    figure.supxlabel("segment number", fontsize=8.5)
    figure.supylabel("second choice", fontsize=8.5)
    write_head(figure, "Second choice of each segment, by predicted emotion", caption)
    return figure


def draw_second_choice_matrix(counts: pd.DataFrame, expected: pd.DataFrame, *, caption: str = "") -> Figure:
    """Draw the shares of second choices, and how far they lie from the shares expected; impossible cells are grey.

    Parameters
    ----------
    counts
        (7, 7) rows the predicted emotion, columns the second choice, both in the order of EMOTIONS; diagonal 0.
    expected
        Shares, 0 to 1, of the same form: what each cell would be without any likeness.
    """
    totals = counts.sum(axis=1)
    possible = ~np.eye(len(EMOTIONS), dtype=bool)
    shares = (100 * counts.div(totals.where(totals > 0), axis=0)).where(possible)
    excess = shares - 100 * expected.to_numpy()
    reach = np.nanmax(np.abs(excess.to_numpy()))
    shares.index = [f"{name} ({n:,.0f})" for name, n in totals.items()]
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.7), sharey=True)
    draw_heatmap(excess, form="{:+.0f}", vmin=-reach, vmax=reach, cmap="RdBu_r", xlabel="second choice", ax=right)
    draw_heatmap(shares, xlabel="second choice", ylabel="predicted emotion (its segments)", ax=left)
    left.set_title("share, %", **_PANEL_TITLE)
    right.set_title("points above or below expected", **_PANEL_TITLE)
    write_head(figure, "Second choices, % of each predicted emotion", caption)
    return figure


def draw_reliability(bins: pd.DataFrame, *, caption: str = "") -> Axes:
    """Draw accuracy against confidence (`evaluation.calibration`), the diagonal being perfect calibration."""
    ax = new_axes(3.6)
    full = bins[bins["count"] > 0]
    middle, confidence = (full["low"] + full["high"]) / 2, full["confidence"]
    bars = ax.bar(middle, full["accuracy"], 0.92 * (full["high"] - full["low"]), color=HELD_OUT_COLOUR, alpha=0.85)
    bars.set_label("accuracy")
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--", label="perfectly calibrated")
    ax.plot(confidence, confidence, "_", color=INK, ms=11, mew=1.6, label="mean confidence")
    look: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "fontsize": 7.5, "color": MUTED}
    for x, top, count in zip(middle, full[["accuracy", "confidence"]].max(axis=1), full["count"], strict=True):
        ax.annotate(f"{count:,}", (x, top), (0, 4), **look)
    error = np.average((full["accuracy"] - confidence).abs(), weights=full["count"])
    ax.set(xlim=(0, 1), ylim=(0, 1.06), ylabel="accuracy")
    ax.set_xlabel("confidence: probability of the predicted emotion (grey: segments)")
    ax.grid(axis="y")
    ax.legend(loc="upper left", title=f"calibration error (ECE) {100 * error:.1f} %", alignment="left")
    write_head(ax, "Are the probabilities right? Accuracy by confidence", caption)
    return ax


def draw_subject_accuracy(
    subjects: pd.DataFrame, *, interval: tuple[float, float] | None = None, caption: str = ""
) -> Axes:
    """Draw one dot per subject, sorted, larger for more segments (`evaluation.per_subject`), and the pooled accuracy.

    `interval` is the bootstrap interval of the pooled accuracy, drawn as a band.
    """
    ax = new_axes(2.8)
    ordered = subjects.sort_values("accuracy", kind="stable")
    place, values = np.arange(len(ordered)), ordered["accuracy"]
    pooled = float(np.average(values, weights=ordered["n"]))
    if interval is not None and not np.isnan(interval[0]):  # one person has none
        ax.axhspan(*interval, color=HELD_OUT_COLOUR, alpha=0.13, linewidth=0, label="95 % interval over subjects")
    ax.axhline(pooled, color=HELD_OUT_COLOUR, linewidth=1.2, label=f"all segments: {100 * pooled:.1f} %")
    draw_chance(ax, named=False)
    ax.vlines(place, pooled, values, color=RULE, linewidth=1.2, zorder=1)
    sizes = 14 + 46 * ordered["n"] / ordered["n"].max()
    ax.scatter(place, values, s=sizes, color=HELD_OUT_COLOUR, edgecolor="white", linewidth=0.7, zorder=3)
    if len(ordered) <= 45:
        ax.set_xticks(place, ordered.index.astype(str), rotation=90, fontsize=7.5)
    else:
        ax.set(xticks=[], xlabel=f"{len(ordered)} subjects, sorted")
    ax.set(xlim=(-0.8, len(ordered) - 0.2), ylim=(-0.04, 1.04), ylabel="accuracy")
    write_percent(ax.yaxis)
    ax.grid(axis="y")
    legend_above(ax)
    write_head(ax, "Accuracy of each test subject", caption, blank_lines=1)
    return ax


_COST_LOOKS = {  # those that are drawn last lie on top
    "variant": ("o", MUTED, "other variants"),
    "landmarks": ("D", "#997700", "68 landmarks"),
    "lpq_svm": ("v", "#997700", "LPQ, SVM"),
    "two_streams": ("P", "#997700", "two streams"),
    "published design": ("^", "#882255", "published design"),
    "profile": ("s", INK, "the class profile's"),
    "chosen": ("*", HELD_OUT_COLOUR, "chosen"),
}
"""Marker, colour and legend of the rows of `draw_accuracy_cost`."""


def draw_accuracy_cost(table: pd.DataFrame, *, caption: str = "") -> Figure:
    """Draw accuracies with intervals against milliseconds a clip (`reference.read_accuracy_cost`).

    On the left are those held out of the first fold, whom every variant answered; on the right the test people. A
    variant that was not trained is a line at its cost.
    """
    fig, panels = plt.subplots(1, 2, figsize=(WIDTH, 4.2), sharex=True, sharey=True)
    titles = {"first fold": "people held out of the first fold", "test": "test people"}
    handles = {}
    for ax, (people, title) in zip(panels, titles.items(), strict=True):
        rows = table[table["people"] == people]
        role = rows["name"].where(rows["name"].isin(_COST_LOOKS), "variant").mask(rows["chosen"], "chosen")
        for name, (marker, colour, label) in _COST_LOOKS.items():
            mine, size = rows[role == name], {"*": 11, "P": 9}.get(marker, 7)
            ax.vlines(mine["ms_per_clip"], mine["low"], mine["high"], color=colour, linewidth=1.6, alpha=0.6)
            look: dict[str, Any] = {"color": colour, "ms": size, "mec": "white", "ls": "none"}
            (drawn,) = ax.plot(mine["ms_per_clip"], mine["accuracy"], marker, **look)
            if len(mine):
                handles[f"{label}: {mine['name'].iloc[0]}" if name == "chosen" else label] = drawn
        for name, x in table.loc[table["people"] == "none", ["name", "ms_per_clip"]].itertuples(index=False):
            ax.axvline(x, color=_COST_LOOKS[name][1], linewidth=1, linestyle="--")
            look = {"rotation": 90, "ha": "right", "va": "top", "fontsize": 7.5, "color": MUTED}
            place = ax.get_xaxis_transform()
            ax.annotate(f"{name}: not trained", (x, 1), (-2, -2), place, textcoords="offset points", **look)
        draw_chance(ax)
        ax.set_title(f"{title}, n = {rows['n'].max():,.0f}", **_PANEL_TITLE)
        ax.set(xscale="log", xlabel="ms for a clip (logarithmic)")
        ax.xaxis.set_major_formatter("{x:g}")
        ax.grid(axis="y")
    panels[0].set_ylabel("accuracy over segments")
    write_percent(panels[0].yaxis)
    fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, handletextpad=0.2)
    write_head(fig, "Accuracy against cost", caption)
    return fig
