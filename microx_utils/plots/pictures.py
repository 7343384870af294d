"""Pictures of faces (Figures 1 and 2, and what goes with them): images in, Axes or Figure out, nothing written.

Images are RGB uint8. Conventions as in `plots`.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib.patheffects as effects
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from microx_utils.components import COMPONENTS, LANDMARK_GROUPS
from microx_utils.plots.canvas import figure_of, new_canvas, place_image
from microx_utils.plots.style import (
    COMPONENT_COLOURS,
    EMOTION_COLOURS,
    INK,
    MUTED,
    WIDTH,
    new_axes,
    write_head,
)

CUES: dict[str, dict[str, str]] = {
    "neutral": {"brows": "at rest", "eyes": "open, at ease", "nose": "at rest", "lips": "closed, relaxed"},
    "anger": {
        "brows": "lowered and\ndrawn together\n(AU 4)",
        "eyes": "lids tight,\na hard stare\n(AU 5, 7)",
        "nose": "hardly wrinkled\n(AU 9)",
        "lips": "pressed or\ntightened\n(AU 23, 24)",
    },
    "contempt": {
        "brows": "lowered a little\n(AU 4)",
        "eyes": "narrowed\n(AU 7)",
        "nose": "wrinkled\n(AU 9)",
        "lips": "upper lip raised,\none corner tight\n(AU 10, 14)",
    },
    "surprise": {
        "brows": "raised, curved\n(AU 1, 2)",
        "eyes": "wide open\n(AU 5)",
        "nose": "at rest",
        "lips": "parted, the\njaw dropped\n(AU 25, 26)",
    },
    "fear": {
        "brows": "raised and drawn\ntogether\n(AU 1, 2, 4)",
        "eyes": "wide, lower\nlids tense\n(AU 5, 7)",
        "nose": "at rest",
        "lips": "stretched\nsideways\n(AU 20, 25)",
    },
    "happy": {
        "brows": "at rest",
        "eyes": "cheeks push up\nthe lower lids\n(AU 6)",
        "nose": "folds run to\nthe mouth\n(AU 12)",
        "lips": "corners pulled\nup and out\n(AU 12)",
    },
    "sad": {
        "brows": "inner ends\nraised\n(AU 1, 4)",
        "eyes": "upper lids\ndroop\n(AU 43)",
        "nose": "at rest",
        "lips": "corners drawn\ndown (AU 15, 17)",
    },
}
"""What each part of a prototypical face does, with FACS action units (Ekman, Friesen and Hager, 2002)."""

_HALO = [effects.withStroke(linewidth=3, foreground="white")]
_ANCHORS = {
    "brows": (range(17, 22), "left"),
    "eyes": (range(42, 48), "right"),
    "nose": ((31,), "left"),
    "lips": ((54,), "right"),
}


def draw_annotated_face(image: np.ndarray, points: np.ndarray, *, emotion: str = "anger", caption: str = "") -> Axes:
    """Draw a face with arrows from words to the parts that give its labelled expression away (Figure 1).

    Parameters
    ----------
    image : uint8 (H, W, 3)
        A frame; what is shown is the square round the face.
    points : float (68, 2)
        Its landmarks, px.
    emotion
        The label; the words are those of `CUES`.
    """
    ax = new_axes(3.65)
    left, top, side = _face_square(points, image.shape)
    ax.imshow(image, interpolation="bicubic")
    ax.set(xlim=(left - 0.62 * side, left + 1.62 * side), ylim=(top + side, top))
    for edge in (left, left + side):  # only the square of the frame is shown
        outside = edge - side if edge == left else edge
        ax.add_patch(Rectangle((outside, top - side), side, 3 * side, color="white", zorder=2))
    for part, text in CUES[emotion].items():
        which, where = _ANCHORS[part]
        tip = points[list(which)].mean(axis=0)
        x = left - 0.06 * side if where == "left" else left + 1.06 * side
        ax.annotate(
            f"{part}:\n{text}",
            tip,
            xytext=(x, tip[1]),
            ha="right" if where == "left" else "left",
            va="center",
            fontsize=9,
            linespacing=1.25,
            arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.2, "shrinkB": 2, "path_effects": _HALO},
            zorder=4,
        )
    ax.axis("off")
    write_head(ax, f"What gives '{emotion}' away", caption)
    return ax


def draw_landmarks(
    frame: np.ndarray,
    points: np.ndarray,
    *,
    truth: np.ndarray | None = None,
    zoom: bool = False,
    title: str = "",
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw landmarks on a frame, coloured by component; true points as rings.

    Parameters
    ----------
    frame : uint8 (H, W, 3)
    points, truth : float (68, 2)
        Found and true landmarks, px.
    zoom
        Show the face only.
    """
    ax = ax or new_axes(4.0, width=4.0)
    ax.imshow(frame, interpolation="bicubic")
    ax.axis("off")
    for group, which in LANDMARK_GROUPS.items():
        colour = COMPONENT_COLOURS.get(group, "white")
        xy = points[list(which)]
        ax.scatter(
            xy[:, 0], xy[:, 1], s=13, color=colour, edgecolor="white" if colour != "white" else INK, linewidth=0.6
        )
    if truth is not None:
        ax.scatter(truth[:, 0], truth[:, 1], s=34, facecolor="none", edgecolor="white", linewidth=1.0)
        note = ax.text(0.02, 0.02, "dots: found, rings: true", transform=ax.transAxes, fontsize=8, color="white")
        note.set_path_effects([effects.withStroke(linewidth=2, foreground=INK)])
    left, top, side = _face_square(points, frame.shape) if zoom else (-0.5, -0.5, 0.0)
    ax.set(
        xlim=(left, left + (side or frame.shape[1])),
        ylim=(top + (side or frame.shape[0]), top),
    )
    if title:
        write_head(ax, title, caption)
    return ax


def draw_preprocessing(
    frames: np.ndarray,
    boxes: np.ndarray,
    crops: np.ndarray,
    *,
    components: Sequence[str] = COMPONENTS,
    labels: Sequence[str] | None = None,
    caption: str = "",
) -> Figure:
    """Draw a column of video frames, each fanning out into its component crops (Figure 2).

    Parameters
    ----------
    frames : uint8 (T, H, W, 3)
    boxes : float (T, K, 4, 2)
        Corners of the component boxes, px.
    crops : uint8 (T, K, h, w, 3)
    components
        The K names.
    labels
        A line for each frame, such as its time.
    """
    count, number = crops.shape[:2]
    if len(frames) != count or boxes.shape[:2] != (count, number) or len(components) != number:
        raise ValueError(
            f"{len(frames)} frames, boxes {boxes.shape[:2]}, crops {crops.shape[:2]} and {len(components)} components; "
            "wanted the same frames and components in each"
        )
    left, gap, bus = 0.08, 0.06, 0.24  # inches
    wide = min(2.0, 1.25 * frames.shape[2] / frames.shape[1])
    tall = wide * frames.shape[1] / frames.shape[2]
    side = min((WIDTH - left - wide - 0.35) / number - gap, tall - 0.1)
    step = max(tall, side + bus) + 0.22
    ax = new_canvas(count * step + 0.5 + max(0.0, side + bus + 0.34 - step), "From frame to components", caption)
    start = left + wide + 0.3
    for row in range(count):
        bottom = (count - 1 - row) * step + 0.22
        place_image(ax, frames[row], left, bottom, wide, tall)
        scale = np.array([wide / frames.shape[2], -tall / frames.shape[1]])
        corners = (boxes[row] + 0.5) * scale + [left, bottom + tall]
        _draw_boxes(ax, corners, components, clip=Rectangle((left, bottom), wide, tall, transform=ax.transData))
        if labels is not None:
            ax.text(left, bottom - 0.04, labels[row], va="top", fontsize=7, color=MUTED)
        line = bottom + side + bus - 0.04
        ends = [start + k * (side + gap) + side / 2 for k in range(number)]
        ax.plot([left + wide, ends[-1]], [line, line], color=MUTED, linewidth=1, solid_capstyle="round")
        for k, (name, x) in enumerate(zip(components, ends, strict=True)):
            arrow = {"arrowstyle": "-|>", "color": MUTED, "linewidth": 1, "shrinkA": 0, "shrinkB": 1}
            ax.annotate("", (x, bottom + side), xytext=(x, line), arrowprops=arrow)
            place_image(ax, crops[row, k], x - side / 2, bottom, side, side)
            edge = Rectangle((x - side / 2, bottom), side, side, fill=False, ec=COMPONENT_COLOURS[name], lw=2, zorder=3)
            ax.add_patch(edge)
            if row == 0:
                ax.text(x, line + 0.05, name.replace("_", "\n"), ha="center", va="bottom", fontsize=7.5)
    return figure_of(ax)


def draw_crops(
    crops: np.ndarray, *, components: Sequence[str] = COMPONENTS, available: np.ndarray | None = None, caption: str = ""
) -> Figure:
    """Draw crops as a grid, one row per component and one column per frame.

    Parameters
    ----------
    crops : uint8 (T, K, h, w, 3)
    components
        The K names.
    available : bool (T, K)
        Crops that are not available are crossed out.
    """
    count, number, height, width = crops.shape[:4]
    if len(components) != number:
        raise ValueError(f"{number} rows of crops, {len(components)} components {list(components)}; wanted the same")
    figure = draw_images(
        list(crops.swapaxes(0, 1).reshape(-1, height, width, 3)),
        columns=count,
        column_names=["frame 0", *map(str, range(1, count))],
        row_names=[name.replace("_", " ") for name in components],
        title=f"One segment: {count} frames of each component",
        caption=caption,
        interpolation="nearest",
    )
    for t, k in np.argwhere(~available) if available is not None else ():
        for ends in ((0, 1), (1, 0)):
            ax, halo = figure.axes[k * count + t], [effects.withStroke(linewidth=3, foreground=INK)]
            ax.plot((0, 1), ends, transform=ax.transAxes, color="white", linewidth=1.5, path_effects=halo)
    return figure


def draw_images(
    images: Sequence[np.ndarray],
    titles: Sequence[str] | None = None,
    *,
    columns: int = 6,
    column_names: Sequence[str] = (),
    row_names: Sequence[str] = (),
    emotions: Sequence[str] | None = None,
    title: str = "",
    caption: str = "",
    **look: Any,
) -> Figure:
    """Draw images in rows of `columns`; `emotions` underlines each in its emotion's colour.

    Parameters
    ----------
    images
        RGB (H, W, 3) uint8, or (H, W) values drawn in grey.
    titles
        A small title under each image.
    column_names, row_names
        Names above the first row and left of the first column.
    look
        Passed to `Axes.imshow`, such as cmap="magma", vmin=0, vmax=60.
    """
    if not len(images):
        raise ValueError("no images; wanted one or more")
    for name, said in (("titles", titles), ("emotions", emotions)):
        if said is not None and len(said) != len(images):
            raise ValueError(f"{len(said)} {name} for {len(images)} images; wanted as many")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    shape = np.max([image.shape[:2] for image in images], axis=0)
    beside = 0.06 * max((len(line) for name in row_names for line in name.split("\n")), default=0)  # inches
    cell = (WIDTH - beside) / columns * shape[0] / shape[1] + (0.2 if titles is not None else 0.04)
    height = rows * cell + (0.42 if title else 0) + (0.2 if len(column_names) else 0)
    figure, grid = plt.subplots(rows, columns, figsize=(WIDTH, height), squeeze=False)
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    for ax in grid.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for k, (ax, image) in enumerate(zip(grid.flat, images, strict=False)):
        ax.imshow(image, **{"interpolation": "bicubic", "cmap": "gray", **look})
        if titles is not None:
            ax.set_xlabel(titles[k], fontsize=7.5, labelpad=2.5)
        if emotions is not None:
            ax.axhline(image.shape[0] - 0.5, color=EMOTION_COLOURS[emotions[k]], linewidth=5)
    for ax, name in zip(grid[0], column_names, strict=False):
        ax.set_title(name, loc="center", fontsize=8, fontweight="normal")
    for ax, name in zip(grid[:, 0], row_names, strict=False):
        ax.set_ylabel(name, fontsize=8, rotation=0, ha="right", va="center")
    if title:
        write_head(figure, title, caption)
    return figure


def _face_square(points: np.ndarray, shape: tuple[int, ...]) -> tuple[float, float, float]:
    """Return left, top and side of a square round the face, moved into the frame where it fits."""
    low, high = points.min(axis=0), points.max(axis=0)
    side = min(1.5 * float((high - low).max()), *shape[:2])
    left, top = (low + high) / 2 - [side / 2, 0.56 * side]  # more room above: the points end at the brows
    return (
        float(np.clip(left, -0.5, shape[1] - side - 0.5)),
        float(np.clip(top, -0.5, shape[0] - side - 0.5)),
        side,
    )


def _draw_boxes(ax: Axes, boxes: np.ndarray, components: Sequence[str], *, clip: Rectangle | None = None) -> None:
    for corners, name in zip(boxes, components, strict=True):
        if np.isnan(corners).any():
            continue
        box = Polygon(corners, fill=False, edgecolor=COMPONENT_COLOURS[name], linewidth=1.1, zorder=3)
        box.set_path_effects([effects.withStroke(linewidth=2.0, foreground="white")])
        ax.add_patch(box)
        if clip is not None:
            box.set_clip_path(clip)
