"""An empty page measured in inches, and the few shapes that drawings are made of."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.patches import FancyBboxPatch, Rectangle

from microx_utils.plots.style import INK, MUTED, WIDTH, write_head

FILL = {  # pale, so that text on them stays readable
    "input": "#eef0f2",
    "recurrent": "#d6e6f5",
    "plain": "#f7f7f5",
    "dense": "#fdeed2",
    "softmax": "#dff0e2",
}


def new_canvas(height: float, title: str = "", caption: str = "") -> Axes:
    """Return empty Axes that fill a figure of page width; its data coordinates are inches from the lower left."""
    figure = plt.figure(figsize=(WIDTH, height), layout="none")
    # with no engine at all, saving with a tight box would bring back the style's constrained layout
    figure.set_layout_engine(PlaceHolderLayoutEngine(adjust_compatible=True, colorbar_gridspec=False))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, WIDTH), ylim=(0, height), aspect="equal")
    ax.axis("off")
    if title:
        write_head(figure, title, caption)
    return ax


def figure_of(ax: Axes) -> Figure:
    """Return the Figure that holds the Axes."""
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("these Axes were removed from their figure; wanted Axes of a figure")
    return figure


def place_image(
    ax: Axes, image: np.ndarray, x: float, y: float, width: float, height: float, zorder: float = 2
) -> None:
    """Draw an RGB image with its lower left corner at (x, y), without changing the limits of the Axes."""
    limits = ax.get_xlim(), ax.get_ylim()
    where = (x, x + width, y, y + height)
    ax.imshow(image, extent=where, aspect="equal", interpolation="bicubic", zorder=zorder)
    ax.set(xlim=limits[0], ylim=limits[1])


def draw_stack(
    ax: Axes,
    images: np.ndarray | None,
    x: float,
    y: float,
    width: float,
    *,
    colour: str = "white",
    offset: float = 0.05,
) -> None:
    """Draw images as a pile, the first on top."""
    shown = np.full((3, 8, 8, 3), 205, np.uint8) if images is None else images
    height = width * shown.shape[1] / shown.shape[2]
    for depth in reversed(range(len(shown))):
        place = (x + depth * offset, y + depth * offset)
        place_image(ax, shown[depth], *place, width, height, zorder=3 - 0.1 * depth)
        draw_edge(ax, *place, width, height, colour, width_pt=1.0, zorder=3.05 - 0.1 * depth)


def draw_box(
    ax: Axes, place: tuple[float, float, float, float], text: str, fill: str, *, edge: str = MUTED, **options: Any
) -> None:
    """Draw a rounded box (left, bottom, width, height) filled by `FILL[fill]`, with text in its middle."""
    x, y, width, height = place
    shape = "round,pad=0,rounding_size=0.06"
    ax.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=shape, fc=FILL[fill], ec=edge, lw=1.1, zorder=2))
    ax.text(x + width / 2, y + height / 2, text, ha="center", va="center", linespacing=1.15, **options)


def draw_edge(
    ax: Axes, x: float, y: float, width: float, height: float, colour: str, *, width_pt: float = 1.5, zorder: float = 3
) -> None:
    """Draw the outline of a rectangle, its line `width_pt` points wide."""
    ax.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor=colour, linewidth=width_pt, zorder=zorder))


def draw_arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    colour: str = INK,
    label: str = "",
    shrink: float = 0,
    behind: bool = False,
) -> None:
    """Draw an arrow, with a label beside it (above it where it runs sideways); `behind` boxes that it would cross."""
    look = {
        "arrowstyle": "-|>,head_width=0.18,head_length=0.35",
        "color": colour,
        "linewidth": 1.1,
        "shrinkA": shrink,
        "shrinkB": shrink,
    }
    ax.annotate("", end, xytext=start, arrowprops=look, zorder=0 if behind else None)
    if label:
        sideways = abs(end[0] - start[0]) > abs(end[1] - start[1])
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        ax.text(
            x + (0 if sideways else 0.06),
            y + (0.1 if sideways else 0),
            label,
            ha="center" if sideways else "left",
            va="center",
        )
