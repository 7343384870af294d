"""Where a stream's frames come from: a camera, or a file that stands in for one."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from microx_utils.support.errors import DataError
from microx_utils.video import iter_frames

Frames = Iterator[tuple[float, NDArray[np.uint8]]]

_PATIENCE = 5.0  # s without a frame after which a camera counts as gone
_OR_A_FILE = "Or name a video file instead: microx live FILE."


def camera_frames(number: int, stopped: Callable[[], bool]) -> Frames:
    """Yield (time in s, uint8 (H, W, 3) RGB) of a camera, always the newest frame: older ones are left out.

    Parameters
    ----------
    number
        0 for the first camera.
    stopped
        Asked before each frame; ends the stream.

    Raises
    ------
    DataError
        There is no such camera, it may not be used, or it stops sending frames.
    """
    name = f"camera {number}"
    capture = _open(number, name)
    newest: list[Any] = [None]  # (time, frame): a mailbox with room for one
    came, ended = threading.Condition(), threading.Event()

    def read() -> None:
        while not ended.is_set():
            good, frame = capture.read()
            with came:
                newest[0] = (time.monotonic(), frame) if good else False
                came.notify()
            if not good:
                return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        while not stopped():
            with came:
                came.wait_for(lambda: newest[0] is not None, timeout=_PATIENCE)
                found, newest[0] = newest[0], None
            if not found:
                raise DataError(
                    name,
                    "sends no more pictures",
                    f"Is it unplugged, or in use elsewhere? Then start again. {_OR_A_FILE}",
                )
            yield found[0], np.ascontiguousarray(found[1][:, :, ::-1])
    finally:
        ended.set()
        reader.join(_PATIENCE)
        capture.release()


def _open(number: int, name: str) -> Any:
    device = Path(f"/dev/video{number}")
    if sys.platform.startswith("linux"):
        if not device.exists():
            others = ", ".join(sorted(path.name.removeprefix("video") for path in Path("/dev").glob("video[0-9]*")))
            there = f"there are cameras {others}: try --camera" if others else "no camera is plugged in"
            raise DataError(name, f"there is no {device}; {there}", _OR_A_FILE)
        if not os.access(device, os.R_OK | os.W_OK):
            remedy = f"Add yourself to the group video (sudo usermod -aG video $USER), and log in anew. {_OR_A_FILE}"
            raise DataError(name, f"permission refused for {device}", remedy)
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        allow = " Allow this program to use it in the system's settings (privacy, camera)."
        remedy = f"Is it plugged in, and not in use elsewhere?{allow if sys.platform != 'linux' else ''} {_OR_A_FILE}"
        raise DataError(name, "can't be opened", remedy)
    return capture


def file_frames(path: str | os.PathLike[str], stopped: Callable[[], bool], *, paced: bool) -> Frames:
    """Yield (time in s, uint8 (H, W, 3) RGB) of a video at 30 frames per second.

    Parameters
    ----------
    path
        A video, or a part of one.
    stopped
        Asked before each frame; ends the stream.
    paced
        Each frame comes when it is due, as from a camera, and is left out if its time has gone by; otherwise all come,
        as fast as they are wanted.

    Raises
    ------
    DataError
        The video can't be read.
    """
    start = None
    for due, frame in iter_frames(path):
        if stopped():
            return
        if paced:
            start = time.monotonic() - due if start is None else start
            wait = start + due - time.monotonic()
            if wait < -0.05:
                continue
            time.sleep(max(0.0, wait))
        yield due, frame
