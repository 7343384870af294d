"""Drawings of the networks (Figures 4, 5, 6), of a ConvLSTM cell and of the whole pipeline, with matplotlib alone.

Every function returns a Figure of page width and writes nothing. Coordinates are inches from the lower left.
Numbers in the drawings come from the model itself: pass `block_rows(model, component)`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

from microx_utils.components import COMPONENTS, PAPER_COMPONENTS
from microx_utils.labels import EMOTIONS
from microx_utils.plots.canvas import (
    draw_arrow,
    draw_box,
    draw_edge,
    draw_stack,
    figure_of,
    new_canvas,
    place_image,
)
from microx_utils.plots.style import (
    COMPONENT_COLOURS,
    EMOTION_COLOURS,
    INK,
    MUTED,
    RULE,
    WIDTH,
)

if TYPE_CHECKING:
    import keras

_KINDS = {"InputLayer": "input", "ConvLSTM2D": "recurrent", "FastConvLSTM2D": "recurrent", "Dense": "dense"}


class BlockRow(NamedTuple):
    """One layer of a block, as a diagram shows it. Shapes have no batch axis."""

    name: str
    kind: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int


def block_rows(model: "keras.Model", component: str) -> list[BlockRow]:
    """Return the layers of one component's block, from input to softmax, for Figures 5 and 6.

    Parameters
    ----------
    model
        From `build_published` or `build_compact`, with weights or from `shapes_only`.
    component
        One of the model's components, or "fusion" for the layers after the blocks. The input shape of the fusion's
        first layer is that of one block's output.

    Returns
    -------
    list of BlockRow
        Names without the component's prefix: "input", "conv_lstm2d", "dropout", ...

    Raises
    ------
    ValueError
        The model has no such component.
    """
    from keras import tree  # here, as drawings need no network

    from microx_utils.models import FUSION

    rows = []
    for layer in model.layers:
        if layer.name != component and not layer.name.startswith(f"{component}_"):
            continue
        given = tree.flatten(layer.input) or [layer.output]  # an input layer has no input of its own
        name = "input" if layer.name == component else layer.name.removeprefix(f"{component}_")
        shapes = tuple(given[0].shape[1:]), tuple(layer.output.shape[1:])
        rows.append(BlockRow(name, type(layer).__name__, *shapes, layer.count_params()))
    if not rows:
        raise ValueError(f"the model has no {component!r}; it has {[*model.input, FUSION]}")
    return rows


def draw_component_rows(
    crops: np.ndarray, *, components: Sequence[str] = PAPER_COMPONENTS, caption: str = ""
) -> Figure:
    """Draw a strip of frames for each component, each feeding a ConvLSTM block of its own (Figure 4).

    Parameters
    ----------
    crops : uint8 (T, K, h, w, 3)
        A segment's crops, RGB; T is ten in the paper.
    components
        The K names.
    """
    count, number = crops.shape[:2]
    _check_components(crops, components)
    left, right, step = 0.85, 5.3, 0.66
    side = min(0.56, (right - left) / count - 0.03)
    ax = new_canvas(number * step + 0.85, "One ConvLSTM block for each component", caption)
    for row, name in enumerate(components):
        middle = (number - 1 - row) * step + 0.3 + step / 2
        ax.text(left - 0.1, middle, name.replace("_", "\n"), ha="right", va="center", linespacing=1.1)
        for t in range(count):
            x = left + t * (right - left) / count
            place_image(ax, crops[t, row], x, middle - side / 2, side, side)
        draw_edge(ax, left - 0.03, middle - side / 2 - 0.03, right - left + 0.03, side + 0.06, COMPONENT_COLOURS[name])
        draw_arrow(ax, (right + 0.05, middle), (right + 0.4, middle))
        draw_box(
            ax, (right + 0.42, middle - 0.22, 1.2, 0.44), "ConvLSTM\nblock", "recurrent", edge=COMPONENT_COLOURS[name]
        )
    draw_arrow(ax, (left, 0.2), (right, 0.2), colour=MUTED)
    ax.text(
        (left + right) / 2,
        0.2,
        f"  {count} frames, in time  ",
        ha="center",
        va="center",
        color=MUTED,
        backgroundcolor="white",
    )
    return figure_of(ax)


def draw_block(rows: Sequence[BlockRow], *, caption: str = "") -> Figure:
    """Draw a block's layers with shapes and parameters, top to bottom (Figure 5).

    Parameters
    ----------
    rows
        The layers from input to softmax: `block_rows(model, component)`.
    """
    if not rows:
        raise ValueError("no layers; wanted those of a block. Pass block_rows(model, component).")
    step, high, left, wide = 0.56, 0.4, 0.1, 4.75
    ax = new_canvas(len(rows) * step + 0.8, "One ConvLSTM block, layer by layer", caption)
    total = sum(row.parameters for row in rows)
    top = len(rows) * step + 0.04
    for x, head in ((left + 0.12, "layer"), (left + 2.5, "shape in and out"), (left + wide + 0.2, "parameters")):
        ax.text(x, top + 0.05, head, fontsize=8, color=MUTED, va="bottom")
    for place, row in enumerate(rows):
        y = (len(rows) - 1 - place) * step + 0.08
        last = place == len(rows) - 1
        draw_box(ax, (left, y, wide, high), "", "softmax" if last else _KINDS.get(row.kind, "plain"))
        ax.text(left + 0.12, y + high / 2, row.name, va="center", fontweight="bold")
        ax.text(left + 1.15, y + high / 2, row.kind, va="center", fontsize=8, color=MUTED)
        shapes = (
            _shape(row.output_shape)
            if row.kind == "InputLayer"
            else f"{_shape(row.input_shape)}  →  {_shape(row.output_shape)}"
        )
        ax.text(left + 2.5, y + high / 2, shapes, va="center")
        share = row.parameters / total if total else 0.0
        bar = left + wide + 0.2
        ax.add_patch(Rectangle((bar, y + 0.05), 1.75, 0.09, color=RULE, linewidth=0))
        ax.add_patch(Rectangle((bar, y + 0.05), 1.75 * share, 0.09, color=COMPONENT_COLOURS["right_eye"], linewidth=0))
        ax.text(bar, y + 0.2, f"{row.parameters:,}" if row.parameters else "0", va="bottom", fontsize=8)
        if share:
            ax.text(
                bar + 1.75,
                y + 0.2,
                f"{100 * share:.2f} %" if share > 1e-4 else f"{100 * share:.1g} %",
                va="bottom",
                ha="right",
                fontsize=8,
                color=MUTED,
            )
        if not last:
            draw_arrow(ax, (left + wide / 2, y), (left + wide / 2, y - step + high), shrink=0)
    return figure_of(ax)


def draw_network(
    components: Sequence[str] = PAPER_COMPONENTS,
    *,
    frames: np.ndarray | None = None,
    crops: np.ndarray | None = None,
    block_parameters: int | None = None,
    caption: str = "",
) -> Figure:
    """Draw the network from video to emotion (Figure 6).

    Parameters
    ----------
    components
        Two or more, one block each, top to bottom.
    frames : uint8 (T, H, W, 3)
        A few video frames, drawn as a stack; a grey stack without them.
    crops : uint8 (T, K, h, w, 3)
        Crops of the same components, drawn as small stacks.
    block_parameters
        Parameters of one block, written under its name.
    """
    if crops is not None:
        _check_components(crops, components)
    number = len(components)
    if number < 2:
        raise ValueError(
            f"components {list(components)}; wanted two or more. One block alone has no fusion: draw_block."
        )
    high = max(0.68 * number, 1.8)
    step = high / number
    ax = new_canvas(high + 1.0, "The whole network", caption)
    middle = 0.42 + high / 2
    draw_stack(ax, None if frames is None else frames[:4], 0.08, middle - 0.5, 0.85)
    columns = (
        ("video", 0.6),
        ("components", 1.86),
        ("blocks", 3.13),
        ("softmax\nof each", 4.2),
        ("joined", 5.0),
        ("dense\nsoftmax", 5.72),
        ("emotion", 6.5),
    )
    for name, x in columns:
        ax.text(x, 0.36, name, ha="center", va="top", fontsize=8, color=MUTED, linespacing=1.1)
    cell = min(0.42 / 7 * 1.1, high / (number * len(EMOTIONS)))
    joined = 0.42 + high / 2 + cell * len(EMOTIONS) * number / 2
    for k, name in enumerate(components):
        y, colour = 0.42 + high - (k + 0.5) * step, COMPONENT_COLOURS[name]
        draw_arrow(ax, (1.14, middle + 0.1), (1.5, y), colour=MUTED)
        draw_stack(ax, None if crops is None else crops[:3, k], 1.55, y - 0.23, 0.4, colour=colour)
        ax.text(1.55, y + 0.275, name.replace("_", " "), fontsize=7, color=INK, va="bottom")
        draw_arrow(ax, (2.16, y), (2.5, y))
        text = "ConvLSTM block" if block_parameters is None else f"ConvLSTM block\n{block_parameters:,} weights"
        draw_box(ax, (2.53, y - 0.21, 1.2, 0.42), text, "recurrent", edge=colour, fontsize=8)
        draw_arrow(ax, (3.76, y), (4.12, y))
        size = 0.06
        for j, emotion in enumerate(EMOTIONS):
            low = y + size * (len(EMOTIONS) / 2 - j - 1)
            _cell(ax, 4.15, low, 0.11, size, EMOTION_COLOURS[emotion])
            _cell(ax, 4.94, joined - cell * (k * len(EMOTIONS) + j + 1), 0.13, cell, EMOTION_COLOURS[emotion])
        end = joined - cell * (k + 0.5) * len(EMOTIONS)
        draw_edge(ax, 4.94, end - cell * len(EMOTIONS) / 2, 0.13, cell * len(EMOTIONS), colour, width_pt=1.1)
        draw_arrow(ax, (4.29, y), (4.9, end), colour=colour)
    size = 0.24
    for j, emotion in enumerate(EMOTIONS):
        low = middle + size * (len(EMOTIONS) / 2 - j - 1)
        for k in range(number):  # the dense layer sees every block's every class
            source = joined - cell * (k + 0.5) * len(EMOTIONS)
            ax.plot([5.09, 5.62], [source, low + size / 2], color=RULE, linewidth=0.5, zorder=1)
        ax.add_patch(Circle((5.7, low + size / 2), 0.075, color=EMOTION_COLOURS[emotion], linewidth=0, zorder=3))
        draw_arrow(ax, (5.8, low + size / 2), (6.08, low + size / 2))
        ax.text(6.13, low + size / 2, emotion, va="center", fontsize=8)
    return figure_of(ax)


def draw_convlstm_cell() -> Figure:
    """Draw how a ConvLSTM cell takes a frame and its state to its next state (section IV.C)."""
    ax = new_canvas(3.85, "One step of a ConvLSTM cell")
    rail, bus, gate = 2.85, 0.92, 1.5
    ax.add_patch(
        FancyBboxPatch((1.2, 0.6), 4.55, 2.66, boxstyle="round,pad=0,rounding_size=0.12", fc="#fbfbfa", ec=RULE)
    )
    gates = {"f": (1.65, "forget"), "i": (2.55, "input"), "u": (3.45, "candidate"), "o": (4.7, "output")}
    # The rail of the cell state
    _state(ax, (0.55, rail), "$c_{t-1}$", "cell state\nbefore")
    draw_arrow(ax, (0.85, rail), (1.53, rail))
    _operator(ax, (1.65, rail), r"$\odot$")
    draw_arrow(ax, (1.77, rail), (2.88, rail))
    _operator(ax, (3.0, rail), "$+$")
    draw_arrow(ax, (3.12, rail), (6.13, rail))
    _state(ax, (6.42, rail), "$c_t$", "cell state")
    # Inputs run along the bus to all four gates
    _state(ax, (0.55, bus), "$x_t,\\ h_{t-1}$", "frame, hidden\nstate before", width=0.72)
    ax.plot([0.93, gates["o"][0]], [bus, bus], color=MUTED, linewidth=1.2)
    for name, (x, meaning) in gates.items():
        draw_arrow(ax, (x, bus), (x, gate - 0.22), colour=MUTED)
        squash = r"\tanh" if name == "u" else r"\sigma"
        draw_box(
            ax,
            (x - 0.39, gate - 0.22, 0.78, 0.5),
            f"$W_{name} \\ast x_t$\n$+\\, U_{name} \\ast h_{{t-1}}$",
            "recurrent",
            fontsize=7,
        )
        draw_box(ax, (x - 0.2, gate + 0.28, 0.4, 0.24), f"${squash}$", "dense", fontsize=9)
        ax.text(x + 0.06, bus + 0.12, meaning, fontsize=7.5, color=MUTED, va="center")
    draw_arrow(ax, (1.65, gate + 0.52), (1.65, rail - 0.12), label="$f_t$")
    product = (3.0, 2.38)
    _operator(ax, product, r"$\odot$")
    ax.plot([2.55, 2.55], [gate + 0.52, product[1]], color=INK, linewidth=1.1)
    draw_arrow(ax, (2.55, product[1]), (2.88, product[1]), label="$i_t$")
    ax.plot([3.45, 3.45], [gate + 0.52, product[1]], color=INK, linewidth=1.1)
    draw_arrow(ax, (3.45, product[1]), (3.12, product[1]), label="$u_t$")
    draw_arrow(ax, (3.0, product[1] + 0.12), (3.0, rail - 0.12))
    # The hidden state: what is shown of the cell
    out = (5.3, gate + 0.4)
    ax.plot([5.3], [rail], "o", ms=4, color=INK)
    draw_arrow(ax, (5.3, rail), (5.3, 2.62))
    draw_box(ax, (5.1, 2.36, 0.4, 0.24), r"$\tanh$", "dense", fontsize=8)
    draw_arrow(ax, (5.3, 2.36), (5.3, out[1] + 0.12))
    _operator(ax, out, r"$\odot$")
    draw_arrow(ax, (4.9, out[1]), (5.18, out[1]), label="$o_t$")
    draw_arrow(ax, (5.42, out[1]), (6.13, out[1]))
    _state(ax, (6.42, out[1]), "$h_t$", "hidden state,\nto step $t+1$")
    signs = r"$\ast$ convolution    $\odot$ product, pixel by pixel    $\sigma$ squashes to 0..1, $\tanh$ to -1..1"
    ax.text(WIDTH / 2, 0.25, signs + "    (biases not drawn)", ha="center", va="center", fontsize=8, color=MUTED)
    return figure_of(ax)


def draw_pipeline(
    frames: np.ndarray, points: np.ndarray, crops: np.ndarray, *, components: Sequence[str] = COMPONENTS
) -> Figure:
    """Draw the pipeline with real images: video, landmarks, components, segments, blocks, fused softmax (a flat guess).

    Parameters
    ----------
    frames : uint8 (T, H, W, 3)
        Frames of a clip; the first is the one whose landmarks are drawn.
    points : float (68, 2)
        Landmarks of `frames[0]`, px.
    crops : uint8 (T, K, h, w, 3)
        The crops of the same frames.
    """
    _check_components(crops, components)
    number = len(components)
    high = 2.2
    ax = new_canvas(high + 0.45)
    middle = 0.35 + high / 2
    size = 1.0
    tall = size * frames.shape[1] / frames.shape[2]
    draw_stack(ax, frames[:4], 0.06, middle - tall / 2, size, offset=0.06)
    draw_arrow(ax, (1.28, middle), (1.44, middle))
    place_image(ax, frames[0], 1.47, middle - tall / 2, size, tall)
    scale = np.array([size / frames.shape[2], -tall / frames.shape[1]])
    dots = (points + 0.5) * scale + [1.47, middle + tall / 2]
    ax.plot(dots[:, 0], dots[:, 1], "o", ms=1.8, color="white", mec=INK, mew=0.35, zorder=4)
    draw_arrow(ax, (2.5, middle), (2.66, middle))
    side = high / number - 0.04
    count = min(len(crops), 6)
    shift = min(0.3, (1.55 - side) / max(1, count - 1))
    for k, name in enumerate(components):
        y = 0.35 + high - (k + 1) * (side + 0.04) + 0.02
        colour = COMPONENT_COLOURS[name]
        for t in range(count):
            place_image(ax, crops[t, k], 2.7 + t * shift, y, side, side)
        draw_edge(ax, 2.7, y, side + (count - 1) * shift, side, colour)
        end = 2.7 + side + (count - 1) * shift
        draw_arrow(ax, (end + 0.03, y + side / 2), (end + 0.2, y + side / 2))
        draw_box(ax, (end + 0.22, y + 0.02, 0.72, side - 0.04), "ConvLSTM", "recurrent", edge=colour, fontsize=6.5)
        draw_arrow(ax, (end + 0.97, y + side / 2), (5.5, middle + (y + side / 2 - middle) * 0.55), colour=colour)
    draw_box(ax, (5.52, middle - 0.62, 0.3, 1.24), "softmax", "softmax", rotation=90, fontsize=8)
    draw_arrow(ax, (5.85, middle), (6.0, middle))
    row = 0.23
    for j, emotion in enumerate(EMOTIONS):
        y = middle + row * (len(EMOTIONS) / 2 - j - 0.5)
        ax.add_patch(Rectangle((6.03, y - 0.1), 0.9 / len(EMOTIONS), 0.06, color=EMOTION_COLOURS[emotion], linewidth=0))
        ax.text(6.03, y - 0.02, emotion, fontsize=7, va="bottom")
    labels = (
        ("video", 0.62),
        ("68 landmarks", 1.97),
        ("components, in segments", 3.35),
        ("blocks", 4.8),
        ("fused", 5.67),
        ("emotion", 6.4),
    )
    for text, x in labels:
        ax.text(x, 0.24, text, ha="center", va="top", fontsize=7.5, color=MUTED)
    return figure_of(ax)


def _check_components(crops: np.ndarray, components: Sequence[str]) -> None:
    if crops.shape[1] != len(components):
        raise ValueError(
            f"{crops.shape[1]} components in the crops, {len(components)} names {list(components)}; wanted as many"
        )


def _shape(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(f"{length:,}" if length >= 10_000 else str(length) for length in shape) + ")"


def _cell(ax: Axes, x: float, y: float, width: float, height: float, colour: str) -> None:
    ax.add_patch(Rectangle((x, y), width, height, facecolor=colour, edgecolor="white", linewidth=0.4, zorder=2))


def _operator(ax: Axes, at: tuple[float, float], sign: str) -> None:
    ax.add_patch(Circle(at, 0.12, facecolor="white", edgecolor=INK, linewidth=1.1, zorder=3))
    ax.text(*at, sign, ha="center", va="center", fontsize=10, zorder=4)


def _state(ax: Axes, at: tuple[float, float], symbol: str, meaning: str, *, width: float = 0.58) -> None:
    draw_box(ax, (at[0] - width / 2, at[1] - 0.17, width, 0.34), symbol, "input", fontsize=10)
    ax.text(at[0], at[1] - 0.23, meaning, ha="center", va="top", fontsize=7, color=MUTED, linespacing=1.1)
