"""What every corpus reader shares: the clip table's columns, a row of it, and the walk over a folder's videos."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from microx_utils.errors import DataError
from microx_utils.labels import emotion_of

CLIP_COLUMNS = ["clip_id", "corpus", "subject", "emotion", "source_label", "path", "condition", "split_group", "note"]
ROW_COLUMNS = [*CLIP_COLUMNS[:-1], "reason", "note"]
EXCLUDED_COLUMNS = ["corpus", "clip_id", "path", "source_label", "reason"]
VIDEO_SUFFIXES = {".mp4", ".avi", ".mov", ".flv", ".mkv"}


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
        What one may do with it, and where it comes from.
    labels
        The corpus's own words for what is shown; each stands in `labels.LABEL_TO_EMOTION` or
        `labels.UNMAPPED_LABELS`.
    layout
        What the folder looks like, for messages.
    read
        Returns rows of the clip table, and of what can't be used, for the folder that holds the corpus: `ROW_COLUMNS`,
        `reason` empty for a usable clip. Raises DataError if the folder is not the corpus at all.
    """

    name: str
    about: str
    licence: str
    source: str
    labels: tuple[str, ...]
    layout: str
    read: Callable[[Path], pd.DataFrame]


def clip_rows(rows: list[dict[str, str]]) -> pd.DataFrame:
    """Return the table of `clip_row`s."""
    return pd.DataFrame(rows, columns=ROW_COLUMNS)  # a corpus without files has no rows, but these columns


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
) -> dict[str, str]:
    """Return one row: a clip, or with a `reason` what can't be used. `group` is the corpora that share their people."""
    person = f"{group}/{subject}"
    return {
        "clip_id": f"{corpus}/{clip_id}",
        "corpus": corpus,
        "subject": person,
        "emotion": emotion,
        "source_label": label,
        "path": str(path) if path else "",
        "condition": condition,
        "split_group": person,
        "reason": reason,
        "note": note,
    }


def find_videos(folder: Path) -> Iterator[Path]:
    """Yield video files below `folder` in a stable order, whatever the case of their suffix."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file() and not path.name.startswith("."):
            yield path


def only_file(folder: Path, name: str) -> Path:
    """Return `folder/name`, found whatever its case."""
    for path in sorted(folder.iterdir()):
        if path.name.lower() == name.lower():
            return path
    found = sorted(path.name for path in folder.iterdir())[:12]
    raise DataError(
        folder / name, f"the annotation sheet is missing; the folder holds {found}", "Copy it from the archive."
    )
