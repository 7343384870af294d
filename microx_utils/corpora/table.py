"""What all corpus readers share: the clip table's columns, a row of it, and the walk over a folder's videos."""

import csv
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from microx_utils.labels import CLIP_COLUMNS, emotion_of
from microx_utils.support.delimited import read_text, split_header
from microx_utils.support.errors import DataError
from microx_utils.support.names import folded, person_key

ROW_COLUMNS = [*CLIP_COLUMNS[:-1], "reason", "note"]
VIDEO_SUFFIXES = {".mp4", ".m4v", ".avi", ".mov", ".flv", ".mkv", ".mpg", ".mpeg", ".wmv", ".webm", ".3gp", ".3g2"}


@dataclass(frozen=True)
class Corpus:
    """One corpus: what it is, how to get it, and how to read it.

    Attributes
    ----------
    name
        As in the clip table's `corpus`, and in `--data NAME=PATH`.
    about
        One line: who shows what, how many clips, which kind.
    licence, source
        The terms of use, and where it comes from.
    labels
        The corpus's own words for what is shown; each is in `labels.LABEL_TO_EMOTION` or
        `labels.UNMAPPED_LABELS`.
    layout
        The folder's layout, for messages.
    read
        Returns rows of the clip table, and of what can't be used, for the corpus's folder: `ROW_COLUMNS`, with an empty
        `reason` for a usable clip. Raises DataError if the folder is not the corpus at all.
    """

    name: str
    about: str
    licence: str
    source: str
    labels: tuple[str, ...]
    layout: str
    read: Callable[[Path], pd.DataFrame]


def clip_rows(rows: list[dict[str, str]]) -> pd.DataFrame:
    """Return the table of some rows of `clip_row`."""
    return pd.DataFrame(rows, columns=ROW_COLUMNS)  # named, for a corpus without files


def one_spelling(rows: pd.DataFrame) -> pd.DataFrame:
    """Return clip rows in which each person is written in one way: "Ece" and "ece", 1 and "01" are one person.

    The first spelling in sorted order is kept. Rows that had another say so in `note`, and a warning lists the names.
    """
    rows = rows.copy()
    changed = pd.Series("", rows.index)
    for column in ("subject", "split_group"):
        keys = rows[column].map(lambda name: "/".join((name.partition("/")[0], person_key(name.partition("/")[2]))))
        kept = rows[column].groupby(keys).transform("min")
        changed = changed.where(rows[column] == kept, rows[column] + " is also written " + kept)
        rows[column] = kept
    other = changed != ""
    if other.any():
        listed = "; ".join(sorted(set(changed[other]))[:5])
        warnings.warn(f"people in two spellings, each taken for one person: {listed}", stacklevel=2)
        notes = rows.loc[other, "note"]
        rows.loc[other, "note"] = notes + notes.map(lambda note: "; " if note else "") + changed[other]
    return rows


def class_of(label: str) -> tuple[str, str]:
    """Return (class, "") or ("", reason) for a label word."""
    if not label:
        return "", "no label"
    try:
        emotion = emotion_of(label)
    except ValueError:
        return "", f"unknown label {label!r}"
    return (emotion, "") if emotion else ("", f"label {label!r} is outside the seven classes")


def clip_row(
    corpus: str,
    clip_id: str,
    subject: str,
    label: str = "",
    emotion: str = "",
    path: Path | str | None = None,
    condition: str = "plain",
    group: str = "",
    reason: str = "",
    note: str = "",
    split_group: str = "",
) -> dict[str, str]:
    """Return one row: a clip, or something that can't be used, with the `reason`.

    `group` names the corpora that show the same people, by default this corpus alone. `split_group` is by default the
    subject; give it if two people are filmed together ("Ses01").
    """
    group = group or corpus
    person = f"{group}/{subject}"
    row = {
        "clip_id": f"{corpus}/{clip_id}",
        "corpus": corpus,
        "subject": person,
        "emotion": emotion,
        "source_label": label,
        "path": str(path) if path else "",
        "condition": condition,
        "split_group": f"{group}/{split_group}" if split_group else person,
        "reason": reason,
        "note": note,
    }
    if any("\udc80" <= letter <= "\udcff" for letter in row["path"]):  # surrogates for bytes that are not UTF-8
        row = {key: value.encode("utf-8", "backslashreplace").decode() for key, value in row.items()}
        row |= {"emotion": "", "reason": "the file's name is not UTF-8: rename it"}
    return row


def find_videos(folder: Path) -> Iterator[Path]:
    """Yield the video files below `folder`, sorted; suffixes in any case, broken links too, nothing hidden.

    Raises DataError for a folder that can't be opened, because its videos would be missing unnoticed.
    """
    if not folder.is_dir():
        return

    def refuse(error: OSError) -> None:
        where = error.filename or folder
        raise DataError(where, f"can't be opened ({error.strerror})", "Make the folder readable, or move it elsewhere.")

    found, seen = [], set()
    for place, folders, names in os.walk(folder, onerror=refuse, followlinks=True):  # from other disks
        if Path(place).resolve() in seen:  # a link to a parent folder would never end
            folders.clear()
            continue
        seen.add(Path(place).resolve())
        folders[:] = [name for name in folders if not name.startswith(".")]  # `microx data fetch` unpacks into one
        found += [Path(place) / name for name in names]
    for path in sorted(found):
        if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith("."):
            yield path


def only_file(folder: Path, name: str, layout: str) -> Path:
    """Return `folder/name` in any case; raise DataError, with the layout, if it is missing."""
    for path in sorted(folder.iterdir()):
        if path.name.lower() == name.lower():
            return path
    found = sorted(path.name for path in folder.iterdir())[:12]
    remedy = f"Copy it from the archive, and keep this layout:\n{layout}"
    raise DataError(folder / name, f"the annotation sheet is missing; the folder holds {found}", remedy)


def wrong_folder(folder: Path, name: str, layout: str) -> DataError:
    """Return the error for a folder that does not look like the corpus: what was expected and what was found."""
    remedy = f"Expected this layout:\n{layout}"
    if not folder.is_dir():
        return DataError(folder, f"{name} is not here: no such folder", remedy)
    found = sorted(path.name for path in folder.iterdir())[:12]
    deeper = next((path for path in sorted(folder.rglob("*/*")) if path.is_file()), None)
    example = f", for instance {deeper.relative_to(folder).as_posix()}" if deeper else ""
    return DataError(folder, f"this folder is not {name}; it holds {found or 'nothing'}{example}", remedy)


def not_a_video(path: Path) -> str:
    """Return why a file can't be a video, as far as its first bytes tell; "" if it may be one."""
    try:
        with path.open("rb") as file:
            start = file.read(24)
    except OSError as error:
        return f"the file can't be read ({error.strerror})"
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the video: run `git lfs pull`"
    return "" if start else "the file is empty"


SAME_TAKE = "another file holds the same take"


def one_of(files: Sequence[Path]) -> list[tuple[Path, str]]:
    """Return (file, reason) for files of one and the same take, the one to use first.

    Earlier files are preferred, but not one that is no video at all. Only the file to use has an empty reason.
    """
    reasons = {path: not_a_video(path) for path in files}
    first, *others = sorted(files, key=lambda path: bool(reasons[path]))
    return [(first, reasons[first]), *((path, reasons[path] or SAME_TAKE) for path in others)]


LABEL_SHEET = "labels.csv"
"""A table that users may write if a corpus's own labels can't be read: columns file, subject, emotion."""


def user_labels(folder: Path) -> dict[str, tuple[str, str, str]]:
    """Return file -> (subject, emotion, reason) of a `labels.csv` in `folder`; empty if there is none.

    `file` is a path below the folder or a bare name, folded, with "/". `reason` says what is wrong with a row.

    Raises
    ------
    DataError
        The table can't be read or lacks a column.
    """
    sheet = next((path for path in sorted(folder.glob("*")) if path.name.lower() == LABEL_SHEET), None)
    if sheet is None:
        return {}
    separator, header, rest = split_header(read_text(sheet))
    table = csv.DictReader([header, *rest.split("\n")], delimiter=separator)
    columns = {folded(name): name for name in table.fieldnames or ()}
    if missing := [name for name in ("file", "subject", "emotion") if name not in columns]:
        raise DataError(
            sheet, f"lacks the columns {missing}; it has {[*columns]}", "Write file,subject,emotion on top."
        )
    labels: dict[str, tuple[str, str, str]] = {}
    names = Counter(folded(path.name) for path in find_videos(folder))
    try:
        rows = list(table)
    except csv.Error as error:
        raise DataError(sheet, f"isn't readable as a table ({error})", "Close every quote on its own line.") from error
    for row in rows:
        file, subject, emotion = ((row[columns[name]] or "").strip() for name in ("file", "subject", "emotion"))
        file = folded(file.replace("\\", "/").removeprefix("./"))
        reason = "" if file and subject and emotion else f"a row of {LABEL_SHEET} lacks its file, subject or emotion"
        if names[file] > 1:
            reason = f"a row of {LABEL_SHEET} fits several files: write the folder too"
        if file in labels:
            reason = f"two rows of {LABEL_SHEET} for one file"
        labels[file] = (subject, folded(emotion), reason)
    return labels


class Description(NamedTuple):
    """What names and annotations say about one video; unknown texts are empty, a `fault` excludes the clip."""

    subject: str
    label: str
    fault: str = ""
    note: str = ""
    recognised: bool = True
    """Whether the video looks like one of this corpus at all."""


def read_with_labels(
    corpus: str, folder: Path, layout: str, *, clip_id: Callable[[Path], str], describe: Callable[[Path], Description]
) -> pd.DataFrame:
    """Return the rows of a corpus for which users may write `labels.csv`; its rows win over `describe`.

    Parameters
    ----------
    corpus, layout
        As in `Corpus`.
    folder
        The corpus's folder.
    clip_id
        Takes a video's path relative to `folder`, without suffix. Videos with equal ids are copies of one clip.
    describe
        Called with the path of each video that has no row in `labels.csv`.

    Raises
    ------
    DataError
        No video is recognised and there is no `labels.csv`, or it can't be read.
    """
    labels = user_labels(folder)
    clips: dict[str, list[Path]] = {}
    for path in find_videos(folder):
        clips.setdefault(clip_id(path.relative_to(folder).with_suffix("")), []).append(path)
    rows, used, recognised = [], set[str](), bool(labels)
    for name, files in clips.items():
        for path, repeated in one_of(files):
            keys = folded(path.relative_to(folder).as_posix()), folded(path.name)
            key = next((key for key in keys if key in labels), None)
            if key is None:
                found = describe(path)
            else:
                used.add(key)
                found = Description(*labels[key])
            recognised = recognised or found.recognised
            emotion, reason = class_of(found.label)
            reason = repeated or found.fault or reason
            subject = found.subject or "unknown"
            rows.append(clip_row(corpus, name, subject, found.label, emotion, path, reason=reason, note=found.note))
    if not recognised:
        raise wrong_folder(folder, corpus, layout)
    unused = f"a row of {LABEL_SHEET} without a video"
    for key, (subject, label, fault) in labels.items():
        if key not in used:
            rows.append(clip_row(corpus, key, subject, label, reason=fault or unused))
    return clip_rows(rows)
