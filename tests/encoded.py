"""Videos in the containers that corpora use; the package's `write_video` writes H.264 in MP4 alone."""

from pathlib import Path
from typing import Any

import av
import numpy as np

CODECS = {".mp4": "libx264", ".mov": "libx264", ".mkv": "libx264", ".avi": "mpeg4", ".flv": "flv", ".mpg": "mpeg2video"}


def encode(path: Path, frames: np.ndarray, *, bit_rate: int = 1_000_000) -> None:
    """Write frames, uint8 (T, H, W, 3) RGB, at 30 per second into the container that the suffix names."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(CODECS[path.suffix], rate=30)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        stream.bit_rate = bit_rate
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode(None))
