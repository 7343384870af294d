"""A corpus as small as they come: five people of two classes, from the sample's rendered clips, named as RAVDESS's."""

import shutil
from pathlib import Path

from microx_utils.corpora import load_clips

PEOPLE = 5
CODES = {"anger": "05", "sad": "04"}  # the notebooks look for happy, surprised and neutral people, too


def write_tiny_corpus(folder: Path) -> str:
    """Fill `folder/RAVDESS` with two takes of each class by each person, and return what `--data` takes: 20 clips."""
    clips, _ = load_clips("sample")
    acted = clips[clips["corpus"].str.startswith("BAUM") & clips["emotion"].isin(CODES)]
    takes = acted.groupby(["subject", "emotion"]).size().unstack(fill_value=0)
    people = takes.index[(takes >= 2).all(axis=1)][:PEOPLE]
    assert len(people) == PEOPLE
    for actor, person in enumerate(people, start=1):
        for emotion, code in CODES.items():
            of_both = acted[(acted["subject"] == person) & (acted["emotion"] == emotion)].head(2)
            for take, path in enumerate(of_both["path"], start=1):
                name = f"01-01-{code}-01-01-{take:02}-{actor:02}.mp4"
                target = folder / "RAVDESS" / f"Actor_{actor:02}" / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
    return f"RAVDESS={folder / 'RAVDESS'}"
