"""RAVDESS: 24 actors speak and sing two sentences in eight expressions (Livingstone & Russo 2018).

Layout: `Actor_01/MM-CC-EE-II-SS-RR-AA.mp4`, two digits each: modality (01 audio and video, 02 video only, 03 audio
only), channel (01 speech, 02 song), emotion, intensity (01 normal, 02 strong), statement, repetition, actor. The name
alone decides, so files may lie at any depth; an archive that was unpacked into a folder of its own name
(`Video_Speech_Actor_01/Actor_01/...`) is as good.

Confirmed: the naming by the corpus's own description (Zenodo record 1188976, Borealis doi:10.5683/SP/QJMWQ2); the
nested unpacking by paths in several public loaders. Modalities 01 and 02 are the same takes, so 02 is used only where
01 is missing.
"""

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from microx_utils.corpora.table import Corpus, class_of, clip_row, clip_rows, find_videos, one_of, wrong_folder

EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
AUDIO_ONLY = "03"
ACTORS = 24

LAYOUT = """\
    RAVDESS/Actor_01/01-01-05-02-01-01-01.mp4    (modality-channel-emotion-intensity-statement-repetition-actor)
    RAVDESS/Video_Speech_Actor_01/Actor_01/...   (or so)"""


class Take(NamedTuple):
    """The seven codes of a file's name."""

    modality: str
    channel: str
    emotion: str
    intensity: str
    statement: str
    repetition: str
    actor: str


def parse_name(stem: str) -> Take | None:
    """Return the codes of a file's name without its suffix, or None if it isn't seven pairs of digits.

    >>> parse_name("01-01-05-02-01-01-12").emotion
    '05'
    """
    return Take(*stem.split("-")) if re.fullmatch(r"[0-9]{2}(?:-[0-9]{2}){6}", stem) else None


def read_ravdess(folder: Path) -> pd.DataFrame:
    """Return clip rows of RAVDESS; of each take one file is used."""
    takes: dict[Take, list[Path]] = {}
    rows = []
    for path in find_videos(folder):
        take = parse_name(path.stem)
        if take is None:
            reason = "the name is not MM-CC-EE-II-SS-RR-AA, two digits each"
            rows.append(clip_row("RAVDESS", path.stem, "unknown", path=path, reason=reason))
        else:
            takes.setdefault(take._replace(modality=""), []).append(path)
    if not takes:
        raise wrong_folder(folder, "RAVDESS", LAYOUT)
    for take, files in takes.items():
        subject, label = f"Actor_{take.actor}", EMOTIONS.get(take.emotion, "")
        emotion, reason = class_of(label)
        if not label:
            reason = f"no emotion has the code {take.emotion}"
        elif not 1 <= int(take.actor) <= ACTORS:
            reason = f"no actor has the number {take.actor}"
        heard = [path for path in files if path.stem.startswith(AUDIO_ONLY)]
        seen = sorted((path for path in files if path not in heard), key=lambda path: path.stem)  # 01 before 02
        chosen = [*(one_of(seen) if seen else []), *((path, "sound only (modality 03)") for path in heard)]
        for path, fault in chosen:
            fault = fault or reason
            where = re.fullmatch(r"actor[ _-]?0*(\d+)", path.parent.name, re.IGNORECASE)
            note = f"in the folder {path.parent.name}" if where and int(where[1]) != int(take.actor) else ""
            rows.append(clip_row("RAVDESS", path.stem, subject, label, emotion, path, reason=fault, note=note))
    return clip_rows(rows)


CORPUS = Corpus(
    "RAVDESS",
    "24 actors speak (and sing) two sentences in eight expressions, 1,440 spoken clips",
    "CC BY-NC-SA 4.0; no signature",
    "Zenodo record 1188976, Video_Speech_Actor_01.zip to _24.zip",
    tuple(EMOTIONS.values()),
    LAYOUT,
    read_ravdess,
)
