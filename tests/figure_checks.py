"""What every figure must keep: text inside the page, no text on other text, one figure a call."""

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from microx_utils.plots import style


@contextmanager
def styled() -> Iterator[None]:
    """The course's style inside; afterwards the settings from before and no figure open."""
    with plt.rc_context():
        style.style()
        yield
    plt.close("all")


def drawn(made: Axes | Figure) -> Figure:
    """Draw what a plotting function returned; fail when it left other figures open."""
    figure = made if isinstance(made, Figure) else made.get_figure(root=True)
    assert figure is not None
    assert plt.get_fignums() == [getattr(figure, "number", None)], "one call makes one figure"
    figure.canvas.draw()
    return figure


def texts(figure: Figure) -> list[str]:
    """Everything that can be read in a figure."""
    return [artist.get_text() for artist in _visible_texts(figure)]


def check_text(figure: Figure, *, slack: float = 2.0) -> None:
    """Fail when text leaves the page or lies on other text by more than `slack` pixels."""
    page = figure.bbox
    boxes = []
    for artist in _visible_texts(figure):
        box = artist.get_window_extent()
        sides = page.x0 - slack <= box.x0 and box.x1 <= page.x1 + slack
        inside = sides and page.y0 - slack <= box.y0 and box.y1 <= page.y1 + slack
        assert inside, f"{artist.get_text()!r} leaves the page"
        if "\n" not in artist.get_text().strip(" ")[-1:]:  # a title keeps a blank line for its caption
            boxes.append((artist, box))
    for k, (artist, box) in enumerate(boxes):
        for other, theirs in boxes[:k]:
            if artist.get_rotation() % 90 or other.get_rotation() % 90:
                continue  # the box round slanted text is larger than the text
            wide = min(box.x1, theirs.x1) - max(box.x0, theirs.x0)
            tall = min(box.y1, theirs.y1) - max(box.y0, theirs.y0)
            assert wide <= slack or tall <= slack, f"{artist.get_text()!r} lies on {other.get_text()!r}"


def _visible_texts(figure: Figure) -> list[Text]:
    found = {id(artist): artist for artist in figure.findobj(Text) if isinstance(artist, Text)}
    for axes in figure.axes:
        if not axes.axison:  # the ticks of hidden axes are still there, and not drawn
            for artist in (*axes.xaxis.findobj(Text), *axes.yaxis.findobj(Text)):
                found.pop(id(artist), None)
        else:
            for axis in (axes.xaxis, axes.yaxis):
                low, high = sorted(axis.get_view_interval())
                for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                    if not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                        found.pop(id(tick.label1), None)
                        found.pop(id(tick.label2), None)
    return [artist for artist in found.values() if artist.get_visible() and artist.get_text().strip()]
