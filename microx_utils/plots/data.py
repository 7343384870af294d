"""Charts of the data (Figure 3 and what a look at a data set needs). Conventions as in `results`."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from microx_utils.labels import EMOTIONS
from microx_utils.plots.charts import draw_histograms
from microx_utils.plots.style import (
    EMOTION_COLOURS,
    HELD_OUT_COLOUR,
    MUTED,
    SPLIT_COLOURS,
    WIDTH,
    legend_above,
    new_axes,
    write_head,
)

FLAGGED_COLOUR = "#b2182b"


def draw_segment_counts(
    counts: Mapping[str, int],
    *,
    paper: Mapping[str, int] | None = None,
    data: str = "rendered sample",
    caption: str = "",
) -> Axes:
    """Draw one bar per emotion, beside the paper's read-off bars, which count other data (Figure 3).

    `counts` and `paper` give the number of segments of each emotion; missing emotions count 0.
    """
    ax = new_axes(3.1)
    place, width = np.arange(len(EMOTIONS)), 0.4 if paper else 0.7
    ours = [int(counts.get(emotion, 0)) for emotion in EMOTIONS]
    bars = ax.bar(place - (width / 2 if paper else 0), ours, width, color=list(EMOTION_COLOURS.values()))
    ax.bar_label(bars, fmt="{:,.0f}", padding=2, fontsize=8)
    if paper:
        theirs = [int(paper.get(emotion, 0)) for emotion in EMOTIONS]
        hatched = ax.bar(place + width / 2, theirs, width, color="white", edgecolor=MUTED, hatch="////", linewidth=0.8)
        ax.bar_label(hatched, fmt="{:,.0f}", padding=2, fontsize=8, color=MUTED)
        said = f"paper: BAUM-1 + BAUM-2, read off its Figure 3 (about {sum(theirs):,})"
        handles = [Rectangle((0, 0), 1, 1, color=MUTED), hatched]
        legend_above(ax, handles, [f"{data} ({sum(ours):,})", said], columnspacing=2, handlelength=2)
    ax.set_xticks(place, EMOTIONS)
    ax.tick_params(axis="x", length=0)
    ax.set_ylabel("segments")
    ax.grid(axis="y")
    ax.margins(x=0.02, y=0.1)
    write_head(ax, "Segments of ten frames per class", caption, blank_lines=int(bool(paper)))
    return ax


def draw_clip_lengths(frames: Sequence[int] | np.ndarray | pd.Series, *, length: int = 10, **look: Any) -> Axes:
    """Draw a histogram of the clips' frames at 30 fps, each bin as wide as a segment is long.

    `look` is that of `charts.draw_histograms`.
    """
    lengths = np.asarray(frames)
    edges = np.arange(0, (lengths.max() // length + 2) * length, length)
    used, total = (lengths // length * length).sum(), lengths.sum()
    spread = f"{len(lengths):,} clips of {lengths.min()} to {lengths.max()} frames"
    share = f"{used:,} of {total:,} frames ({100 * used / total:.0f} %) fill whole segments"
    label = f"frames at 30 fps, one bar for each number of segments of {length}\n{spread}; {share}"
    settings: dict[str, Any] = {"title": "Length of the clips", "xlabel": label, "ylabel": "clips"}
    ticks = edges[:: max(1, len(edges) // 14)]
    return draw_histograms({"clips": lengths}, bins=edges, **settings | {"xticks": ticks} | look)


def draw_clip_quality(quality: pd.DataFrame, *, limits: Mapping[str, tuple[float, float]], caption: str = "") -> Figure:
    """Draw histograms of a report of `trackers.quality.clip_quality`; red where a clip is outside the limits.

    `limits` are the lowest and highest good value by column, as in `trackers.quality.LIMITS`.
    """
    panels = (
        ("found", "face found, % of a clip's frames", (0, 100)),
        ("confidence", "confidence, median of a clip", (0, 1)),
        ("jitter", "jitter, % of eye distance per frame", None),
        ("stored_fps", "stored frames per second", None),
        ("seconds", "seconds", None),
        ("eye_distance", "outer eye corners apart, px", None),
    )
    figure, grid = plt.subplots(2, 3, figsize=(WIDTH, 3.9), layout="constrained")
    for ax, (column, label, whole) in zip(grid.flat, panels, strict=True):
        values = quality[column].dropna().astype(float)
        flagged = ~values.between(*limits.get(column, (-np.inf, np.inf)))
        ax.set_xlabel(label, fontsize=8)
        if values.empty:
            ax.text(0.5, 0.5, "nothing to measure", transform=ax.transAxes, ha="center", color=MUTED)
            continue
        colours = {False: HELD_OUT_COLOUR, True: FLAGGED_COLOUR}
        look: dict[str, Any] = {
            "multiple": "stack",
            "palette": colours,
            "alpha": 1,
            "edgecolor": "white",
            "legend": False,
        }
        scale = 100 if column == "found" else 1
        sns.histplot(x=scale * values, hue=flagged, bins=20, binrange=whole, ax=ax, **look)
        ax.set(xlabel=label, ylabel="")
        ax.grid(axis="y")
        if column in limits:
            ax.set_title(f"{flagged.sum()} of {len(values)} flagged", fontsize=7.5, fontweight="normal", loc="right")
    for ax in grid[:, 0]:
        ax.set_ylabel("clips")
    write_head(figure, "What was recorded, and how well it is followed", caption)
    return figure


def draw_split_leakage(
    segments: pd.DataFrame, splits: Mapping[str, pd.Series], *, subjects: int = 5, clips: int = 5, caption: str = ""
) -> Figure:
    """Draw each split rule as a panel: one row per clip, grouped by subject, one box per segment, coloured by its part.

    Parameters
    ----------
    segments
        Columns subject, clip_id, first (start of the segment), as `segments.make_segments` returns them.
    splits
        Rule -> "train"/"validation"/"test" of every segment (same index), from `segments.split_segments`.
    subjects, clips
        How many subjects, and clips of each, are drawn. The counts under a panel are of all of them.
    """
    figure, panels = plt.subplots(1, len(splits), figsize=(WIDTH, 4.0), squeeze=False)
    parts, colours = list(SPLIT_COLOURS), ListedColormap(list(SPLIT_COLOURS.values()))
    shown = segments[segments["subject"].isin(segments["subject"].unique()[:subjects])]
    shown = shown.sort_values(["subject", "clip_id", "first"])
    for panel, (rule, split) in zip(panels[0], splits.items(), strict=True):
        rows: list[list[int]] = []
        ticks: dict[float, str] = {}
        for subject, theirs in shown.groupby("subject", sort=False, observed=True):
            mine = [part.index for _, part in theirs.groupby("clip_id", sort=False, observed=True)][:clips]
            ticks[len(rows) + len(mine) / 2] = str(subject)
            rows += [[parts.index(split[segment]) for segment in clip] for clip in mine] + [[]]
        boxes = pd.DataFrame(itertools.zip_longest(*rows[:-1])).T.astype(
            float
        )  # the last row is the gap after the last subject
        sns.heatmap(boxes, cmap=colours, vmin=0, vmax=2, cbar=False, linewidths=1.2, xticklabels=False, ax=panel)
        panel.set_yticks(list(ticks), list(ticks.values()) if panel is panels[0, 0] else [""] * len(ticks), rotation=0)
        panel.tick_params(length=0)
        panel.set_title(f"split by {rule}", loc="left", fontsize=9)
        known = [
            f"{len(tested & trained)} of {len(tested)} test {name}"
            for column, name in (("subject", "subjects"), ("clip_id", "clips"))
            for tested, trained in [[set(segments.loc[split == part, column]) for part in ("test", "train")]]
        ]
        panel.set_xlabel("\n".join(["seen in training:", *known]), loc="left", linespacing=1.3)
    handles = [Rectangle((0, 0), 1, 1, color=colour) for colour in SPLIT_COLOURS.values()]
    figure.legend(handles, parts, loc="outside lower left", ncols=3)
    panels[0, 0].set_ylabel("one row per clip, one box per segment")
    write_head(figure, "Who is known before the test? The same segments under three split rules", caption)
    return figure
