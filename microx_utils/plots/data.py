"""Charts of the data (Figure 3 and what a look at a data set needs): data in, Axes or Figure out, nothing written.

Conventions as in `plots`.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from microx_utils.labels import EMOTIONS
from microx_utils.plots.style import (
    COMPONENT_COLOURS,
    EMOTION_COLOURS,
    HELD_OUT_COLOUR,
    MUTED,
    SPLIT_COLOURS,
    TRAIN_COLOUR,
    WIDTH,
    new_axes,
    write_head,
)

FLAGGED_COLOUR = "#b2182b"


def draw_segment_counts(
    counts: Mapping[str, int],
    *,
    paper: Mapping[str, int] | None = None,
    data: str = "rendered sample",
    title: str = "Segments of ten frames per class",
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a bar an emotion, beside the paper's read-off bars, which count other data (Figure 3).

    `counts` and `paper` give the number of segments of each emotion; missing emotions count 0.
    """
    ax = ax or new_axes(3.1)
    place, width = np.arange(len(EMOTIONS)), 0.4 if paper else 0.7
    ours = [int(counts.get(emotion, 0)) for emotion in EMOTIONS]
    colours = [EMOTION_COLOURS[emotion] for emotion in EMOTIONS]
    bars = ax.bar(place - (width / 2 if paper else 0), ours, width, color=colours)
    ax.bar_label(bars, fmt="{:,.0f}", padding=2, fontsize=8)
    if paper:
        theirs = [int(paper.get(emotion, 0)) for emotion in EMOTIONS]
        hatched = ax.bar(place + width / 2, theirs, width, color="white", edgecolor=MUTED, hatch="////", linewidth=0.8)
        ax.bar_label(hatched, fmt="{:,.0f}", padding=2, fontsize=8, color=MUTED)
        ax.legend(
            [Rectangle((0, 0), 1, 1, color=MUTED), hatched],
            [f"{data} ({sum(ours):,})", f"paper: BAUM-1 + BAUM-2, read off its Figure 3 (about {sum(theirs):,})"],
            loc="lower left",
            bbox_to_anchor=(-0.01, 1),
            ncols=2,
            borderpad=0.1,
        )
    ax.set_xticks(place, EMOTIONS)
    ax.tick_params(axis="x", length=0)
    ax.set_ylabel("segments")
    ax.grid(axis="y")
    ax.margins(x=0.02, y=0.1)
    write_head(ax, title, caption, blank_lines=int(bool(paper)))
    return ax


def draw_clip_lengths(
    frames: Sequence[int] | np.ndarray | pd.Series,
    *,
    length: int = 10,
    title: str = "Length of the clips",
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a histogram of frames a clip, in bins of one segment, so that a bar's place tells its segments.

    `frames` counts each clip's frames at 30 fps.
    """
    ax = ax or new_axes(2.7)
    lengths = np.asarray(frames)
    edges = np.arange(0, (lengths.max() // length + 2) * length, length)
    ax.hist(lengths, bins=edges.tolist(), color=HELD_OUT_COLOUR, edgecolor="white", linewidth=0.8)
    used = int((lengths // length * length).sum())
    ax.set_xticks(edges[:: max(1, len(edges) // 14)])
    share = f"{used:,} of {lengths.sum():,} frames ({100 * used / lengths.sum():.0f} %) fill whole segments"
    spread = f"{len(lengths):,} clips of {lengths.min()} to {lengths.max()} frames"
    ax.set_xlabel(f"frames at 30 fps, a bar for each number of segments of {length}\n{spread}; {share}")
    ax.set_ylabel("clips")
    ax.grid(axis="y")
    write_head(ax, title, caption)
    return ax


def draw_landmark_errors(
    errors: Mapping[str, np.ndarray],
    *,
    unit: str = "% of the distance between the eyes",
    title: str = "Landmark error by region",
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a bar a region: the median of its errors (1-D array, one a frame), a whisker up to the 90th percentile."""
    ax = ax or new_axes(0.9 + 0.3 * len(errors))
    names = list(errors)
    middle = np.array([np.median(errors[name]) for name in names])
    high = np.array([np.quantile(errors[name], 0.9) for name in names])
    colours = [COMPONENT_COLOURS.get(name, TRAIN_COLOUR) for name in names]
    ax.barh(range(len(names)), middle, 0.66, color=colours)
    ax.hlines(range(len(names)), middle, high, color=MUTED, linewidth=1.2)
    ax.plot(high, range(len(names)), "|", color=MUTED, ms=7, mew=1.2)
    for row, (m, h) in enumerate(zip(middle, high, strict=True)):
        ax.annotate(f"{m:.1f}", (h, row), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8)
    ax.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    ax.tick_params(axis="y", length=0)
    ax.invert_yaxis()
    ax.set_xlabel(f"error in {unit}: median (bar, number), 90th percentile (whisker)")
    ax.grid(axis="x")
    ax.margins(x=0.08)
    write_head(ax, title, caption)
    return ax


def draw_clip_quality(
    quality: pd.DataFrame,
    *,
    limits: Mapping[str, tuple[float, float]],
    title: str = "What was recorded, and how well it is followed",
    caption: str = "",
) -> Figure:
    """Draw histograms of a report of `trackers.quality.clip_quality`; red where a clip is outside the limits.

    `limits` are the lowest and highest good value by column, as in `trackers.quality.LIMITS`.
    """
    panels = (
        ("found", "face found, % of a clip's frames", (0, 100)),
        ("confidence", "confidence, median of a clip", (0, 1)),
        ("jitter", "jitter, % of eye distance a frame", None),
        ("stored_fps", "stored frames a second", None),
        ("seconds", "seconds", None),
        ("eye_distance", "outer eye corners apart, px", None),
    )
    figure, grid = plt.subplots(2, 3, figsize=(WIDTH, 3.9), layout="constrained")
    for ax, (column, label, whole) in zip(grid.flat, panels, strict=True):
        scale = 100 if column == "found" else 1
        values = scale * quality[column].dropna().to_numpy(float)
        ax.set_xlabel(label, fontsize=8)
        if not len(values):
            ax.text(0.5, 0.5, "nothing to measure", transform=ax.transAxes, ha="center", color=MUTED)
            continue
        ax.grid(axis="y")
        low, high = limits.get(column, (-np.inf, np.inf))
        good = (values >= scale * low) & (values <= scale * high)
        parts, colours = [values[good], values[~good]], [HELD_OUT_COLOUR, FLAGGED_COLOUR]
        ax.hist(parts, bins=20, range=whole, stacked=True, color=colours, edgecolor="white", linewidth=0.6)
        if column in limits:
            flagged = f"{(~good).sum()} of {len(values)} flagged"
            ax.set_title(flagged, fontsize=7.5, fontweight="normal", loc="right")
    for ax in grid[:, 0]:
        ax.set_ylabel("clips")
    write_head(figure, title, caption)
    return figure


def draw_split_leakage(
    segments: pd.DataFrame,
    splits: Mapping[str, pd.Series],
    *,
    subjects: int = 5,
    clips: int = 5,
    title: str = "Who is known before the test? The same segments under three split rules",
    caption: str = "",
) -> Figure:
    """Draw each split rule as a panel: a row a clip, grouped by subject, a box a segment, coloured by its part.

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
    parts = list(SPLIT_COLOURS)
    chosen = segments[segments["subject"].isin(segments["subject"].unique()[:subjects])].sort_values(
        ["subject", "clip_id", "first"]
    )
    for panel, (rule, split) in zip(panels[0], splits.items(), strict=True):
        rows: list[list[float]] = []
        ticks: dict[float, str] = {}
        for subject, theirs in chosen.groupby("subject", sort=False, observed=True):
            mine = [part.index for _, part in theirs.groupby("clip_id", sort=False, observed=True)][:clips]
            ticks[len(rows) + (len(mine) - 1) / 2] = str(subject)
            rows += [[float(parts.index(split[segment])) for segment in clip] for clip in mine] + [[]]
        width = max(map(len, rows))
        grid = np.full((len(rows) - 1, width), np.nan)  # the last row is the gap after the last subject
        for row, values in enumerate(rows[:-1]):
            grid[row, : len(values)] = values
        panel.pcolormesh(
            grid, cmap=ListedColormap(list(SPLIT_COLOURS.values())), vmin=0, vmax=2, edgecolor="white", linewidth=1.2
        )
        panel.invert_yaxis()
        panel.set_xticks([])
        panel.set_yticks(
            [place + 0.5 for place in ticks], list(ticks.values()) if panel is panels[0, 0] else [""] * len(ticks)
        )
        panel.tick_params(length=0)
        panel.spines[:].set_visible(False)
        panel.set_title(f"split by {rule}", loc="left", fontsize=9)
        known = [
            f"{len(tested & trained)} of {len(tested)} test {name}"
            for column, name in (("subject", "subjects"), ("clip_id", "clips"))
            for tested, trained in [[set(segments.loc[split == part, column]) for part in ("test", "train")]]
        ]
        panel.set_xlabel("\n".join(["seen in training:", *known]), loc="left", linespacing=1.3)
    handles = [Rectangle((0, 0), 1, 1, color=colour) for colour in SPLIT_COLOURS.values()]
    figure.legend(handles, parts, loc="outside lower left", ncols=3)
    panels[0, 0].set_ylabel("a row a clip, a box a segment")
    write_head(figure, title, caption)
    return figure
