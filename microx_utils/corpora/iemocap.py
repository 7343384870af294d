"""IEMOCAP: five pairs of actors improvise and play scenes; each utterance is labelled (Busso et al. 2008).

Layout: `Session1/dialog/EmoEvaluation/Ses01F_impro01.txt` holds lines such as
`[6.2901 - 8.2357]  Ses01F_impro01_F000  neu  [2.5000, 2.5000, 2.5000]` (seconds, utterance, label, ratings), and
`Session1/dialog/avi/DivX/Ses01F_impro01.avi` shows both people side by side. A clip is the time of one utterance and
the half of the picture in which its speaker sits. Only text files directly in EmoEvaluation count: its subfolders
hold the single raters' files. Hidden copies (`._Ses01F_impro01.avi`) are no videos.

Confirmed by the corpus's own README: Ses01F_impro01 is session 1 with the markers on the woman, Ses01F_impro01_M000
an utterance of the man in it. Folders, lines and the three-letter labels are confirmed by many public loaders.
Unverified, on which half each person sits: IoannisKansizoglou/Iemocap-preprocess and two other loaders, one of them a
rewrite of it, put the person with the markers (the letter in the dialog's name) on the left; a fourth always puts the
woman on the left, which is the same for half of the dialogs. The majority is followed here. Look at a few clips before
you trust it.

The two people of a session share a room, a conversation and every picture, and a wrong half would show one in place
of the other. So a session must stay on one side of a split (`split_group` "IEMOCAP/Ses01"), as in the
literature's leave-one-session-out; `subject` is the person ("IEMOCAP/Ses01F").
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from microx_utils.corpora.table import Corpus, class_of, clip_row, clip_rows, find_videos, one_of, wrong_folder
from microx_utils.video import Cut

EMOTIONS = {
    "ang": "anger",
    "hap": "happiness",
    "exc": "excited",
    "sad": "sadness",
    "neu": "neutral",
    "fru": "frustration",
    "fea": "fear",
    "sur": "surprise",
    "dis": "disgust",
    "oth": "other",
    "xxx": "no agreement",
}
LONGEST = 600.0
"""Seconds. Utterances last a few; a longer one is a typing error, and would be cut to the end of the dialog."""

LEFT, RIGHT = (0, 0, 50, 100), (50, 0, 50, 100)

LAYOUT = """\
    IEMOCAP/Session1/dialog/EmoEvaluation/Ses01F_impro01.txt
    IEMOCAP/Session1/dialog/avi/DivX/Ses01F_impro01.avi"""

_LINE = re.compile(r"\[\s*([0-9.]+)\s*-\s*([0-9.]+)\s*\]\s+(\S+)\s+(\S+)(?:\s+\[.*\])?")
_UTTERANCE = re.compile(r"((Ses[0-9]{2})([FM])_\w+)_([FM])\w*")


class Utterance(NamedTuple):
    """One line of an evaluation: whose utterance it is, when, and its label; `side` is the speaker's half."""

    name: str
    dialog: str
    session: str
    speaker: str
    side: tuple[int, int, int, int]
    start: float
    end: float
    label: str


def parse_line(line: str) -> Utterance | str:
    """Return a line's utterance, or what is wrong with the line.

    >>> parse_line("[6.2901 - 8.2357]\\tSes01F_impro01_M000\\tneu\\t[2.5, 2.5, 2.5]").side
    (50, 0, 50, 100)
    >>> parse_line("[8.2 - 6.3] Ses01F_impro01_F000 neu")
    'Ses01F_impro01_F000 ends (6.3 s) before it starts (8.2 s)'
    """
    match = _LINE.fullmatch(line.strip())
    named = match and _UTTERANCE.fullmatch(match[3])
    if match is None or named is None:
        return f"not a line of the form [start - end] utterance label: {line.strip()[:60]!r}"
    dialog, session, wearer, speaker = named.groups()
    side = LEFT if speaker == wearer else RIGHT
    try:
        start, end = (round(float(time), 4) for time in match.group(1, 2))
    except ValueError:
        start, end = 0.0, math.inf
    if end <= start:
        return f"{match[3]} ends ({end:g} s) before it starts ({start:g} s)"
    if end - start > LONGEST:
        return f"{match[3]} has times that make no sense: {match[1][:20]} to {match[2][:20]}"
    word = EMOTIONS.get(match[4].lower(), match[4].lower())
    return Utterance(match[3], dialog, session, speaker, side, start, end, word)


def read_iemocap(folder: Path) -> pd.DataFrame:
    """Return clip rows of IEMOCAP: one per utterance, with a path that names the time and half of a dialog's video."""
    videos: dict[str, list[Path]] = {}
    for path in find_videos(folder):
        videos.setdefault(path.stem, []).append(path)
    rows = []
    spoken: dict[str, set[Utterance]] = {}
    for text, lines in _evaluations(folder):
        for found in lines:
            if isinstance(found, str):
                rows.append(clip_row("IEMOCAP", text.stem, "unknown", path=text, reason=found))
            else:
                spoken.setdefault(found.name, set()).add(found)  # a copied file repeats its lines
    if not spoken:
        raise wrong_folder(folder, "IEMOCAP", LAYOUT)
    chosen: dict[str, tuple[Path | None, str]] = {}
    for dialog, files in videos.items():
        # DivX first: another folder may hold converted copies
        first, *others = one_of(sorted(files, key=lambda path: path.parent.name.lower() != "divx"))
        chosen[dialog] = first
        for path, reason in others:
            rows.append(clip_row("IEMOCAP", dialog, "unknown", path=path, reason=reason))
    every = [utterance for utterances in spoken.values() for utterance in sorted(utterances)]
    for utterance in every:
        video, fault = chosen.get(utterance.dialog, (None, f"no video {utterance.dialog}.avi"))
        if len(spoken[utterance.name]) > 1:
            fault = "evaluation lines that disagree on one utterance"
        rows.append(_row(utterance, video, fault))
    for dialog in sorted(chosen.keys() - {utterance.dialog for utterance in every}):
        video, reason = chosen[dialog]
        reason = reason or "a video without an evaluation line"
        rows.append(clip_row("IEMOCAP", dialog, "unknown", path=video, reason=reason))
    return clip_rows(rows)


def _row(utterance: Utterance, video: Path | None, fault: str) -> dict[str, str]:
    emotion, reason = class_of(utterance.label)
    part = Cut(utterance.start, utterance.end, utterance.side).fragment
    return clip_row(
        "IEMOCAP",
        utterance.name,
        f"{utterance.session}{utterance.speaker}",
        utterance.label,
        emotion,
        f"{video}{part}" if video else None,
        reason=fault or reason,
        split_group=utterance.session,
    )


def _evaluations(folder: Path) -> Iterator[tuple[Path, list[Utterance | str]]]:
    """Yield each evaluation file and what its lines say."""
    for path in sorted(folder.rglob("*")):
        if path.parent.name.lower() != "emoevaluation" or path.suffix.lower() != ".txt" or path.name.startswith("."):
            continue
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            yield path, [f"the evaluation can't be read ({error.strerror})"]
            continue
        found = [parse_line(line) for line in lines if line.lstrip().startswith("[")]
        yield path, found or ["no line of an utterance in it"]


CORPUS = Corpus(
    "IEMOCAP",
    "five pairs of actors improvise and play scenes, 10,039 labelled utterances",
    "free for research; a signed release form; no redistribution",
    "University of Southern California, sail.usc.edu/iemocap, on request",
    tuple(EMOTIONS.values()),
    LAYOUT,
    read_iemocap,
)
