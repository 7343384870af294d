"""BAUM-1a (acted), BAUM-1s (spontaneous) and BAUM-2 (from films): the paper's own corpora (sections II and III.B).

The words in the Emotion column decide; the codes are checked against them. Layouts are those of the distributed
archives, as far as public loaders show them.
"""

import math
import re
from pathlib import Path

import pandas as pd

from microx_utils.corpora.sheets import read_sheet
from microx_utils.corpora.table import Corpus, class_of, clip_row, clip_rows, find_videos, only_file
from microx_utils.support.names import folded


def _codes(words: str, first: int) -> dict[int, str]:
    return dict(enumerate(words.split(), start=first))


BAUM1A_CODES = _codes("anger boredom disgust fear happiness interest sadness surprise unsure", 1)
BAUM1S_CODES = _codes(
    "anger boredom bothered concentrating contempt disgust fear happiness neutral sadness surprise thinking unsure", 1
)
BAUM2_CODES = _codes("neutral anger contempt disgust fear happiness sadness surprise", 0)
"""BAUM-2's codes are inferred from one public loader; where a word disagrees, the word wins."""

LAYOUT_1A = "    BAUM-1/BAUM1a_MP4_all/s001/S001_001.mp4      BAUM-1/Annotations_BAUM1a.xlsx     (acted)"
LAYOUT_1S = "    BAUM-1/BAUM1s_MP4 - All/s001/S001_002.mp4    BAUM-1/Annotations_BAUM1s.xlsx     (spontaneous)"
LAYOUT_2 = "    BAUM-2/BAUM-2_S001-S050/S001/avi/001.avi     BAUM-2/Annotations.xlsx"

SAME_WORD = {"angry": "anger", "happy": "happiness", "sad": "sadness", "surprised": "surprise", "fearful": "fear"}
"""Other spellings of a label, so that a code is compared with the word and not with its spelling."""


def read_baum1(folder: Path, part: str) -> pd.DataFrame:
    """Return clip rows of BAUM-1, part "a" (acted) or "s" (spontaneous). `folder` holds the sheet and the videos."""
    corpus = f"BAUM-1{part}"
    sheet = only_file(folder, f"Annotations_BAUM1{part}.xlsx", LAYOUT_1A if part == "a" else LAYOUT_1S)
    annotations = read_annotations(sheet, codes=BAUM1A_CODES if part == "a" else BAUM1S_CODES)
    videos: dict[str, list[Path]] = {}
    for top in sorted(folder.iterdir()):
        # "BAUM1a_MP4_all" in one distribution, "BAUM1a_MP4 - All" in another
        if top.is_dir() and _names_baum1(top, part):
            for path in find_videos(top):
                videos.setdefault(folded(path.stem).upper(), []).append(path)
    return _merge(corpus, annotations, videos, group="BAUM-1")


def read_baum2(folder: Path) -> pd.DataFrame:
    """Return clip rows of BAUM-2. Clip S001_001 is the file `<any>/S001/avi/001.<suffix>`."""
    annotations = read_annotations(only_file(folder, "Annotations.xlsx", LAYOUT_2), codes=BAUM2_CODES)
    videos: dict[str, list[Path]] = {}
    for path in find_videos(folder):
        subject = next((part for part in reversed(path.parts[:-1]) if re.fullmatch(r"S\d+", part, re.IGNORECASE)), None)
        if subject:
            number = path.stem.split("_")[-1]
            videos.setdefault(folded(f"{subject}_{number}").upper(), []).append(path)
    return _merge("BAUM-2", annotations, videos, group="BAUM-2")


def read_annotations(sheet: Path, *, codes: dict[int, str]) -> pd.DataFrame:
    """Read a BAUM annotation sheet (`read_sheet`): columns "Clip Name", "Emotion" and, if present, "Emotion Code".

    Returns
    -------
    DataFrame with clip_id (upper case), source_label (lower case) and note, which says if word and code disagree, and
    is empty otherwise. Rows without a clip name are blank lines of the sheet and are skipped.

    Raises
    ------
    DataError
        The sheet can't be opened or lacks a column.
    """
    table = read_sheet(sheet, ["Clip Name", "Emotion"])
    code = next((name for name in table.columns if folded(name) == "emotion code"), None)
    table = table[table["Clip Name"].notna()]
    labels = table["Emotion"].map(lambda word: "" if pd.isna(word) else folded(word))
    notes = [""] * len(table)
    if code is not None:
        given = zip(labels, table[code].tolist(), strict=True)
        notes = [_code_note(label, code, codes) for label, code in given]
    names = [folded(name).upper() for name in table["Clip Name"]]
    return pd.DataFrame({"clip_id": names, "source_label": labels.to_list(), "note": notes})


def _code_note(label: str, code: str | float | None, codes: dict[int, str]) -> str:
    if code is None or pd.isna(code):
        return ""
    try:
        number = float(str(code))
    except ValueError:
        number = math.nan
    if not number.is_integer():
        return f"code {str(code)[:20]!r} is no whole number"
    meant = codes.get(int(number))
    if meant != SAME_WORD.get(label, label):
        return f"code {code} means {meant!r}, the word is {label!r}"
    return ""


def _merge(corpus: str, annotations: pd.DataFrame, videos: dict[str, list[Path]], *, group: str) -> pd.DataFrame:
    """Join the sheet and the files on the clip's name; unmatched rows and files and ambiguous names are excluded."""
    rows = []
    twice = set(annotations.loc[annotations.duplicated("clip_id", keep=False), "clip_id"])
    for clip_id, label, note in annotations.itertuples(index=False):
        files = videos.get(clip_id, [])
        if len(files) > 1:
            continue  # listed below, one row per file
        subject = clip_id.split("_")[0]
        emotion, reason = class_of(label)
        if not files:
            reason = "annotation row without a clip"
        elif clip_id in twice:
            reason = "two annotation rows for one clip"
        path = files[0] if files else None
        rows.append(clip_row(corpus, clip_id, subject, label, emotion, path, "plain", group, reason, note))
    labels = dict(zip(annotations["clip_id"], annotations["source_label"], strict=True))
    for clip_id, files in videos.items():
        if len(files) == 1 and clip_id in labels:
            continue
        reason = "two files for one clip" if len(files) > 1 else "clip without an annotation row"
        subject, label = clip_id.split("_")[0], labels.get(clip_id, "")
        rows += [clip_row(corpus, clip_id, subject, label, path=path, group=group, reason=reason) for path in files]
    return clip_rows(rows)


def has_part(folder: Path, part: str) -> bool:
    """Tell whether a folder holds BAUM-1's part "a" or "s", or at least its sheet."""
    sheet = f"annotations_baum1{part}.xlsx"
    return any(path.name.lower() == sheet or _names_baum1(path, part) for path in folder.iterdir())


def _names_baum1(path: Path, part: str) -> bool:
    return re.match(rf"baum1{part}_mp4", path.name, re.IGNORECASE) is not None


_LICENCE = "free for research; a signed licence agreement; no redistribution"
_SOURCE = "Bahçeşehir University, on request: sign the end user licence agreement"

CORPORA = (
    Corpus(
        "BAUM-1a",
        "acted expressions, 31 people before a green screen, 273 clips",
        _LICENCE,
        _SOURCE,
        tuple(BAUM1A_CODES.values()),
        LAYOUT_1A,
        lambda folder: read_baum1(folder, "a"),
    ),
    Corpus(
        "BAUM-1s",
        "spontaneous expressions of the same 31 people, 1,184 clips",
        _LICENCE,
        _SOURCE,
        tuple(BAUM1S_CODES.values()),
        LAYOUT_1S,
        lambda folder: read_baum1(folder, "s"),
    ),
    Corpus(
        "BAUM-2",
        "scenes from films, 286 people, 1,047 clips",
        _LICENCE,
        _SOURCE,
        tuple(BAUM2_CODES.values()),
        LAYOUT_2,
        read_baum2,
    ),
)
