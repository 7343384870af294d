"""Corpora on disk -> the clip table (paper, section II).

Each reader walks one corpus's own layout and returns rows of the clip table; the rest of the project never sees a
folder name or an annotation sheet. The words in the Emotion column decide; the codes are checked against them.
Layouts are those of the distributed archives, as far as public loaders show them:

    BAUM-1/BAUM1a_MP4_all/s001/S001_001.mp4      BAUM-1/Annotations_BAUM1a.xlsx     (acted)
    BAUM-1/BAUM1s_MP4 - All/s001/S001_002.mp4    BAUM-1/Annotations_BAUM1s.xlsx     (spontaneous)
    BAUM-2/BAUM-2_S001-S050/S001/avi/001.avi     BAUM-2/Annotations.xlsx
    own/<person>/<emotion>_<plain|mask>_<n>.mp4
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path

import pandas as pd

from microx_utils.errors import DataError
from microx_utils.labels import emotion_of
from microx_utils.paths import SAMPLE

CLIP_COLUMNS = ["clip_id", "corpus", "subject", "emotion", "source_label", "path", "condition", "split_group", "note"]
ROW_COLUMNS = [*CLIP_COLUMNS[:-1], "reason", "note"]
EXCLUDED_COLUMNS = ["corpus", "clip_id", "path", "source_label", "reason"]
VIDEO_SUFFIXES = {".mp4", ".avi", ".mov", ".flv", ".mkv"}

BAUM1A_CODES = dict(
    enumerate(
        ["anger", "boredom", "disgust", "fear", "happiness", "interest", "sadness", "surprise", "unsure"], start=1
    )
)
BAUM1S_CODES = dict(
    enumerate(
        [
            "anger",
            "boredom",
            "bothered",
            "concentrating",
            "contempt",
            "disgust",
            "fear",
            "happiness",
            "neutral",
            "sadness",
            "surprise",
            "thinking",
            "unsure",
        ],
        start=1,
    )
)
BAUM2_CODES = dict(enumerate(["neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"]))
"""BAUM-2's codes are inferred from one public loader; where a word disagrees, the word wins."""

SAME_WORD = {"angry": "anger", "happy": "happiness", "sad": "sadness", "surprised": "surprise", "fearful": "fear"}
"""Spellings that mean the same label, so that a code is compared with a word and not with its spelling."""


def load_clips(
    data: str | PathLike[str] = "sample", *, corpora: Sequence[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the clip table of a data folder, and the list of what was left out.

    Parameters
    ----------
    data
        `"sample"` for the rendered people shipped in `data/sample`, or a folder that holds BAUM-1 and/or BAUM-2.
    corpora
        Which of `READERS` to read; by default the three parts of BAUM that the folder has (never `own`).

    Returns
    -------
    clips
        One row a clip: clip_id ("BAUM-2/S001_001": unique across corpora), corpus, subject ("BAUM-1/S001": one person
        in BAUM-1a and BAUM-1s is one subject, S001 of BAUM-2 another), emotion (one of `EMOTIONS`), source_label,
        path, condition ("plain" or "mask"), split_group (whoever must stay on one side of a split; the subject), note
        (where an annotation's code disagrees with its word; empty otherwise). Sorted by clip_id.
    excluded
        One row a clip or annotation that could not be used: corpus, clip_id, path, source_label, reason.

    Raises
    ------
    DataError
        The folder or an annotation sheet is missing or unreadable, or nothing usable was found.
    ValueError
        `corpora` names an unknown corpus.
    """
    root = SAMPLE if data == "sample" else Path(data).expanduser()
    if not root.is_dir():
        raise DataError(root, "this data folder does not exist", f"Give a folder laid out like this:\n{LAYOUT}")
    unknown = sorted(set(corpora or ()) - set(READERS))
    if unknown:
        raise ValueError(f"unknown corpora {unknown}; choose from {sorted(READERS)}")

    tables = []
    for corpus in corpora or BAUM:
        folder = root / FOLDERS[corpus]
        if _present(corpus, folder):
            tables.append(READERS[corpus](folder))
        elif corpora:
            raise DataError(folder, f"{corpus} is not here", f"Expected this layout:\n{LAYOUT}")
    if not tables:
        found = sorted(path.name for path in root.iterdir())[:12]
        raise DataError(root, f"no corpus found; the folder holds {found}", f"Expected this layout:\n{LAYOUT}")

    rows = pd.concat(tables, ignore_index=True).sort_values("clip_id", kind="stable", ignore_index=True)
    usable = rows["reason"] == ""
    clips = rows.loc[usable, CLIP_COLUMNS].reset_index(drop=True)
    excluded = rows.loc[~usable, EXCLUDED_COLUMNS].reset_index(drop=True)
    if clips.empty:
        reasons = excluded["reason"].value_counts().to_dict()
        raise DataError(root, f"no usable clip; excluded {reasons}", f"Expected this layout:\n{LAYOUT}")
    return clips, excluded


def read_baum1(folder: Path, part: str) -> pd.DataFrame:
    """Return clip rows of BAUM-1, part "a" (acted) or "s" (spontaneous). `folder` holds the sheet and the videos."""
    corpus = f"BAUM-1{part}"
    sheet = _only_file(folder, f"Annotations_BAUM1{part}.xlsx")
    annotations = read_annotations(sheet, codes=BAUM1A_CODES if part == "a" else BAUM1S_CODES)
    videos: dict[str, list[Path]] = {}
    for top in sorted(folder.iterdir()):
        # "BAUM1a_MP4_all" in one distribution, "BAUM1a_MP4 - All" in another
        if top.is_dir() and _names_baum1(top, part):
            for path in _videos(top):
                videos.setdefault(path.stem.upper(), []).append(path)
    return _merge(corpus, annotations, videos, group="BAUM-1")


def read_baum2(folder: Path) -> pd.DataFrame:
    """Return clip rows of BAUM-2. Videos stand as `<any>/S001/avi/001.<suffix>`; clip S001_001 is that file."""
    annotations = read_annotations(_only_file(folder, "Annotations.xlsx"), codes=BAUM2_CODES)
    videos: dict[str, list[Path]] = {}
    for path in _videos(folder):
        subject = next((part for part in reversed(path.parts[:-1]) if re.fullmatch(r"S\d+", part, re.IGNORECASE)), None)
        if subject:
            number = path.stem.split("_")[-1]
            videos.setdefault(f"{subject}_{number}".upper(), []).append(path)
    return _merge("BAUM-2", annotations, videos, group="BAUM-2")


def read_own(folder: Path) -> pd.DataFrame:
    """Return clip rows of one's own recordings: `<person>/<emotion>_<plain|mask>_<n>.mp4` (paper, section V.F)."""
    rows = []
    files = list(_videos(folder))
    names = Counter((path.parent.name, path.stem) for path in files)
    for path in files:
        person = path.parent.name
        match = re.fullmatch(r"([a-z]+)_(plain|mask)_(\d+)", path.stem.lower())
        clip_id = f"{person}_{path.stem}"
        if match is None:
            reason = "the name is not <emotion>_<plain|mask>_<number>"
            rows.append(_row("own", clip_id, person, path=path, group="own", reason=reason))
            continue
        label, condition, _ = match.groups()
        emotion, reason = _class_of(label)
        if names[person, path.stem] > 1:
            reason = "two files for one clip"
        rows.append(_row("own", clip_id, person, label, emotion, path, condition, "own", reason))
    return _frame(rows)


def read_annotations(sheet: Path, *, codes: dict[int, str]) -> pd.DataFrame:
    """Read a BAUM annotation sheet: columns "Clip Name", "Emotion" and, if present, "Emotion Code".

    Returns
    -------
    DataFrame with clip_id (upper case), source_label (lower case) and note, which says where word and code disagree,
    and is empty otherwise. Rows without a clip name are blank lines of the sheet and are skipped.

    Raises
    ------
    DataError
        The sheet can't be opened or lacks a column.
    """
    try:
        table = pd.read_excel(sheet, dtype=object)
    except Exception as error:  # openpyxl raises many types for a damaged archive
        raise DataError(
            sheet, f"not readable as an Excel sheet ({error})", "Copy it again from the archive."
        ) from error
    table.columns = [str(column).strip() for column in table.columns]
    missing = [column for column in ("Clip Name", "Emotion") if column not in table.columns]
    if missing:
        raise DataError(
            sheet, f"lacks the columns {missing}; it has {list(table.columns)}", "Use the sheet of the archive."
        )
    table = table[table["Clip Name"].notna()]
    labels = table["Emotion"].map(lambda word: "" if pd.isna(word) else str(word).strip().lower())
    notes = [""] * len(table)
    if "Emotion Code" in table.columns:
        notes = [
            _code_note(label, code, codes) for label, code in zip(labels, table["Emotion Code"].tolist(), strict=True)
        ]
    return pd.DataFrame(
        {
            "clip_id": [str(name).strip().upper() for name in table["Clip Name"]],
            "source_label": labels.to_list(),
            "note": notes,
        }
    )


def _code_note(label: str, code: str | float | None, codes: dict[int, str]) -> str:
    if code is None or pd.isna(code):
        return ""
    try:
        meant = codes.get(int(float(str(code))))
    except ValueError:
        return f"code {code!r} is not a number"
    if meant != SAME_WORD.get(label, label):
        return f"code {code} means {meant!r}, the word is {label!r}"
    return ""


def _merge(corpus: str, annotations: pd.DataFrame, videos: dict[str, list[Path]], *, group: str) -> pd.DataFrame:
    """Join the sheet and the files on the clip's name; leftovers of either side and ambiguous names are exclusions."""
    rows = []
    twice = set(annotations.loc[annotations.duplicated("clip_id", keep=False), "clip_id"])
    for clip_id, label, note in annotations.itertuples(index=False):
        files = videos.get(clip_id, [])
        if len(files) > 1:
            continue  # listed below, one row a file
        subject = clip_id.split("_")[0]
        emotion, reason = _class_of(label)
        if not files:
            reason = "annotation row without a clip"
        elif clip_id in twice:
            reason = "two annotation rows for one clip"
        path = files[0] if files else None
        rows.append(_row(corpus, clip_id, subject, label, emotion, path, "plain", group, reason, note))
    labels = dict(zip(annotations["clip_id"], annotations["source_label"], strict=True))
    for clip_id, files in videos.items():
        if len(files) == 1 and clip_id in labels:
            continue
        reason = "two files for one clip" if len(files) > 1 else "clip without an annotation row"
        subject, label = clip_id.split("_")[0], labels.get(clip_id, "")
        rows += [_row(corpus, clip_id, subject, label, path=path, group=group, reason=reason) for path in files]
    return _frame(rows)


def _frame(rows: list[dict[str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=ROW_COLUMNS)  # a corpus without files has no rows, but these columns


def _present(corpus: str, folder: Path) -> bool:
    """Tell whether a corpus is in `folder` at all; half of it (no sheet) counts, and fails later."""
    if not folder.is_dir() or not corpus.startswith("BAUM-1"):
        return folder.is_dir()
    part = corpus[-1]
    sheet = f"annotations_baum1{part}.xlsx"
    return any(path.name.lower() == sheet or _names_baum1(path, part) for path in folder.iterdir())


def _names_baum1(path: Path, part: str) -> bool:
    return re.match(rf"baum1{part}_mp4", path.name, re.IGNORECASE) is not None


def _class_of(label: str) -> tuple[str, str]:
    """Return (class, "") or ("", reason) for a label word."""
    if not label:
        return "", "no label"
    try:
        emotion = emotion_of(label)
    except ValueError:
        return "", f"unknown label {label!r}"
    return (emotion, "") if emotion else ("", f"label {label!r} is outside the seven classes")


def _row(
    corpus: str,
    clip_id: str,
    subject: str,
    label: str = "",
    emotion: str = "",
    path: Path | None = None,
    condition: str = "plain",
    group: str = "",
    reason: str = "",
    note: str = "",
) -> dict[str, str]:
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


def _videos(folder: Path) -> Iterator[Path]:
    """Yield video files below `folder` in a stable order, whatever the case of their suffix."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file() and not path.name.startswith("."):
            yield path


def _only_file(folder: Path, name: str) -> Path:
    """Return `folder/name`, found whatever its case."""
    for path in sorted(folder.iterdir()):
        if path.name.lower() == name.lower():
            return path
    found = sorted(path.name for path in folder.iterdir())[:12]
    raise DataError(
        folder / name, f"the annotation sheet is missing; the folder holds {found}", "Copy it from the archive."
    )


BAUM = ("BAUM-1a", "BAUM-1s", "BAUM-2")
FOLDERS = {"BAUM-1a": "BAUM-1", "BAUM-1s": "BAUM-1", "BAUM-2": "BAUM-2", "own": "own"}
READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    "BAUM-1a": lambda folder: read_baum1(folder, "a"),
    "BAUM-1s": lambda folder: read_baum1(folder, "s"),
    "BAUM-2": read_baum2,
    "own": read_own,
}
LAYOUT = __doc__[__doc__.index("    BAUM-1/") :].rstrip()
