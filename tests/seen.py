"""What a widget shows, taken apart for tests."""

from typing import Any

import numpy as np

from microx_utils.widgets.live import Live
from microx_utils.widgets.shown import Content, Seen


def pixels(content: Content) -> np.ndarray:
    """The picture itself, uint8 (H, W, 3)."""
    assert isinstance(content, Seen) and isinstance(content.picture, np.ndarray)
    return content.picture


def alt(content: Content) -> str:
    """What a picture's reader hears."""
    assert isinstance(content, Seen)
    return content.alt


def buttons(live: Live) -> dict[str, Any]:
    """A widget's buttons by their descriptions."""
    found, pending = {}, [live.root]
    while pending:
        widget = pending.pop()
        pending += getattr(widget, "children", ())
        if type(widget).__name__ == "Button":
            found[widget.description] = widget
    return found
