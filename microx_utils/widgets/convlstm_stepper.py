"""The ConvLSTM stepper: a segment's frames through one cell, by hand beside Keras (paper, section IV.C)."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import ipywidgets
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from microx_utils.plots.charts import PALETTE
from microx_utils.plots.style import INK, MUTED
from microx_utils.support.keras_setup import pinned_keras
from microx_utils.widgets.live import Live, choice, player, slider
from microx_utils.widgets.shown import Html, Seen, lines

MAPS = {
    "i": "input gate i",
    "f": "forget gate f",
    "u": "candidate u",
    "o": "output gate o",
    "c": "memory c",
    "h": "hidden state h",
}
"""What a step leaves, in the order of the picture."""

Step = Callable[..., Mapping[str, NDArray[np.floating]]]
"""`step(x, before, W, U, b)`: frames x (B, H, W, C), what it returned for the frame before (None at first), and Keras's
three weights; returns the six MAPS, each (B, H', W', filters)."""

_TILE, _GAP, _MARGIN, _TOP, _ROW = 132, 18, 8, 40, 200  # px: a map, the gaps, above the maps, from row to row
_WIDTH, _HEIGHT = 2 * _MARGIN + 5 * _TILE + 4 * _GAP, _TOP + _ROW + _TILE + 30


class Trace(NamedTuple):
    """What one cell makes of a segment of T frames: `by_hand` has the six MAPS, `by_keras` c and h."""

    crops: NDArray[np.uint8]  # (T, H, W, 3), RGB
    by_hand: dict[str, NDArray[np.float32]]  # each (T, H', W', filters)
    by_keras: dict[str, NDArray[np.float32]]

    @property
    def largest_difference(self) -> float:
        """Of all numbers of c and h, over frames, places and filters."""
        return max(float(np.abs(self.by_hand[name] - known).max()) for name, known in self.by_keras.items())


def trace(step: Step, crops: NDArray[np.uint8], *, pixels: str = "scaled", filters: int = 8, seed: int = 0) -> Trace:
    """Pass a segment through a fresh cell, once by `step` and once by keras.layers.ConvLSTM2D with the same weights.

    Parameters
    ----------
    step
        The cell by hand, see `Step`.
    crops
        uint8 (T, H, W, 3), RGB: the frames of one component.
    pixels
        "scaled": the cell gets -1..1. "raw": it gets 0..255, as in the authors' code.
    filters, seed
        Channels of the state, and what decides the weights.

    Raises
    ------
    ValueError
        `step` returns maps of another shape than Keras's, or such with values that are not finite.
    """
    keras = pinned_keras()
    x = crops.astype(np.float32)[None]
    if pixels == "scaled":
        x = x / 127.5 - 1
    layer = keras.layers.ConvLSTM2D(
        filters,
        3,
        return_state=True,
        kernel_initializer=keras.initializers.GlorotUniform(seed),
        recurrent_initializer=keras.initializers.Orthogonal(seed=seed),
    )
    layer.build(x.shape)
    weights = layer.get_weights()
    by_hand: list[Mapping[str, NDArray[np.floating]]] = []
    known: list[tuple[Any, Any]] = []  # Keras's h and c after each frame; its gates are not to be had
    for t in range(x.shape[1]):
        state = known[-1] if known else None
        known.append(tuple(layer(x[:, t : t + 1], initial_state=state)[1:]))
        with np.errstate(over="ignore"):  # exp of a large number is infinite, and the sigmoid 0: that is right
            by_hand.append(step(x[:, t], by_hand[-1] if by_hand else None, *weights))
        for name in MAPS:
            values, wanted = by_hand[-1][name], tuple(known[-1][0].shape)
            if np.shape(values) != wanted:
                raise ValueError(f"step returned {name} of shape {np.shape(values)} for frame {t + 1}; wanted {wanted}")
            if not np.isfinite(values).all():
                raise ValueError(f"step returned {name} with values for frame {t + 1} that are not numbers")
    hidden, cell = (np.concatenate([np.asarray(values) for values in states]) for states in zip(*known, strict=True))
    found = {name: np.concatenate([maps[name] for maps in by_hand]).astype(np.float32) for name in MAPS}
    return Trace(crops, found, {"c": cell, "h": hidden})


class Sheet(NamedTuple):
    """A filter's maps, ready to be shown frame by frame: the empty page, and what goes into its ten places."""

    page: NDArray[np.uint8]  # names and colour scales
    tiles: list[NDArray[np.uint8]]  # each (T, H', W', 3), RGB; the first has the crops


def make_sheet(trace: Trace, channel: int) -> Sheet:
    """Return a filter's maps in colour, each on one scale for all frames: frame and gates, below them the states.

    Gates run from 0 to 1. What has a sign runs as far below zero as above it, by hand and Keras alike.
    """
    hand, keras = trace.by_hand, trace.by_keras
    ends = {
        name: max(float(np.abs(maps[name][..., channel]).max()) for maps in (hand, keras) if name in maps) or 1.0
        for name in "uch"
    }
    apart = np.abs(hand["h"] - keras["h"])
    shown = [
        *((MAPS[name], hand[name], 0.0 if name in "ifo" else -ends[name], ends.get(name, 1.0)) for name in "ifuo"),
        *((f"{MAPS[name]}, by hand", hand[name], -ends[name], ends[name]) for name in "ch"),
        *((f"{MAPS[name]}, Keras", keras[name], -ends[name], ends[name]) for name in "ch"),
        ("difference in h", apart, 0.0, float(apart[..., channel].max()) or 1.0),
    ]
    figure = Figure(figsize=(_WIDTH / 100, _HEIGHT / 100), dpi=100)  # unknown to pyplot, so no cell shows it
    figure.set_layout_engine("none")
    canvas = FigureCanvasAgg(figure)

    def write(x: float, y: float, text: str, **look: Any) -> None:
        own: dict[str, Any] = {"fontsize": 8, "color": INK, "va": "bottom"}
        figure.text(x / _WIDTH, 1 - y / _HEIGHT, text, **own | look)

    write(_corner(0)[0], _corner(0)[1] - 3, "frame")
    for place, (words, _, low, high) in enumerate(shown, 1):
        x, y = _corner(place)
        write(x, y - 3, words)
        write(x, y + _TILE + 12, f"{low:.2g}", va="top", fontsize=7, color=MUTED)
        write(x + _TILE, y + _TILE + 12, f"{high:.2g}", va="top", ha="right", fontsize=7, color=MUTED)
    canvas.draw()
    page, tiles = np.asarray(canvas.buffer_rgba())[..., :3].copy(), [trace.crops]
    for place, (_, maps, low, high) in enumerate(shown, 1):
        x, y = _corner(place)
        palette = _palette(signed=low < 0)
        page[y + _TILE + 4 : y + _TILE + 10, x : x + _TILE] = palette[np.linspace(0, 255, _TILE).astype(np.uint8)]
        levels = ((maps[..., channel] - low) / (high - low)).clip(0, 1)
        tiles.append(palette[(255 * levels).astype(np.uint8)])
    return Sheet(page, tiles)


def show_sheet(sheet: Sheet, *, frame: int, row: int, column: int) -> NDArray[np.uint8]:
    """Return the picture of a frame (from 0), uint8 (H, W, 3), RGB, with a place of the state (from 0) marked."""
    picture = sheet.page.copy()
    for place, tile in enumerate(sheet.tiles):
        x, y = _corner(place)
        zoom = _TILE / tile.shape[1]
        large = cv2.resize(tile[frame], (_TILE, _TILE), interpolation=cv2.INTER_NEAREST)
        side = 1 if place else 3  # the kernel sees 3 x 3 pixels of the frame
        for level, more in ((0, 2), (255, 1)):  # seen on dark and on light
            first = (round(column * zoom) - more, round(row * zoom) - more)
            last = (round((column + side) * zoom) + more - 1, round((row + side) * zoom) + more - 1)
            cv2.rectangle(large, first, last, (level,) * 3, 1)
        picture[y : y + _TILE, x : x + _TILE] = large
    return picture


def chart(trace: Trace, *, frame: int, channel: int, row: int, column: int) -> Html:
    """Return memory and hidden state of one place over the frames, by hand."""
    table = pd.DataFrame({name: trace.by_hand[name][:, row, column, channel] for name in "ch"})
    table.index += 1
    end = _round_up(float(np.abs(table.to_numpy()).max()))
    colours = dict(zip("ch", PALETTE, strict=False))
    return lines(table, colours, label="c and h at the marked place, by frame", bottom=-end, top=end, at=frame + 1)


def numbers(trace: Trace, *, frame: int, channel: int, row: int, column: int) -> Html:
    """Return the two equations of a step with the numbers of one place (all from 0), and how far Keras is from them."""
    here = {name: float(values[frame, row, column, channel]) for name, values in trace.by_hand.items()}
    before = float(trace.by_hand["c"][frame - 1, row, column, channel]) if frame else 0.0
    keras = {name: float(values[frame, row, column, channel]) for name, values in trace.by_keras.items()}
    equations = [
        f"c = f · c before + i · u = {here['f']:.3f} · {_signed(before)} + {here['i']:.3f} · {_signed(here['u'])}"
        f" = <b>{here['c']:.4f}</b> (Keras: {keras['c']:.4f})",
        f"h = o · tanh(c) = {here['o']:.3f} · {_signed(float(np.tanh(here['c'])))}"
        f" = <b>{here['h']:.4f}</b> (Keras: {keras['h']:.4f})",
        f"Largest difference from Keras over all frames, places and filters: <b>{trace.largest_difference:.1e}</b>",
    ]
    return Html("".join(f"<div>{line.replace('-', chr(0x2212))}</div>" for line in equations))


def convlstm_stepper(
    crops: NDArray[np.uint8], components: Sequence[str], step: Step, *, filters: int = 8, seed: int = 0
) -> Live:
    """Step through a segment: gates, memory and hidden state of a chosen filter, by hand and by Keras.

    Parameters
    ----------
    crops
        uint8 (T, components, H, W, 3), RGB.
    components
        Their names, in this order.
    step
        The cell by hand, see `Step`. What it returns is what is shown, mistakes included.
    filters, seed
        As for `trace`.
    """
    traced = functools.cache(
        lambda component, pixels: trace(
            step, crops[:, components.index(component)], pixels=pixels, filters=filters, seed=seed
        )
    )
    sheet = functools.cache(lambda component, pixels, channel: make_sheet(traced(component, pixels), channel))

    def draw(frame: int, component: str, channel: int, pixels: str, row: int, column: int) -> dict[str, Any]:
        found = traced(component, pixels)
        place = {"frame": frame - 1, "row": row - 1, "column": column - 1}
        picture = show_sheet(sheet(component, pixels, channel - 1), **place)
        means = ", ".join(f"{name} {found.by_hand[name][frame - 1, ..., channel - 1].mean():.2f}" for name in MAPS)
        what = f"frame {frame} of the {component.replace('_', ' ')}"
        alt = f"Maps of filter {channel} after {what}, by hand and by Keras; means by hand: {means}"
        place["channel"] = channel - 1
        return {
            "picture": Seen(picture, alt),
            "chart": chart(found, **place),
            "numbers": numbers(found, **place),
        }

    side = crops.shape[2] - 2
    controls = {
        "frame": slider("frame", 1, len(crops), value=len(crops) // 2),
        "component": choice("component", [(name.replace("_", " "), name) for name in components], value=components[-1]),
        "channel": choice("filter", list(range(1, filters + 1))),
        "pixels": choice("pixels", [("scaled to -1..1", "scaled"), ("raw, 0..255", "raw")]),
        "row": slider("row", 1, side, value=side // 2),
        "column": slider("column", 1, side, value=side // 2),
    }

    def arrange(controls: Mapping[str, Any], views: Mapping[str, Any]) -> Any:
        played = player(controls["frame"], milliseconds=400)
        column = ipywidgets.VBox([*({**controls, "frame": played}.values()), views["chart"]], layout={"width": "312px"})
        beside = ipywidgets.VBox([views["picture"], views["numbers"]], layout={"flex": "1 1 30em", "min_width": "0"})
        return ipywidgets.HBox([column, beside], layout=ipywidgets.Layout(flex_flow="row wrap", grid_gap="12px"))

    return Live(draw, controls, title="Step through a ConvLSTM", arrange=arrange)


def _corner(place: int) -> tuple[int, int]:
    """Return the upper left corner of one of the ten places, px."""
    return _MARGIN + place % 5 * (_TILE + _GAP), _TOP + place // 5 * _ROW


@functools.cache
def _palette(*, signed: bool) -> NDArray[np.uint8]:
    """Return a map's 256 colours, uint8 (256, 3): two hues for what has a sign."""
    return (255 * colormaps["RdBu_r" if signed else "cividis"](np.arange(256))[:, :3]).round().astype(np.uint8)


def _round_up(number: float) -> float:
    """Return the next number with one digit: 0.4 for 0.387; 1 for 0."""
    unit = 10.0 ** math.floor(math.log10(number)) if number else 1.0
    return math.ceil(number / unit) * unit or 1.0


def _signed(number: float) -> str:
    return f"({number:.3f})" if number < 0 else f"{number:.3f}"
