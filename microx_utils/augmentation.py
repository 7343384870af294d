"""Show training segments changed, anew each time, so that a network sees more than was recorded (section VII)."""

import cv2
import numpy as np
from numpy.typing import NDArray

from microx_utils.components import COMPONENTS

CONTRAST = 0.3
"""Pixel values are multiplied by 1 - CONTRAST to 1 + CONTRAST, about each channel's mean over the segment."""
BRIGHTNESS = 30.0
"""Levels of 255 by which a segment is made lighter or darker at most."""
COLOUR = 0.12
"""Each colour channel is multiplied by 1 - COLOUR to 1 + COLOUR: another lamp."""
SHIFT = 2
"""Pixels by which a component's crops move at most, across and down: landmarks that sit a little elsewhere."""

MIRRORED = tuple(
    COMPONENTS.index(name.replace("left", "?").replace("right", "left").replace("?", "right")) for name in COMPONENTS
)
"""Place of the component that takes each one's place in a mirror: the left eye becomes the right."""


def augment(crops: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return segments as they might have been recorded: mirrored or not, in other light, moved by a pixel or two.

    All frames of a segment change alike, so that motion stays what it was. Emotions keep their labels: none of the
    changes moves a part of the face against another, and a mirrored face is as happy.

    Parameters
    ----------
    crops
        uint8 (B, frames, 7, size, size, 3), RGB, components in the order of `COMPONENTS`. Not changed.
    rng
        Decides everything; the same state gives the same result.

    Returns
    -------
    uint8, of the same shape.
    """
    changed = np.empty_like(crops)
    for before, after in zip(crops, changed, strict=True):
        segment = before[:, MIRRORED, :, ::-1] if rng.random() < 0.5 else before
        contrast, light = rng.uniform(1 - CONTRAST, 1 + CONTRAST), rng.uniform(-BRIGHTNESS, BRIGHTNESS)
        lamp = rng.uniform(1 - COLOUR, 1 + COLOUR, size=3)
        rows = np.ascontiguousarray(segment).reshape(-1, segment.shape[-2], 3)  # all crops under each other
        mean = np.array(cv2.mean(rows)[:3])
        levels = np.arange(256)[:, None]  # every level once, then a look-up: (256, 3)
        table = np.clip(((levels - mean) * contrast + mean + light) * lamp, 0, 255).round().astype(np.uint8)
        lit = cv2.LUT(rows, table[None]).reshape(segment.shape)
        places = np.arange(segment.shape[2])
        for k, shifts in enumerate(rng.integers(-SHIFT, SHIFT + 1, size=(len(COMPONENTS), 2))):
            down, across = (np.clip(places + shift, 0, places[-1]) for shift in shifts)
            after[:, k] = lit[:, k].take(down, axis=1).take(across, axis=2)  # beyond the crop its border is repeated
    return changed
