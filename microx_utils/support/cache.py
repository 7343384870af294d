"""Content keys and all-or-nothing writes: what is under its final name is whole."""

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout


def content_key(**parts: Any) -> str:
    """Return 16 hex digits that change when any part does.

    Parts may be whatever JSON holds; tuples count as lists, paths as their text, NumPy's numbers and arrays as their
    values. Raises TypeError for anything else.
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
        temporary.chmod(0o644)  # mkstemp makes 0600; a shared data folder needs to be readable
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
    """Hold a lock for `path` (a `.lock` file beside it): two runs on one checkout wait for each other.

    Whoever waits longer than `patience` seconds says so once on stderr, and waits on.
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
