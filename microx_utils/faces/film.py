"""The last step from light to a frame: exposure, a filmic shoulder, the sRGB curve and sensor noise (numba)."""

import numpy as np

from .compiled import compiled

STEPS = 4096
TONE = (np.arange(STEPS, dtype=np.float32) + 0.5) / STEPS
GAMMA = np.where(TONE < 0.0031308, TONE * 12.92, 1.055 * TONE ** (1 / 2.4) - 0.055).astype(np.float32)
"""sRGB curve over 0 to 1 in 4096 steps."""


@compiled()
def develop(linear, exposure, vignette, noise):
    """Return a frame, uint8 (H, W, 3) RGB.

    Parameters
    ----------
    linear
        float32 (2H, 2W, 3), linear RGB at twice the frame's size.
    exposure
        Factor on light.
    vignette
        float32 (H, W, 1), another.
    noise
        float32 (H, W, 3), added to the finished frame, 0 to 1 scale.
    """
    height, width = noise.shape[0], noise.shape[1]
    frame = np.empty((height, width, 3), np.uint8)
    for row in range(height):
        for column in range(width):
            gain = 0.25 * exposure * vignette[row, column, 0]
            for k in range(3):
                light = linear[2 * row, 2 * column, k] + linear[2 * row, 2 * column + 1, k]
                light += linear[2 * row + 1, 2 * column, k] + linear[2 * row + 1, 2 * column + 1, k]
                light *= gain
                light = light / (1 + 0.30 * light) * 1.18
                step = int(min(max(light * STEPS, 0.0), STEPS - 1.0))
                value = GAMMA[step] + noise[row, column, k]
                frame[row, column, k] = np.uint8(min(max(value, 0.0), 1.0) * 255 + 0.5)
    return frame
