"""Frames with faces where the tests of landmark trackers want them."""

import cv2
import numpy as np


def pasted(shape: tuple[int, int], *placed: tuple[np.ndarray, int, int]) -> np.ndarray:
    """A grey frame with pictures pasted in at (x, y)."""
    frame = np.full((*shape, 3), 90, np.uint8)
    for picture, x, y in placed:
        frame[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return frame


def shrunk(picture: np.ndarray, scale: float) -> np.ndarray:
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
