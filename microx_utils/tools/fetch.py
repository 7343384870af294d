"""`microx data fetch ravdess`: RAVDESS's speech videos from Zenodo, resumable and checked.

A download is written to `archives/<name>.zip.part` and renamed once its MD5 is the published one. The archive is then
unpacked into a hidden folder, which becomes `Actor_XX` when it is complete, and deleted unless it is to be kept.
`Actor_XX/.fetched.json` lists the clips and their sizes: a folder that matches its list is not downloaded again.
"""

import csv
import errno
import hashlib
import importlib.metadata
import json
import re
import shutil
import stat
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import requests
from tqdm import tqdm

from microx_utils.support import cache
from microx_utils.support.errors import DataError

BASE_URL = "https://zenodo.org/records/1188976/files"
LICENCE = "CC BY-NC-SA 4.0 (https://creativecommons.org/licenses/by-nc-sa/4.0/): not for commercial use"
CITATION = (
    "Livingstone SR, Russo FA (2018) The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS):\n"
    "A dynamic, multimodal set of facial and vocal expressions in North American English. PLoS ONE 13(5): e0196391.\n"
    "https://doi.org/10.1371/journal.pone.0196391"
)
ACTORS = range(1, 25)
MARKER = ".fetched.json"
ATTEMPTS = 5
"""How many connections in a row may fail without a single new byte."""
PAUSE, LONGEST_WAIT = 1.0, 120.0
"""Seconds to wait after a failure: the first pause doubles each time. Zenodo counts requests per minute."""
TIMEOUT = (15.0, 60.0)
"""Seconds to connect, and seconds without a byte."""
CHUNK = 64 * 1024
UNPACKED = 1.02
"""Bytes on disk per byte of an archive: H.264 hardly compresses, and the file system adds some overhead."""
GIB = 1024**3
Say = Callable[[str], object]


@dataclass(frozen=True)
class Archive:
    """One file of the Zenodo record: its name, its size in bytes and its MD5 in hex."""

    name: str
    size: int
    md5: str


def read_archives() -> dict[int, Archive]:
    """Return the published archives of RAVDESS's speech videos, by actor."""
    with Path(__file__).with_name("ravdess_archives.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {int(row["file"][-6:-4]): Archive(row["file"], int(row["bytes"]), row["md5"]) for row in rows}


def parse_actors(text: str) -> tuple[int, ...]:
    """Return the actors in a text like "1-4,7", sorted and without repeats.

    Raises ValueError if a part is neither a number nor an ascending range, or there is no such actor.

    >>> parse_actors("7, 1-3,2")
    (1, 2, 3, 7)
    """
    actors: set[int] = set()
    for part in map(str.strip, text.split(",")):
        match = re.fullmatch(r"(\d{1,9})(?:\s*-\s*(\d{1,9}))?", part, re.ASCII)
        if match is None:
            raise ValueError(f"{part!r} is neither an actor nor a range of actors; write for instance 1-4,7")
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise ValueError(f"the range {part!r} runs backwards; write {last}-{first}")
        for end in (first, last):
            if end not in ACTORS:
                raise ValueError(f"there is no actor {end}; RAVDESS has the actors {ACTORS[0]} to {ACTORS[-1]}")
        actors.update(range(first, last + 1))
    return tuple(sorted(actors))


def fetch_ravdess(
    actors: Iterable[int],
    to: Path,
    *,
    base_url: str = BASE_URL,
    archives: Mapping[int, Archive] | None = None,
    keep_archives: bool = False,
    say: Say = print,
) -> list[Path]:
    """Download and unpack the speech videos of some actors; return their folders `to`/Actor_XX.

    Two runs on one folder take turns. A folder Actor_XX that was made by other means is not touched.

    Parameters
    ----------
    actors
        Their numbers, 1 to 24.
    to
        The corpus's folder; made if missing.
    base_url, archives
        Where the archives are (no trailing slash), and what they are, by actor; by default the Zenodo record's.
    keep_archives
        Keep each archive in `to`/archives after unpacking.
    say
        Called with each line of the report.

    Raises
    ------
    DataError
        The disk is too small, the server refuses or keeps failing, an archive is unsafe to unpack, or a folder can't
        be written. Complete actors stay, and so does a partial download, unless its bytes are wrong.
    """
    known = read_archives() if archives is None else archives
    folders = {actor: to / f"Actor_{actor:02d}" for actor in sorted(set(actors))}
    store = to / "archives"
    try:
        with cache.lock(store):
            for leftover in to.glob(".Actor_??.*"):  # of a killed run; the lock excludes other runs
                shutil.rmtree(leftover)
            todo = {actor: known[actor] for actor, folder in folders.items() if _is_wanted(folder, known[actor], say)}
            store.mkdir(exist_ok=True)
            _check_space(store, todo, keep_archives)
            for actor, archive in todo.items():
                packed = fetch_archive(f"{base_url}/{archive.name}", archive, store, say=say)
                say(f"{folders[actor].name}: {unpack(packed, folders[actor], md5=archive.md5)} clips")
                if not keep_archives:
                    packed.unlink()
            if not any(store.iterdir()):
                store.rmdir()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = "Make room, or choose another disk with --to; then run the same command again to continue."
            raise DataError(to, "the disk is full", remedy) from error
        problem = f"can't be written or read ({error.strerror or error})"
        remedy = "Choose another folder with --to, or repair this one's permissions."
        raise DataError(error.filename or to, problem, remedy) from error
    return list(folders.values())


def _is_wanted(folder: Path, archive: Archive, say: Say) -> bool:
    """Return whether an actor must be downloaded; report the state of a folder that isn't empty."""
    nested = folder.parent / Path(archive.name).stem  # some programs unpack an archive into a folder of its own name
    if nested.is_dir() and not folder.exists():
        folder = nested
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return True
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        md5, sizes = marker["md5"], dict(marker["files"])
    except (FileNotFoundError, NotADirectoryError, KeyError, TypeError, ValueError):
        advice = f"not touched (move {folder} away to download it)"
        say(f"{folder.name}: exists already, but was not unpacked by this command, so {advice}")
        return False
    found = {path.name: path.stat().st_size for path in folder.iterdir() if not path.name.startswith(".")}
    if md5 == archive.md5 and sizes.items() <= found.items():
        say(f"{folder.name}: complete, {len(sizes)} clips")
        return False
    if strangers := sorted(found.keys() - sizes.keys()):
        problem = f"is no longer complete, and holds files that are not from the archive: {strangers[:5]}"
        raise DataError(folder, problem, "Move them away, so that the folder can be fetched again.")
    say(f"{folder.name}: no longer complete, so it is fetched again")
    return True


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _check_space(store: Path, todo: Mapping[int, Archive], keep_archives: bool) -> None:
    """Raise DataError unless there is room for all clips and one archive at a time (or all that are kept)."""

    def needed(archives: list[Archive]) -> int:
        missing = [
            max(0, archive.size - max(_size(store / archive.name), _size(store / f"{archive.name}.part")))
            for archive in archives
        ]
        clips = int(UNPACKED * sum(archive.size for archive in archives))
        return clips + (sum(missing) if keep_archives else max(missing, default=0))

    archives, free = list(todo.values()), shutil.disk_usage(store).free
    fit = max(count for count in range(len(todo) + 1) if needed(archives[:count]) <= free)
    if fit == len(todo):
        return
    problem = f"{needed(archives) / GIB:.1f} GiB are needed ({len(todo)} actors, archives and clips)"
    remedy = "Make room or choose another disk with --to: not even one of these actors fits."
    if fit:
        fewer = f"{fit} would fit (--actors {','.join(map(str, list(todo)[:fit]))})"
        remedy = f"Make room, choose another disk with --to, or choose fewer actors: {fewer}."
    raise DataError(store.parent, f"{problem}, {free / GIB:.1f} GiB are free", remedy)


def fetch_archive(url: str, archive: Archive, store: Path, *, say: Say = print) -> Path:
    """Return the path of an archive in the folder `store`, downloaded unless it exists with the right MD5.

    Raises DataError if the server refuses or fails too often, or the MD5 is wrong even after a second, full download.
    """
    packed, part = store / archive.name, store / f"{archive.name}.part"
    if packed.exists() and _md5(packed) == archive.md5:
        return packed
    packed.unlink(missing_ok=True)
    if _size(part) > archive.size:
        part.unlink()
    kept = f", {_size(part) / GIB:.2f} GiB of them here already" if part.exists() else ""
    say(f"{archive.name}: {archive.size / GIB:.2f} GiB{kept}")
    for attempt in ("first", "last"):
        _download(url, part, archive.size, say)
        if _md5(part) == archive.md5:
            return part.replace(packed)
        part.unlink()
        if attempt == "first":
            say(f"{archive.name}: wrong MD5, so it is downloaded once more from the start")
    raise DataError(
        url,
        f"what arrived has the wrong MD5, twice (expected {archive.md5})",
        "Something in the network changes the file, or the record has changed: try another network, or try later.",
    )


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _download(url: str, part: Path, size: int, say: Say) -> None:
    """Grow `part` to `size` bytes, over as many connections as it takes."""
    failures, ask_for_ranges = 0, True
    bar = tqdm(
        total=size, initial=_size(part), unit="B", unit_scale=True, unit_divisor=1024, desc=part.stem, disable=None
    )
    with requests.Session() as session, bar:
        # Zenodo throttles clients that don't identify themselves; ranges count the bytes before any compression.
        version = importlib.metadata.version("microx-utils")
        session.headers.update({"User-Agent": f"microx/{version}", "Accept-Encoding": "identity"})
        while (have := _size(part)) < size:
            wait = 0.0
            asked = {"Range": f"bytes={have}-"} if have and ask_for_ranges else {}
            try:
                with session.get(url, headers=asked, stream=True, timeout=TIMEOUT) as answer:
                    if problem := _problem(answer, have, size):
                        wait = _requested_wait(answer)
                        ask_for_ranges = ask_for_ranges and answer.status_code not in (206, 416)
                    else:
                        problem = "the server ended the transfer early"
                        _append(answer, part, have, size, bar)
            except requests.RequestException as error:
                problem = f"the connection failed ({type(error).__name__})"
            arrived = _size(part)
            if arrived == size:
                return
            failures = 0 if arrived > have else failures + 1
            if failures >= ATTEMPTS:
                remedy = f"The {arrived:,} bytes that arrived are kept: repeat the command to continue from there."
                raise DataError(url, f"{problem}, {failures} times in a row", remedy)
            wait = min(max(wait, PAUSE * 2**failures), LONGEST_WAIT)
            say(f"{part.stem}: {problem}; trying again in {wait:.0f} s")
            time.sleep(wait)


def _problem(answer: requests.Response, have: int, size: int) -> str:
    """Return why an answer does not continue the download after `have` bytes, or ""; raise DataError if none will."""
    status = answer.status_code
    sent, offered = answer.headers.get("Content-Range", ""), answer.headers.get("Content-Length", "")
    if status == 429 or status >= 500:
        return f"the server answered {status} {answer.reason}"
    if status == 416:
        return "the server refuses to go on from a partial file"
    if status not in (200, 206):
        remedy = "Look at https://zenodo.org/records/1188976 in a browser: the record may have moved."
        raise DataError(answer.url, f"the server answered {status} {answer.reason}", remedy)
    if status == 206 and sent not in (f"bytes {have}-{size - 1}/{total}" for total in (size, "*")):
        return f"the server sent another part than asked for ({sent!r})"
    if status == 200 and offered.isdecimal() and int(offered) != size:  # a log-in page, for instance
        return f"the server offers {int(offered):,} bytes, the archive has {size:,}"
    return ""


def _append(answer: requests.Response, part: Path, have: int, size: int, bar: tqdm) -> None:
    skip = have if answer.status_code == 200 else 0  # it starts over; keep what is here, in case it breaks off
    with part.open("ab") as file:
        for chunk in answer.iter_content(CHUNK):
            bar.update(file.write(chunk[skip:][: size - file.tell()]))
            skip = max(0, skip - len(chunk))
            if file.tell() >= size:
                return


def _requested_wait(answer: requests.Response) -> float:
    """Return how many seconds the server asks to wait, in either of two headers; 0 if it does not say."""
    after, reset = answer.headers.get("Retry-After", ""), answer.headers.get("X-RateLimit-Reset", "")
    if after.isdecimal():
        return float(after)
    return float(reset) - time.time() if reset.isdecimal() else 0.0


def unpack(packed: Path, folder: Path, *, md5: str) -> int:
    """Unpack the clips (`.mp4`) of an archive directly into `folder`, all or none; return how many.

    An existing folder is replaced. `md5` is the archive's, for the folder's list of clips.

    Raises
    ------
    DataError
        The file is not an intact zip archive, a member could lead out of the folder, is encrypted or not a regular
        file, two clips share a name, or there is no clip. Nothing is written then.
    """
    try:
        with zipfile.ZipFile(packed) as archive:
            clips = _clips(archive, packed)
            sizes = {name: member.file_size for name, member in clips.items()}
            with cache.atomic_folder(folder) as temporary:
                for name, member in clips.items():
                    member.filename = name  # without the archive's folders
                    archive.extract(member, temporary)
                listing = {"archive": packed.name, "md5": md5, "files": sizes}
                (temporary / MARKER).write_text(json.dumps(listing, indent=1) + "\n", encoding="utf-8")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        remedy = "Remove it, and run the same command again."
        raise DataError(packed, f"not an intact zip archive ({error})", remedy) from error
    return len(clips)


def _clips(archive: zipfile.ZipFile, packed: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the clips of an archive by file name; raise DataError if any member, clip or not, is suspicious."""
    clips: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename.rpartition("/")[2]
        is_clip = name.lower().endswith(".mp4") and not name.startswith(".")
        problem = unsafe(member)
        if is_clip and name.lower() in map(str.lower, clips):
            problem = problem or "is a second clip of that name"
        if problem:
            remedy = "Don't unpack it by other means: remove it, and find out where it came from."
            raise DataError(packed, f"its member {member.orig_filename!r} {problem}; nothing was unpacked", remedy)
        if is_clip:
            clips[name] = member
    if not clips:
        raise DataError(packed, "holds no .mp4 file", "Remove it, and run the same command again.")
    return clips


def unsafe(member: zipfile.ZipInfo) -> str:
    """Return what is wrong with a member of an archive, or ""."""
    name, kind = member.orig_filename, stat.S_IFMT(member.external_attr >> 16)
    parts = set(name.removesuffix("/").split("/"))
    # zipfile cuts a name at a zero byte and, on Windows, turns its backslashes round
    if name != member.filename or not name.isprintable() or set(name) & set("\\:") or parts & {"", ".", ".."}:
        return "has a path that could lead out of the folder"
    if kind not in (0, stat.S_IFDIR if member.is_dir() else stat.S_IFREG):  # 0: made on a system without such kinds
        return "is neither a file nor a folder (a link, perhaps)"
    return "is encrypted" if member.flag_bits & 1 else ""
