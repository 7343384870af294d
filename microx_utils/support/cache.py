"""Content keys, locks, checksums and all-or-nothing writes: a file or folder under its final name is complete.

What is kept between runs carries checksums, which are compared when it is opened: `ready` says whether it can be used.
"""

import hashlib
import io
import json
import math
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
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


_UMASK = os.umask(0)
os.umask(_UMASK)  # there is no other way to read it


@contextmanager
def atomic_file(path: str | os.PathLike[str], *, checked: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path` (same suffix); rename it to `path` only if the block succeeds.

    It is flushed to the disk first. `checked` writes its checksum beside it, for `ready`.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.stem[:100]}.", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_UMASK)  # mkstemp makes 0600, but data folders are shared
        _flush(temporary)
        if checked:
            _write_sums(temporary, _sums_file(target))
        else:
            _sums_file(target).unlink(missing_ok=True)  # of what is replaced
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; rename it to `path`, with checksums, only if the block succeeds.

    A folder already at `path` is replaced.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_UMASK)
        finish_folder(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def finish_folder(building: Path, target: Path) -> None:
    """Flush a folder to the disk, write its checksums, and rename it to `target`, whose old contents go."""
    for file in _files(building):
        _flush(file)
    _write_sums(building, building / _SUMS)
    if target.exists():
        shutil.rmtree(target)
    building.replace(target)


def _flush(file: Path) -> None:
    with file.open("r+b") as opened:
        os.fsync(opened.fileno())


_SUMS = ".sums.json"
_WHOLE = 2**22  # bytes; larger files are compared by their size and by blocks of them, in a deep check as a whole
_BLOCKS, _BLOCK = 64, 2**12


def _files(place: Path) -> list[Path]:
    return sorted(file for file in place.rglob("*") if file.is_file() and file.name != _SUMS)


def _sums_file(path: Path) -> Path:
    return path / _SUMS if path.is_dir() else path.with_name(f".{path.name}.sum")


def _write_sums(made: Path, target: Path) -> None:
    files = _files(made) if made.is_dir() else [made]
    names = [file.relative_to(made).as_posix() for file in files]  # "." for a single file
    sums = {
        name: [file.stat().st_size, _sampled(file), file_key(file)] for name, file in zip(names, files, strict=True)
    }
    with atomic_file(target) as temporary:
        temporary.write_text(json.dumps(sums))


def _sampled(path: Path) -> str:
    """Return a hash of a file: of all its bytes, or of blocks of a large one."""
    size = path.stat().st_size
    if size <= _WHOLE:
        return file_key(path)
    found = hashlib.sha256()
    with path.open("rb") as file:
        for k in range(_BLOCKS):
            file.seek(k * (size - _BLOCK) // (_BLOCKS - 1))
            found.update(file.read(_BLOCK))
    return found.hexdigest()[:16]


def damage(path: Path, *, deep: bool = False) -> str:
    """Return what is wrong with a kept file or folder, "" if its checksums are right.

    Of files over 4 MiB only the size and 64 blocks are compared, which takes a millisecond; all bytes if `deep`.
    """
    try:
        sums = json.loads(_sums_file(path).read_bytes())
        for name, (size, sampled, whole) in sums.items():
            file = path / name
            if file.stat().st_size != size:
                return f"{file.name} has {file.stat().st_size:,} bytes of {size:,}"
            if (file_key(file) != whole) if deep else (_sampled(file) != sampled):
                return f"the bytes of {file.name} have changed"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (ValueError, AttributeError, TypeError):
        return "its checksums are damaged"
    return ""


def ready(path: str | os.PathLike[str]) -> bool:
    """Tell whether a kept file or folder is there and whole; a damaged one is removed, with a warning.

    The caller then makes it again. What an earlier version kept without checksums gets them now.
    """
    path = Path(path)
    if not path.exists():
        return False
    if not _sums_file(path).exists():
        _write_sums(path, _sums_file(path))
    if not (problem := damage(path)):
        return True
    warnings.warn(f"{path} is damaged ({problem}); it is made again", stacklevel=2)
    remove(path)
    return False


def remove(path: Path) -> None:
    """Remove a kept file with its checksum, or a kept folder."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
        _sums_file(path).unlink(missing_ok=True)


def kept_places(folder: Path) -> list[Path]:
    """Return all files and folders below `folder` that carry checksums, sorted."""
    folders = [sums.parent for sums in folder.rglob(_SUMS)]
    files = [sums.with_name(sums.name[1:].removesuffix(".sum")) for sums in folder.rglob(".*.sum")]
    return sorted([*folders, *files])


@contextmanager
def lock(path: str | os.PathLike[str], *, patience: float = 5.0) -> Iterator[None]:
    """Hold a lock for `path` (a `.lock` file beside it), so that two runs on one checkout take turns.

    A run that waits longer than `patience` seconds says so once on stderr, and keeps waiting.
    """
    file_lock = _file_lock(path)
    try:
        file_lock.acquire(timeout=patience)
    except Timeout:
        print(f"waiting for another run on {path}", file=sys.stderr, flush=True)
        file_lock.acquire()
    try:
        yield
    finally:
        file_lock.release()


@contextmanager
def claimed(places: Iterable[Path]) -> Iterator[set[Path]]:
    """Hold the locks of those places that no other run holds, without waiting, and yield them."""
    with ExitStack() as held:
        mine = set()
        for place in places:
            with suppress(Timeout):
                held.enter_context(_file_lock(place).acquire(timeout=0))
                mine.add(place)
        yield mine


def _file_lock(path: str | os.PathLike[str]) -> FileLock:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(target.with_name(f".{target.name}.lock"))


def reserve_array(path: str | os.PathLike[str], shape: tuple[int, ...]) -> None:
    """Create a .npy file of uint8 zeros, unless one of this shape is there. Raises DataError if the disk is full."""
    path, header = Path(path), io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    start, size = header.getvalue(), header.tell() + math.prod(shape)
    if path.exists() and path.stat().st_size == size:
        with path.open("rb") as file:
            if file.read(len(start)) == start:
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
        file.flush()
        os.fsync(file.fileno())  # what is written next says that these rows are here


def note_rows(note: Path, rows: NDArray[np.uint8], about: NDArray[Any]) -> None:
    """Write a .npz file with a checksum of rows of `write_rows` ("rows") and an array about them ("about")."""
    with atomic_file(note, checked=True) as temporary:
        np.savez(temporary, rows=_rows_key(rows), about=about)


def rows_are_kept(path: Path, first: int, count: int, note: Path) -> bool:
    """Tell whether rows of a .npy file are still those of a note of `note_rows`; False without one."""
    if not ready(note):
        return False
    with np.load(note) as noted:
        return str(noted["rows"]) == _rows_key(np.load(path, mmap_mode="r")[first : first + count])


def _rows_key(rows: NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(rows).data).hexdigest()
