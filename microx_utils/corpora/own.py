"""One's own recordings, made as in the paper's section V.F: each take without and with a mask."""

import re
from collections import Counter
from pathlib import Path

import pandas as pd

from microx_utils.corpora.table import Corpus, class_of, clip_row, clip_rows, find_videos
from microx_utils.labels import EMOTIONS
from microx_utils.support.names import folded


def read_own(folder: Path) -> pd.DataFrame:
    """Return clip rows of one's own recordings: `<person>/<emotion>_<plain|mask>_<n>.mp4` (paper, section V.F)."""
    rows = []
    files = list(find_videos(folder))
    names = Counter((path.parent.name, path.stem) for path in files)
    for path in files:
        person = path.parent.name
        match = re.fullmatch(r"([a-z]+)_(plain|mask)_(\d+)", folded(path.stem))
        clip_id = f"{person}_{path.stem}"
        if match is None:
            reason = "the name is not <emotion>_<plain|mask>_<number>"
            rows.append(clip_row("own", clip_id, person, path=path, reason=reason))
            continue
        label, condition, _ = match.groups()
        emotion, reason = class_of(label)
        if names[person, path.stem] > 1:
            reason = "two files for one clip"
        rows.append(clip_row("own", clip_id, person, label, emotion, path, condition, reason=reason))
    return clip_rows(rows)


CORPUS = Corpus(
    "own",
    "one's own recordings, each take without and with a mask",
    "yours: written, revocable consent of everybody filmed",
    "record them (notebook 09 says how)",
    EMOTIONS,
    "    own/<person>/<emotion>_<plain|mask>_<n>.mp4",
    read_own,
)
