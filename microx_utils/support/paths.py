"""Folders of the checkout, and those that can be elsewhere.

MICROX_PROCESSED moves the caches, for instance to a larger disk; MICROX_OUTPUT moves figures/ and build/, for instance
out of a checkout that can't be written to. Both are full paths; unset or empty, everything stays in the checkout.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from microx_utils.support.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
SAMPLE = DATA / "sample"
REFERENCE = ROOT / "figures"
"""The figures that are part of the repository."""
NOTEBOOKS = ROOT / "notebooks"
EXERCISES = ROOT / "exercises"
"""The notebooks without their answers, generated."""

PROCESSED: Path
"""Cached stage outputs."""
FIGURES: Path
"""Where runs write their figures: REFERENCE, unless MICROX_OUTPUT moves them."""
BUILD: Path
"""Executed notebooks and their HTML; ignored by git."""

_MOVABLE = {
    "PROCESSED": ("MICROX_PROCESSED", ".", DATA / "processed"),
    "FIGURES": ("MICROX_OUTPUT", "figures", REFERENCE),
    "BUILD": ("MICROX_OUTPUT", "build", ROOT / "build"),
}
"""Folder -> environment variable, the folder's place below the one that it names, and the folder without it."""
_IGNORED = (DATA / "processed", DATA / "raw", ROOT / "build")
"""Where git sees nothing: caches and figures of private recordings may only lie there, or outside the checkout."""


def short(path: Path) -> str:
    """Return a path for messages: relative inside the checkout, in full elsewhere."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def typed(text: str | os.PathLike[str]) -> Path:
    """Return a path that somebody typed, with its ~ replaced.

    Raises DataError if the system refuses to look at it: its name is too long, or a folder on the way is closed.
    """
    path = Path(text)
    try:
        path = path.expanduser()
        path.exists()
    except (OSError, RuntimeError) as error:
        problem = f"can't be looked at ({getattr(error, 'strerror', None) or error})"
        raise DataError(path, problem, "Check the path, and who may read it.") from error
    return path


def nearest(folder: Path) -> Path:
    """Return the path itself if there is something, else the nearest folder above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def writable(folder: Path, variable: str) -> Path:
    """Return a folder that is there and can be written to, or can be made.

    Raises
    ------
    DataError
        It can't; the remedy names the environment variable that moves it.
    """
    existing = nearest(folder)
    if existing.is_dir() and os.access(existing, os.W_OK):
        return folder
    problem = f"can't be written to: {existing} is {'read-only for you' if existing.is_dir() else 'a file'}"
    raise DataError(folder, problem, f"Set {variable} to the full path of a folder that you can write to.")


def _chosen(variable: str, below: str, usual: Path) -> Path:
    """Return the folder that an environment variable moves, checked."""
    text = os.environ.get(variable, "")
    if not text:
        return writable(usual, variable)
    remedy = f"Set {variable} to the full path of a folder outside the checkout, or unset it."
    if not Path(text).is_absolute():
        raise DataError(f"{variable}={text}", "isn't a full path, and would differ from program to program", remedy)
    folder = typed(text) / below
    place = folder.resolve()
    if place.is_relative_to(ROOT) and place != usual and not any(map(place.is_relative_to, _IGNORED)):
        raise DataError(f"{variable}={text}", "lies in the checkout, where git would see what is kept there", remedy)
    return writable(folder, variable)


if not TYPE_CHECKING:  # else mypy would believe every name

    def __getattr__(name: str) -> Path:
        """Look at the environment when a folder that can be moved is first asked for, and at no later time."""
        if name not in _MOVABLE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault(name, _chosen(*_MOVABLE[name]))
