"""RAVDESS from Zenodo: `microx data fetch ravdess`. What is under its final name is whole, whatever broke off before.

A download grows as `archives/<name>.zip.part` and goes on from there; pooch takes it over once its md5 is the
published one. Each actor's archive is then unpacked into a hidden folder, renamed to `Actor_XX` at the end, and deleted
(unless it is to be kept). `Actor_XX/.fetched.json` lists the files and their bytes: a folder that still agrees with its
list is not fetched again, even after its archive is gone.
"""

import csv
import errno
import importlib.metadata
import json
import os
import re
import shutil
import stat
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pooch
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
"""How often in a row a server may fail without sending one new byte."""
LONGEST_WAIT = 120.0
"""Seconds; Zenodo counts requests by the minute, so waiting longer for it gains nothing."""
TIMEOUT = (15.0, 60.0)
"""Seconds to connect, and without a byte."""
CHUNK = 64 * 1024
"""Bytes written at a time; at most so many are lost when a connection drops."""
UNPACKED = 1.02
"""Bytes unpacked for each byte of an archive: H.264 hardly compresses, and a file system has its own overhead."""
GIB = 1024**3


@dataclass(frozen=True)
class Archive:
    """One file of the Zenodo record: its name, its size in bytes and its md5 in hex."""

    name: str
    size: int
    md5: str


class _Broken(Exception):
    """An attempt failed and another may succeed, after at least `wait` seconds."""

    def __init__(self, problem: str, wait: float = 0.0, *, plain: bool = False) -> None:
        super().__init__(problem)
        self.wait, self.plain = wait, plain


def read_archives() -> dict[int, Archive]:
    """Return the published archives of RAVDESS's speech videos, by the actor's number."""
    with Path(__file__).with_name("ravdess_archives.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {int(row["file"][-6:-4]): Archive(row["file"], int(row["bytes"]), row["md5"]) for row in rows}


def parse_actors(text: str) -> tuple[int, ...]:
    """Return the actors that a text like "1-4,7" means, each once, in order.

    >>> parse_actors("7, 1-3,2")
    (1, 2, 3, 7)

    Raises
    ------
    ValueError
        A part is neither a number nor a range, a range runs backwards, or an actor isn't one of the 24.
    """
    actors: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", part, re.ASCII)
        if match is None:
            raise ValueError(f"{part.strip()!r} is neither an actor nor a range of actors; write for instance 1-4,7")
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise ValueError(f"the range {part.strip()!r} runs backwards; write {last}-{first}")
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
    say: Callable[[str], object] = print,
    pause: float = 1.0,
    bar: bool | None = None,
) -> list[Path]:
    """Fetch and unpack the speech videos of some actors: `to`/Actor_XX/*.mp4.

    Two runs on one folder wait for each other. A folder Actor_XX that this function did not make is left as it is.

    Parameters
    ----------
    actors
        Their numbers, 1 to 24.
    to
        The corpus's folder, made if it is missing.
    base_url
        Where the archives lie, without a slash at the end.
    archives
        What the archives are, by actor; by default those of the Zenodo record.
    keep_archives
        Keep each archive in `to`/archives after unpacking, instead of deleting it.
    say
        Takes each line of the report.
    pause
        Seconds before a dropped connection is tried again; doubled with each attempt that brings nothing.
    bar
        Show a progress bar; by default only on a terminal.

    Returns
    -------
    The actors' folders.

    Raises
    ------
    DataError
        The disk is too small, the server refuses or keeps sending something else, an archive is unsafe to unpack, or a
        folder can't be written. What has arrived whole stays; a partial download stays as a `.part` file, unless its
        bytes are wrong.
    """
    known = read_archives() if archives is None else archives
    chosen = {actor: known[actor] for actor in sorted(set(actors))}
    store = to / "archives"
    try:
        with cache.lock(store):
            _sweep(to, store)
            todo = [actor for actor, archive in chosen.items() if _wanted(to / _name(actor), archive, say)]
            if todo:
                store.mkdir(exist_ok=True)
                _check_space(to, store, {actor: chosen[actor] for actor in todo}, keep_archives)
            for actor in todo:
                archive, folder = chosen[actor], to / _name(actor)
                packed = fetch_archive(f"{base_url}/{archive.name}", archive, store, say=say, pause=pause, bar=bar)
                count = unpack(packed, folder, md5=archive.md5)
                say(f"{folder.name}: {count} clips")
                if not keep_archives:
                    packed.unlink()
            if store.is_dir() and not any(store.iterdir()):
                store.rmdir()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = "Make room, or choose another disk with --to; then the same command goes on where it stopped."
            raise DataError(to, "the disk is full", remedy) from error
        remedy = "Choose another folder with --to, or repair this one's permissions."
        raise DataError(
            error.filename or to, f"can't be written or read ({error.strerror or error})", remedy
        ) from error
    return [to / _name(actor) for actor in chosen]


def _name(actor: int) -> str:
    return f"Actor_{actor:02d}"


def _sweep(to: Path, store: Path) -> None:
    """Remove what a killed run left under temporary names; nobody else can be using it, since the lock is held."""
    for path in to.iterdir():
        if re.fullmatch(r"\.Actor_\d\d\.\w{8}", path.name) and path.is_dir():
            shutil.rmtree(path)
    for path in store.iterdir() if store.is_dir() else ():
        if re.fullmatch(r"tmp\w{8}", path.name):
            path.unlink()


def _wanted(folder: Path, archive: Archive, say: Callable[[str], object]) -> bool:
    """Tell whether an actor has to be fetched, and say why not."""
    nested = folder.parent / Path(archive.name).stem  # some programs unpack an archive into a folder of its name
    if nested.is_dir() and not folder.exists():
        folder = nested
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return True
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        md5, sizes = str(marker["md5"]), dict(marker["files"])
    except (FileNotFoundError, NotADirectoryError, KeyError, TypeError, ValueError):
        say(
            f"{folder.name}: here already, but not unpacked by this command, so left as it is "
            f"(move {folder} away to have it fetched)"
        )
        return False
    here = {path.name: path.stat().st_size for path in folder.iterdir() if not path.name.startswith(".")}
    if md5 == archive.md5 and sizes.items() <= here.items():
        say(f"{folder.name}: whole, {len(sizes)} clips")
        return False
    strangers = sorted(here.keys() - sizes.keys())
    if strangers:
        problem = f"is no longer whole, and holds files that are not of the archive: {strangers[:5]}"
        raise DataError(folder, problem, "Move them away, so that the folder can be fetched anew.")
    say(f"{folder.name}: no longer whole, so it is fetched anew")
    return True


def _check_space(to: Path, store: Path, todo: Mapping[int, Archive], keep_archives: bool) -> None:
    """Raise DataError unless `todo` fits on the disk: all clips, and one archive at a time (or all that are kept)."""

    def needed(some: Iterable[Archive]) -> int:
        some = list(some)
        missing = [archive.size - min(archive.size, _arrived(store, archive)) for archive in some]
        return int(sum(archive.size for archive in some) * UNPACKED) + (sum(missing) if keep_archives else max(missing))

    free, need = shutil.disk_usage(to).free, needed(todo.values())
    if need <= free:
        return
    numbers = list(todo)
    fit = max((count for count in range(1, len(todo)) if needed([todo[n] for n in numbers[:count]]) <= free), default=0)
    fewer = (
        f"choose fewer actors: {fit} would fit (--actors {','.join(map(str, numbers[:fit]))})"
        if fit
        else "there is not room for a single one of these actors"
    )
    raise DataError(
        to,
        f"{need / GIB:.1f} GiB are needed ({len(todo)} actors, archives and clips), {free / GIB:.1f} GiB are free",
        f"Make room, choose another disk with --to, or {fewer}."
        if fit
        else f"Make room or choose another disk with --to: {fewer}.",
    )


def _arrived(store: Path, archive: Archive) -> int:
    """Return how many bytes of an archive are here, whole or partial."""
    for path in (store / archive.name, store / f"{archive.name}.part"):
        if path.exists():
            return path.stat().st_size
    return 0


def fetch_archive(
    url: str,
    archive: Archive,
    store: Path,
    *,
    say: Callable[[str], object] = print,
    pause: float = 1.0,
    bar: bool | None = None,
) -> Path:
    """Return the path of an archive in `store`, fetched unless it is there with the right md5.

    Parameters
    ----------
    url, archive, store
        Where it is, what it is, and the folder to keep it in.
    say, pause, bar
        As for `fetch_ravdess`.

    Raises
    ------
    DataError
        The server refuses, fails too often, or what it sends has the wrong md5 twice (the second time fetched from
        the first byte on).
    """
    part = store / f"{archive.name}.part"

    def download(url: str, output_file: str, _: object) -> None:
        here = part.stat().st_size if part.exists() else 0
        kept = f", {here / GIB:.2f} GiB of them here already" if here else ""
        say(f"{archive.name}: {archive.size / GIB:.2f} GiB{kept}")
        _download(url, part, archive.size, say=say, pause=pause, bar=bar)
        # pooch deletes its temporary file if it is interrupted while it computes the md5: a second name for the same
        # bytes keeps them. Some file systems have no such links, and there only that second is at risk.
        Path(output_file).unlink(missing_ok=True)
        try:
            os.link(part, output_file)
        except OSError:
            part.replace(output_file)

    pooch.get_logger().setLevel("WARNING")
    for attempt in (1, 2):
        try:
            packed = pooch.retrieve(
                url, known_hash=f"md5:{archive.md5}", fname=archive.name, path=store, downloader=download
            )
        except ValueError as error:  # pooch's word for a wrong md5
            part.unlink(missing_ok=True)
            if attempt == 2:
                raise DataError(
                    url,
                    f"what arrived has the wrong md5, twice (expected {archive.md5})",
                    "Something on the way changes the file, or the record was changed: try another network, or later.",
                ) from error
            say(f"{archive.name}: wrong md5, so it is fetched once more from the start")
        else:
            part.unlink(missing_ok=True)
            return Path(packed)
    raise AssertionError("unreachable")


def _download(url: str, part: Path, size: int, *, say: Callable[[str], object], pause: float, bar: bool | None) -> None:
    """Let `part` grow to `size` bytes, over as many connections as it takes."""
    failures, ranges = 0, True
    version = importlib.metadata.version("microx-utils")
    # Zenodo slows down clients that don't say who they are; "identity" because positions are counted in plain bytes.
    headers = {"User-Agent": f"microx/{version} (pooch {pooch.__version__})", "Accept-Encoding": "identity"}
    with (
        requests.Session() as session,
        tqdm(
            total=size,
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            desc=part.stem,
            disable=None if bar is None else not bar,
        ) as shown,
    ):
        session.headers.update(headers)
        while True:
            have = part.stat().st_size if part.exists() else 0
            if have > size:
                part.unlink()
                have = 0
            shown.update(have - shown.n)
            if have == size:
                return
            try:
                _receive(session, url, part, have, size, ranges=ranges, count=shown.update)
                problem, wait = "the server ended the transfer early", 0.0
            except _Broken as error:
                problem, wait = str(error), error.wait
                ranges = ranges and not error.plain
            except requests.RequestException as error:
                problem, wait = f"the connection failed ({type(error).__name__})", 0.0
            arrived = part.stat().st_size if part.exists() else 0
            if arrived == size:
                continue
            failures = 0 if arrived > have else failures + 1
            if failures >= ATTEMPTS:
                raise DataError(
                    url,
                    f"{problem}, {failures} times in a row",
                    f"The {arrived:,} bytes that arrived are kept: run the same command again to go on from there.",
                )
            wait = min(max(wait, pause * 2**failures), LONGEST_WAIT)
            say(f"{part.stem}: {problem}; trying again in {wait:.0f} s")
            time.sleep(wait)


def _receive(
    session: requests.Session,
    url: str,
    part: Path,
    have: int,
    size: int,
    *,
    ranges: bool,
    count: Callable[[int], object],
) -> None:
    """Append to `part` what one connection brings; raise _Broken if another attempt may do better."""
    ask = {"Range": f"bytes={have}-"} if have and ranges else {}
    with session.get(url, headers=ask, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == 429 or answer.status_code >= 500:
            raise _Broken(f"the server answered {answer.status_code} {answer.reason}", _asked_to_wait(answer))
        if answer.status_code == 416:  # it knows fewer bytes than are here, or no ranges at all
            raise _Broken("the server refuses to go on from a partial file", plain=True)
        if answer.status_code not in (200, 206):
            raise DataError(
                url,
                f"the server answered {answer.status_code} {answer.reason}",
                "Look at https://zenodo.org/records/1188976 in a browser: the record may have moved.",
            )
        skip = 0
        if answer.status_code == 206:
            given = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", "").strip())
            if given is None or int(given[1]) != have or given[2] not in ("*", str(size)):
                problem = f"the server sent another part than asked for ({answer.headers.get('Content-Range')!r})"
                raise _Broken(problem, plain=True)
        else:
            offered = answer.headers.get("Content-Length", "")
            if offered.isdecimal() and int(offered) != size:  # a log-in page, for instance: don't touch what is here
                raise _Broken(f"the server offers {int(offered):,} bytes, the archive has {size:,}")
            skip = have  # it begins at the first byte again: what is here stays, so that a second drop loses nothing
        with part.open("ab") as file:
            for chunk in answer.iter_content(CHUNK):
                fresh = chunk[skip:]
                skip -= len(chunk) - len(fresh)
                fresh = fresh[: size - file.tell()]
                file.write(fresh)
                count(len(fresh))
                if file.tell() >= size:
                    return


def _asked_to_wait(answer: requests.Response) -> float:
    """Return the seconds that a server asks for, in either of two headers; 0 if it does not say."""
    after, reset = answer.headers.get("Retry-After", ""), answer.headers.get("X-RateLimit-Reset", "")
    if after.isdecimal():
        return float(after)
    return max(0.0, float(reset) - time.time()) if reset.isdecimal() else 0.0


def unpack(packed: Path, folder: Path, *, md5: str) -> int:
    """Unpack the clips (`.mp4`) of an archive into a folder, all or nothing; return how many.

    Whatever folders the archive has, its clips lie directly in `folder`, which is replaced if it is there. Nothing is
    written before every member has been checked.

    Parameters
    ----------
    packed, folder
        The zip file, and where its clips go.
    md5
        The archive's, for the folder's marker.

    Raises
    ------
    DataError
        The file is not a sound zip archive; a member's path is absolute or leads out of the folder, or it is encrypted
        or no regular file; two clips have one name; there is no clip; or the disk is too small.
    """
    again = "Remove it, and run the same command again."
    try:
        with zipfile.ZipFile(packed) as archive:
            clips = _checked(archive, packed)
            need, free = sum(clip.file_size for clip in clips.values()), shutil.disk_usage(folder.parent).free
            if need > free:
                problem = f"{need / GIB:.2f} GiB are needed to unpack it, {free / GIB:.2f} GiB are free"
                raise DataError(packed, problem, "Make room; then the same command goes on where it stopped.")
            with cache.atomic_folder(folder) as temporary:
                for name, member in clips.items():
                    # Readers look for videos in every folder, this one included: half a clip must not look like one.
                    with archive.open(member) as source, (temporary / f"{name}.part").open("xb") as target:
                        shutil.copyfileobj(source, target, 1024 * 1024)
                for name in clips:
                    (temporary / f"{name}.part").rename(temporary / name)
                marker = {
                    "archive": packed.name,
                    "md5": md5,
                    "files": {name: clip.file_size for name, clip in clips.items()},
                }
                (temporary / MARKER).write_text(json.dumps(marker, indent=1) + "\n", encoding="utf-8")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DataError(packed, f"not a sound zip archive ({error})", again) from error
    return len(clips)


def _checked(archive: zipfile.ZipFile, packed: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the clips of an archive by file name; raise DataError if any member, clip or not, is suspicious."""
    clips: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        problem = unsafe(member)
        name = member.filename.rsplit("/", 1)[-1]
        is_clip = name.lower().endswith(".mp4") and not name.startswith(".")
        if not problem and is_clip and name.lower() in map(str.lower, clips):
            problem = "is a second clip of that name"
        if problem:
            raise DataError(
                packed,
                f"its member {member.orig_filename!r} {problem}; nothing was unpacked",
                "Don't unpack it by other means: remove it, and find out where it came from.",
            )
        if is_clip:
            clips[name] = member
    if not clips:
        raise DataError(packed, "holds no .mp4 file", "Remove it, and run the same command again.")
    return clips


def unsafe(member: zipfile.ZipInfo) -> str:
    """Return what is wrong with a member of an archive, "" if nothing.

    Both the name as it stands in the archive and the name that Python makes of it count: they differ after a zero byte
    and, on Windows, in the slashes.
    """
    for name in (member.orig_filename, member.filename):
        if name.startswith("/") or "\\" in name:
            return "has an absolute path or a backslash"
        if ":" in name:
            return "names a drive or a stream"
        if any(part in ("", ".", "..") for part in name.removesuffix("/").split("/")):
            return "leads out of the folder or has an empty part"
        if not name.isprintable():
            return "has a character that can't be printed"
    kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where the archive was made on a system without such kinds
    if kind not in (0, stat.S_IFDIR if member.is_dir() else stat.S_IFREG):
        return "is neither a file nor a folder (a link, perhaps)"
    if member.flag_bits & 1:
        return "is encrypted"
    return ""
