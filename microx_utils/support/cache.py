"""Content keys, locks, and all-or-nothing writes: a file or folder under its final name is complete."""

import hashlib
import json
import math
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from microx_utils.support.errors import DataError


def content_key(**parts: Any) -> str:
    """Return 16 hex digits that change when any part does.

    Parts may be anything that JSON can hold; tuples count as lists, paths as their text, NumPy's numbers and arrays as
    their values. Raises TypeError for anything else.
    """
    text = json.dumps(parts, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} can't be part of a key; give numbers, text, lists or dicts")


def file_key(path: str | os.PathLike[str]) -> str:
    """Return 16 hex digits of the SHA-256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path` (same suffix); rename it to `path` only if the block succeeds."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}.", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # mkstemp makes 0600, but data folders are shared
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; rename it to `path` only if the block succeeds.

    A folder already at `path` is replaced.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        temporary.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def lock(path: str | os.PathLike[str], *, patience: float = 5.0) -> Iterator[None]:
    """Hold a lock for `path` (a `.lock` file beside it), so that two runs on one checkout take turns.

    A run that waits longer than `patience` seconds says so once on stderr, and keeps waiting.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    file_lock = FileLock(target.with_name(f".{target.name}.lock"))
    try:
        file_lock.acquire(timeout=patience)
    except Timeout:
        print(f"waiting for another run on {target}", file=sys.stderr, flush=True)
        file_lock.acquire()
    try:
        yield
    finally:
        file_lock.release()


def reserve_array(path: str | os.PathLike[str], shape: tuple[int, ...]) -> None:
    """Create a .npy file of uint8 zeros, unless it exists. Raises DataError when the disk can't hold it."""
    path = Path(path)
    if path.exists():
        return
    needed, free = math.prod(shape), shutil.disk_usage(path.parent).free
    if needed > free - 2**28:  # leave a quarter of a gibibyte
        problem = f"needs {needed / 2**30:.1f} GiB, and the disk has {free / 2**30:.1f} GiB free"
        raise DataError(path, problem, "Free some space, or set MICROX_PROCESSED to a larger disk.")
    with atomic_file(path) as temporary:
        np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape).flush()


def write_rows(path: str | os.PathLike[str], first: int, rows: NDArray[np.uint8]) -> None:
    """Write rows into a .npy file of `reserve_array`, from row `first` on."""
    values = math.prod(np.load(path, mmap_mode="r").shape)
    with Path(path).open("r+b") as file:
        # Written, not memory-mapped: a disk that fills up then raises an error instead of killing the process.
        file.seek(Path(path).stat().st_size - values + first * rows[0].nbytes)
        file.write(np.ascontiguousarray(rows).data)
