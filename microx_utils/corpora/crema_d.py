"""CREMA-D: 91 actors say twelve sentences in six expressions (Cao et al. 2014).

Layout: `VideoFlash/1001_DFA_ANG_XX.flv` (actor, sentence, emotion, intensity). The acted emotion in the name is the
label. `processedResults/summaryTable.csv` holds what raters saw; where the votes on the face alone (column FaceVote)
disagree with the name, the clip's `note` says so. The videos are in Git LFS: a clone without it holds small text
files instead, which are listed as excluded.

Confirmed by the corpus's own README (github.com/CheyneyComputerScience/CREMA-D): folder, columns, the letters of the
votes, and that votes that tie are separated by a colon. That one name has an intensity of a single letter
(1040_ITH_SAD_X) is confirmed by several public loaders of its sound. Converted copies (.mp4) are accepted, at any
depth.
"""

import re
from pathlib import Path

import pandas as pd

from microx_utils.corpora.table import (
    Corpus,
    class_of,
    clip_row,
    clip_rows,
    find_videos,
    not_a_video,
    one_of,
    wrong_folder,
)

EMOTIONS = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
VOTES = {word[0].upper(): word for word in EMOTIONS.values()}

LAYOUT = """\
    CREMA-D/VideoFlash/1001_DFA_ANG_XX.flv       (actor_sentence_emotion_intensity; `git lfs pull` fetches them)
    CREMA-D/processedResults/summaryTable.csv    (may be missing)"""


def parse_name(stem: str) -> tuple[str, str] | None:
    """Return (actor, emotion code) of a file's name without its suffix, or None if it isn't a clip's name.

    >>> parse_name("1040_ITH_SAD_X")
    ('1040', 'SAD')
    """
    match = re.fullmatch(r"([0-9]{4})_[A-Z]{3}_([A-Z]{3})_[A-Z]{1,2}", stem.upper())
    return (match[1], match[2]) if match else None


def read_crema_d(folder: Path) -> pd.DataFrame:
    """Return clip rows of CREMA-D. The folder may also be VideoFlash itself."""
    rows = []
    clips: dict[str, list[Path]] = {}
    for path in find_videos(folder):
        if parse_name(path.stem) is None:
            reason = "the name is not actor_sentence_emotion_intensity"
            rows.append(clip_row("CREMA-D", path.stem, "unknown", path=path, reason=reason))
        else:
            clips.setdefault(path.stem.upper(), []).append(path)
    if not clips:
        raise wrong_folder(folder, "CREMA-D", LAYOUT)
    votes: dict[str, str] = {}
    sheet = next((path for path in _sheets(folder) if path.is_file()), None)
    if sheet is not None:
        votes, fault = read_face_votes(sheet)
        if fault:
            rows.append(clip_row("CREMA-D", sheet.name, "unknown", path=sheet, reason=fault))
    for clip_id, files in clips.items():
        actor, code = parse_name(clip_id) or ("", "")
        label = EMOTIONS.get(code, "")
        emotion, reason = class_of(label)
        if not label:
            reason = f"no emotion has the code {code}"
        note = vote_note(label, votes.get(clip_id, ""))
        for path, fault in one_of(files):
            rows.append(clip_row("CREMA-D", clip_id, actor, label, emotion, path, reason=fault or reason, note=note))
    return clip_rows(rows)


def _sheets(folder: Path) -> list[Path]:
    name = "summaryTable.csv"
    return [folder / "processedResults" / name, folder.parent / "processedResults" / name, folder / name]


def read_face_votes(sheet: Path) -> tuple[dict[str, str], str]:
    """Return (clip -> its FaceVote, what is wrong with the table). A bad table costs the notes, not the corpus."""
    if fault := not_a_video(sheet):
        return {}, f"no votes of raters: {fault}"
    try:
        table = pd.read_csv(sheet, dtype=str, keep_default_na=False, encoding_errors="replace", on_bad_lines="skip")
    except (ValueError, OSError) as error:  # pandas' own parser errors are ValueErrors
        return {}, f"no votes of raters: not readable as a table ({error})"
    columns = {str(name).strip().lower(): name for name in table.columns}
    if "filename" not in columns or "facevote" not in columns:
        return {}, f"no votes of raters: lacks FileName or FaceVote; it has {[*table.columns]}"
    names = table[columns["filename"]].str.strip().str.upper()
    return dict(zip(names, table[columns["facevote"]].str.strip().str.upper(), strict=True)), ""


def vote_note(label: str, vote: str) -> str:
    """Return a note if raters of the face alone didn't see the acted label, "" if they did.

    >>> vote_note("anger", "A:D")
    "raters of the face voted 'anger' or 'disgust', the name says 'anger'"
    """
    words = [VOTES.get(letter, letter) for letter in vote.split(":")] if vote else []
    if not words or words == [label]:
        return ""
    return f"raters of the face voted {' or '.join(map(repr, words))}, the name says {label!r}"


CORPUS = Corpus(
    "CREMA-D",
    "91 actors say twelve sentences in six expressions, 7,442 clips",
    "ODbL 1.0 and DbCL; no signature",
    "github.com/CheyneyComputerScience/CREMA-D, with Git LFS",
    tuple(EMOTIONS.values()),
    LAYOUT,
    read_crema_d,
)
