"""The one look of all figures: matplotlib's settings, the palettes, titles and the standard line under them."""

import textwrap
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from microx_utils.labels import CHANCE

WIDTH = 7.0
"""Inches: the width of a page."""

INK, MUTED, RULE = "#222222", "#5f6368", "#d9dbde"
"""Text, secondary text, hairlines."""

TRAIN_COLOUR, HELD_OUT_COLOUR = "#7f8790", "#0077bb"
"""Curves of training data, and of data held out."""

EMOTION_COLOURS = {
    "neutral": "#6e6e6e",
    "anger": "#b2182b",
    "contempt": "#999933",
    "surprise": "#33bbee",
    "fear": "#332288",
    "happy": "#e8b000",
    "sad": "#0077bb",
}
"""Mostly Paul Tol's; any two differ for normal, deutan, protan and tritan sight (a test measures it)."""

COMPONENT_COLOURS = {
    "full_face": "#1a1a1a",
    "left_eyebrow": "#ccbb44",
    "right_eyebrow": "#882255",
    "left_eye": "#66ccee",
    "right_eye": "#1f3a93",
    "nose": "#228833",
    "mouth": "#cc79a7",
}

SPLIT_COLOURS = {"train": "#b7c9dc", "validation": "#e8b000", "test": "#b2182b"}

_CAPTION_SIZE = 7.5  # points


def style() -> None:
    """Set matplotlib's settings, `course.mplstyle`, for every figure that follows."""
    plt.style.use("microx_utils.plots.course")


def caption_data(
    *,
    data: str,
    n: int,
    split: str | None = None,
    clips: int | None = None,
    subjects: int | None = None,
    unit: str = "segments",
    chance: float | None = CHANCE,
) -> str:
    """Return the standard line under a title.

    >>> caption_data(data="rendered sample", split="subject", n=392, clips=98, subjects=14)
    'rendered sample, subject split, n = 392 segments of 98 clips, 14 subjects; chance 14.3 %'
    """
    parts = [data]
    if split:
        parts.append(f"{split} split")
    parts.append(f"n = {n:,} {unit}" + (f" of {clips:,} clips" if clips else ""))
    if subjects:
        parts.append(f"{subjects} subjects")
    return ", ".join(parts) + (f"; chance {100 * chance:.1f} %" if chance is not None else "")


def new_axes(height: float, *, width: float = WIDTH) -> Axes:
    """Return the Axes of a new figure of the given size in inches."""
    return plt.subplots(figsize=(width, height))[1]


def write_percent(axis: Axis) -> None:
    """Write the ticks of an axis of shares, 0 to 1, in per cent."""
    axis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")


def write_beside(ax: Axes, text: str, at: tuple[float, float], *, color: str = INK, **options: Any) -> None:
    """Write a number or a name to the right of a point, by default in data coordinates."""
    look: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": 8, "color": color}
    ax.annotate(text, at, (5, 0), **look | options)


def draw_chance(
    ax: Axes, name: str = "chance", value: float = CHANCE, *, across: bool = True, named: bool = True
) -> None:
    """Draw a dotted line at a share, across the Axes or upright, with its name on it or else in the legend."""
    text = f"{name} {100 * value:.1f} %"
    look: dict[str, Any] = {"color": MUTED, "linewidth": 0.9, "linestyle": ":", "label": "" if named else text}
    (ax.axhline if across else ax.axvline)(value, **look)
    if named:
        at, offset = ((0, value), (4, -2)) if across else ((value, 0), (3, 3))
        place = ax.get_yaxis_transform() if across else ax.get_xaxis_transform()
        top: Any = {"va": "top"} if across else {}
        ax.annotate(text, at, offset, place, textcoords="offset points", fontsize=7.5, color=MUTED, **top)


def legend_above(ax: Axes, *handles: Any, **options: Any) -> None:
    """Put a legend into the lines that `write_head` keeps free between head and chart."""
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.01, 1), "ncols": 5, "borderpad": 0.1}
    ax.legend(*handles, **place | {"columnspacing": 1.2, "handlelength": 1.6} | options)


def ink_on(colour: Any) -> str:
    """Return the text colour, white or ink, that reads better on a background (RGB or RGBA, 0-1)."""
    levels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    luminance = 0.2126 * levels[0] + 0.7152 * levels[1] + 0.0722 * levels[2]
    return "white" if luminance < 0.21 else INK  # at 0.21 both have the same contrast (WCAG)


def write_head(where: Axes | Figure, title: str, caption: str = "", *, blank_lines: int = 0) -> Text:
    """Write a bold title and, below it, a small grey caption, wrapped; `blank_lines` stay free for a legend."""
    room = where.get_window_extent().width / plt.rcParams["figure.dpi"] * 72  # points; before the layout is settled
    room *= 1.05 if isinstance(where, Axes) else 0.98  # the layout widens Axes
    lines = textwrap.wrap(caption, int(room / (0.53 * _CAPTION_SIZE)))  # DejaVu Sans' mean width is half its size
    reserved = title + "\n" * (len(lines) + blank_lines)
    if isinstance(where, Axes):
        head = where.set_title(reserved, loc="left", linespacing=1.35)
    else:
        head = where.suptitle(reserved, x=0.008, ha="left", linespacing=1.35)
    if lines:
        below = Annotation(
            "\n".join(lines),
            xy=(0, 1),
            xycoords=head,
            xytext=(0, -1.45 * float(head.get_fontsize())),
            textcoords="offset points",
            va="top",
            fontsize=_CAPTION_SIZE,
            linespacing=1.3,
            color=MUTED,
            annotation_clip=False,
        )
        below.set_in_layout(False)  # the blank line of the title keeps its place
        where.add_artist(below)
        below.set_clip_on(False)  # an Axes clips what it is given to its own rectangle
    return head
