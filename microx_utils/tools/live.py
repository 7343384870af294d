"""`microx live`: what the model says of the face before a camera, in a window, now."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microx_utils.support.errors import DataError
from microx_utils.tools.window import CLOSED, Window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from microx_utils.apply.screen import Screen
    from microx_utils.apply.stream import Stream

KEYS = "n: this is my neutral face   m: mirror   r: start anew   q: quit"


def live_command(arguments: argparse.Namespace) -> int:
    """Show the face before a camera, or in a video file, with what the model makes of it; nothing is stored.

    With --record, what is shown is written into a video. Where no window can be opened, --record works without one.
    """
    import cv2

    from microx_utils.apply.answers import SHIPPED, load_weights, read_card
    from microx_utils.apply.cameras import camera_frames, file_frames
    from microx_utils.apply.compiled import compiled
    from microx_utils.apply.stream import Stream

    if arguments.file and arguments.camera is not None:
        raise DataError(arguments.file, "is named beside --camera", "Name a file, or a camera.")
    with ExitStack() as open_things:
        window, problem = open_window()
        if window is not None:
            open_things.enter_context(window)
        elif not arguments.record:
            remedy = "Write a video instead: --record FILE; or open notebook 17_live in a browser."
            raise DataError("microx live", f"there is no screen for a window: {problem}", remedy)
        weights = arguments.weights or SHIPPED
        print(f"What this is worth: {read_card(weights)['limits']}", flush=True)
        cv2.setNumThreads(1)
        stream = Stream(compiled(load_weights(weights)))
        stopped = open_things.enter_context(stop_on_interrupt())
        if arguments.file:
            frames = file_frames(arguments.file, stopped.is_set, paced=window is not None)
        else:
            frames = camera_frames(arguments.camera or 0, stopped.is_set)
            if window is None:
                print("Recording. Ctrl+C ends it.", flush=True)
        shown = draw_frames(frames, stream, stopped, window, mirror=not arguments.file)
        if arguments.record:
            record(shown, arguments.record)
        else:
            for _ in shown:
                pass
    return 0


def add_live_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `live_command` reads."""
    parser.add_argument("file", nargs="?", metavar="FILE", help="a video in place of a camera")
    parser.add_argument("--camera", type=int, metavar="N", help="which camera (default: 0)")
    text = "write what is shown into a video; nothing is stored without this"
    parser.add_argument("--record", type=Path, metavar="FILE", help=text)
    text = "a folder of `microx train robust` (default: the shipped weights)"
    parser.add_argument("--weights", type=Path, metavar="FOLDER", help=text)


def open_window() -> tuple[Window | None, str]:
    """Return a window, or None and why there is none."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return None, "DISPLAY is not set"
    try:
        return Window("MicroX live"), ""
    except OSError as error:
        return None, str(error)


@contextmanager
def stop_on_interrupt() -> Iterator[threading.Event]:
    """Yield an event that Ctrl+C sets, so that a recording is finished and not lost."""
    stopped = threading.Event()
    before = signal.signal(signal.SIGINT, lambda number, frame: stopped.set())
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def draw_frames(
    frames: "Iterable[tuple[float, NDArray[np.uint8]]]",
    stream: "Stream",
    stopped: threading.Event,
    window: Window | None,
    *,
    mirror: bool,
) -> "Iterator[tuple[float, NDArray[np.uint8]]]":
    """Push frames into a stream; yield (time, what is drawn of them), and show it if there is a window."""
    from microx_utils.apply.screen import Screen

    screen: Screen | None = None
    for time, frame in frames:
        screen = screen or Screen(frame.shape, mirror=mirror, keys=KEYS if window else "")
        drawn = screen.draw(frame, stream.push(frame, time))
        if window:
            obey(window.show(drawn), stream, screen, stopped)
        yield time, drawn


def obey(key: str, stream: "Stream", screen: "Screen", stopped: threading.Event) -> None:
    """Do what a pressed key stands for."""
    if key in ("q", "\x1b", CLOSED):
        stopped.set()
    elif key == "n":
        stream.set_neutral()
    elif key == "m":
        screen.mirror = not screen.mirror
    elif key == "r":
        stream.forget()


def record(shown: "Iterable[tuple[float, NDArray[np.uint8]]]", path: Path) -> None:
    """Write drawn frames with their times into a video of 30 frames per second; it is complete, or not there."""
    from microx_utils.video import write_video

    try:
        write_video(path, steady(shown))
    except ValueError as error:
        raise DataError(path, str(error), "Name a video such as live.mp4, and let some frames come first.") from error
    print(f"wrote {path}")


def steady(shown: Iterable[tuple[float, Any]], fps: float = 30.0) -> Iterator[Any]:
    """Yield pictures at a steady rate: a late one's predecessor is repeated, of several for one place the last counts.

    >>> list(steady([(5.0, "a"), (5.03, "b"), (5.1, "c"), (5.102, "d"), (5.133, "e")]))
    ['a', 'b', 'b', 'd', 'e']
    """
    start: float | None = None
    written, last = 0, None
    for time, picture in shown:
        start = time if start is None else start
        place = round((time - start) * fps)
        for _ in range(written, place):
            yield last
        written, last = max(written, place), picture
    if start is not None:
        yield last
