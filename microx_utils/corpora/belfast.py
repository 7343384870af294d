"""Belfast Induced Natural Emotion Database: people react to tasks in the laboratory (Sneddon et al. 2012).

Confirmed by the paper's abstract: recordings of mild to moderate reactions to induction tasks, with self-reports and
ratings. Nothing public shows how the distributed files are named, and no public loader was found, so the layout is
unverified. What is accepted: videos at any depth whose name, or else the nearest folder that does, holds one emotion
or task (disgust, fear, surprise, amusement, frustration, anger, sadness, happiness, neutral, in any usual form) and a
subject ("subject 12", "P012", "M07"). Every clip read that way says so in `note`. A number is taken to mean the same
person in all sets: if two people share it, both are on the same side of every split, which leaks nothing.

If the names don't tell, write `labels.csv` with the columns file, subject, emotion into the corpus's folder; its rows
take precedence. The label is then the one that you choose: the task, the self-report or the raters' word.
"""

import re
from pathlib import Path

import pandas as pd

from microx_utils.corpora.table import LABEL_SHEET, Corpus, Description, read_with_labels

STEMS = {
    "disgust": "disgust",
    "fear": "fear",
    "surpris": "surprise",
    "amus": "amusement",
    "frustrat": "frustration",
    "anger": "anger",
    "angry": "anger",
    "sad": "sadness",
    "happ": "happiness",
    "neutral": "neutral",
}
"""How a word begins -> label."""

LAYOUT = """\
    Belfast/Set1/Disgust/P012_disgust.avi    (unverified: a name or folder with an emotion, and one with a subject)
    Belfast/labels.csv                       (file,subject,emotion; yours, where the names don't say)"""

FROM_NAME = "label and subject are read from the name, whose form is unverified"


def read_belfast(folder: Path) -> pd.DataFrame:
    """Return clip rows of the Belfast Induced Natural Emotion Database."""

    def describe(video: Path) -> Description:
        names = [*reversed(video.relative_to(folder).with_suffix("").parts)]
        emotions = next(filter(None, map(emotions_in, names)), [])
        subject = next(filter(None, map(subject_in, names)), "")
        if len(emotions) != 1:
            fault = f"the name holds {emotions or 'no emotion'}: write {LABEL_SHEET}"
            return Description(subject, "", fault, FROM_NAME, recognised=bool(emotions))
        fault = "" if subject else f"the name holds no subject: write {LABEL_SHEET}"
        return Description(subject, emotions[0], fault, FROM_NAME)

    return read_with_labels("Belfast", folder, LAYOUT, clip_id=Path.as_posix, describe=describe)


def emotions_in(name: str) -> list[str]:
    """Return the labels named in a file or folder name, each once.

    >>> emotions_in("P012_Disgusted"), emotions_in("S2 FearDisgust"), emotions_in("Set 1")
    (['disgust'], ['fear', 'disgust'], [])
    """
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)
    found = [label for word in words for stem, label in STEMS.items() if word.lower().startswith(stem)]
    return list(dict.fromkeys(found))


def subject_in(name: str) -> str:
    """Return the subject named in a file or folder name, or "".

    A single letter needs two digits, because S1 may as well be the first set.

    >>> subject_in("Set1_P012_fear"), subject_in("subject 7"), subject_in("S1")
    ('P12', 'P7', '')
    """
    match = re.search(r"(?<![a-z])(?:subject|subj|participant|person)[ _-]*0*([0-9]+)", name, re.IGNORECASE)
    if match:
        return f"P{match[1]}"
    match = re.search(r"(?<![a-z])([psmf])[ _-]?(?=[0-9]{2})0*([0-9]+)", name, re.IGNORECASE)
    return f"{match[1].upper()}{match[2]}" if match else ""


CORPUS = Corpus(
    "Belfast",
    "people react to tasks in the laboratory: frustration, disgust, surprise, fear, amusement",
    "free for research; a signed request; no redistribution",
    "Queen's University Belfast, on request",
    tuple(dict.fromkeys(STEMS.values())),
    LAYOUT,
    read_belfast,
)
