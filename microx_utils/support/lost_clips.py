"""Clips that no process survives: a decoder that crashes on one, or never ends, costs this clip and not the run.

Such a clip is remembered in data/processed/lost and passed over from then on, until its file changes or the folder is
deleted.
"""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from microx_utils.support import paths
from microx_utils.support.cache import atomic_file, content_key

CRASHED = "the process that read it died: the decoder crashed, or memory ran out"
TOO_LONG = "reading it took too long: more than {minutes:.0f} minutes"

LEAST_SECONDS, SECONDS_PER_MEGABYTE = 300.0, 600.0
"""The time that a clip may take: a megabyte is ten seconds of a good camera, or a minute of a small picture."""


def allowed_seconds(clip: str) -> float:
    """Return how long a clip may take, s; it grows with the file."""
    file = _file(clip)
    size = file.stat().st_size if file.is_file() else 0
    return LEAST_SECONDS + SECONDS_PER_MEGABYTE * size / 1e6


def remember(clip: str, problem: str) -> None:
    """Note that a clip was lost, and why."""
    with atomic_file(_note(clip)) as temporary:
        temporary.write_text(f"{problem}\n{clip}\n", encoding="utf-8", errors="backslashreplace")


def remembered(clip: str) -> str:
    """Return why a clip was lost before, "" if it wasn't."""
    note = _note(clip)
    if not note.is_file():
        return ""
    problem = note.read_text(encoding="utf-8").partition("\n")[0]
    return f"{problem} (in an earlier run; delete {paths.short(note)} to try again)"


def _file(clip: str) -> Path:
    return Path(clip.partition("#t=")[0])  # a part of a video, as video.split_path reads it


def _note(clip: str) -> Path:
    file = _file(clip)
    state = (file.stat().st_size, file.stat().st_mtime_ns) if file.is_file() else None
    return paths.PROCESSED / "lost" / f"{content_key(clip=str(file.absolute()), part=clip, state=state)}.txt"


def watched(function: Callable[..., Any], seconds: float | None, call: tuple) -> Any:
    """Return `function(*call)`, in a worker process that ends itself after `seconds`, or once its parent has ended."""
    _watch_parent()
    if seconds is None:
        return function(*call)
    with Path(os.devnull).open("w") as nowhere:
        faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)  # needs no lock that a decoder may hold
        try:
            return function(*call)
        finally:
            faulthandler.cancel_dump_traceback_later()


def _watch_parent() -> None:
    """Start a thread, once per process, that ends the process when its parent has gone, killed for instance."""
    if any(thread.name == "watch parent" for thread in threading.enumerate()):
        return
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    if sys.platform != "win32":  # where processes don't change their parent
        threading.Thread(target=watch, name="watch parent", daemon=True).start()
