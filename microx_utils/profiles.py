"""The three sizes of a run, `smoke`, `class` and `paper`: one frozen row each of profiles.toml."""

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd  # the command line needs the names only, and fast

PROFILES_FILE = Path(__file__).with_name("profiles.toml")

CHOICES = {
    "crop_style": ("aligned", "published"),
    "model": ("compact", "published"),
    "optimizer": ("adam", "sgd"),
    "pixels": ("scaled", "raw"),
}
"""The words that a field of a profile may hold."""

SUBJECTS_PER_CLASS = 3
"""People who show each class in a chosen subset, if the data has them: one each to train, validate and test."""


@dataclass(frozen=True)
class Profile:
    """One row of profiles.toml, whose comments say what each field means and why it has its value.

    `None` in `subjects`, `own_subjects`, `max_frames` or `max_segments` means no limit (0 in the file).
    """

    name: str
    subjects: int | None
    max_frames: int | None
    max_segments: int | None
    crop_size: int
    crop_style: str
    model: str
    filters: int
    stride: int
    dense: int
    optimizer: str
    learning_rate: float
    pixels: str
    batch_size: int
    epochs: int
    runs: int
    patience: int
    bootstrap: int
    seeds: int
    own_subjects: int | None


LIMITS = ("subjects", "own_subjects", "max_frames", "max_segments")
POSITIVE = ("crop_size", "filters", "stride", "dense", "batch_size", "epochs", "runs", "patience", "bootstrap", "seeds")


def check_choices(where: str, values: Mapping[str, Any], choices: Mapping[str, tuple[str, ...]]) -> None:
    """Raise ValueError, with the choices, if a word is none of them."""
    for key, words in choices.items():
        if values[key] not in words:
            raise ValueError(f"{where}: {key} is {values[key]!r}; choose from {words}")


def check_whole_numbers(where: str, values: Mapping[str, Any], least: Mapping[str, int]) -> None:
    """Raise ValueError if a value is no whole number of at least the one given for its key."""
    for key, lowest in least.items():
        if type(values[key]) is not int or values[key] < lowest:
            raise ValueError(f"{where}: {key} is {values[key]!r}; give a whole number of at least {lowest}")


def parse_profile(name: str, row: dict[str, Any]) -> Profile:
    """Return the profile that a table of profiles.toml describes.

    Raises
    ------
    ValueError
        A key is missing, unknown, or holds a value of the wrong type or outside the choices.
    """
    wanted = {field.name for field in fields(Profile)} - {"name"}
    if row.keys() != wanted:
        raise ValueError(
            f"profile {name!r}: missing keys {sorted(wanted - row.keys())}, unknown keys {sorted(row.keys() - wanted)}"
        )
    where = f"profile {name!r}"
    check_choices(where, row, CHOICES)
    check_whole_numbers(where, row, dict.fromkeys(LIMITS, 0) | dict.fromkeys(POSITIVE, 1))
    if not (isinstance(row["learning_rate"], float) and row["learning_rate"] > 0):
        raise ValueError(f"profile {name!r}: learning_rate is {row['learning_rate']!r}; give a number above 0")
    if row["epochs"] % row["runs"]:
        raise ValueError(f"profile {name!r}: {row['epochs']} epochs don't divide into {row['runs']} equal runs")
    limits = {key: row[key] or None for key in LIMITS}
    return Profile(name=name, **(row | limits))


def read_profiles(path: Path = PROFILES_FILE) -> dict[str, Profile]:
    """Return every profile of a TOML file by name, in the file's order."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: parse_profile(name, row) for name, row in tables.items()}


_PROFILES = read_profiles()
PROFILES = tuple(_PROFILES)
"""The names, smallest first: smoke, class, paper."""


def get_profile(name: str) -> Profile:
    """Return a profile by name.

    >>> get_profile("class").crop_size
    32
    """
    if name not in _PROFILES:
        raise ValueError(f"unknown profile {name!r}; choose from {PROFILES}")
    return _PROFILES[name]


def select_clips(clips: "pd.DataFrame", profile: Profile) -> "pd.DataFrame":
    """Return the clips of the profile's people: all of them, or the first few that still show every class.

    People (`split_group`) are taken in turn from each corpus in sorted order, skipping at first those who add
    nothing to a class that fewer than three chosen people show. So the choice depends on nothing but the table
    and the number, and a larger number keeps everyone whom a smaller one chose.

    Parameters
    ----------
    clips
        A clip table with at least `corpus`, `split_group` and `emotion`.
    profile
        Its `subjects` is the number of people, or None for everyone.

    Returns
    -------
    The chosen rows, in the table's order, with a fresh index from 0.
    """
    if profile.subjects is None:
        return clips.reset_index(drop=True)
    classes = clips.groupby("split_group")["emotion"].agg(set)
    corpus_of = clips.groupby("split_group")["corpus"].min()
    # BAUM-1a and BAUM-1s hold the same people, so turns go by the first corpus that a person appears in
    turn = corpus_of.sort_index().groupby(corpus_of.sort_index()).cumcount()
    waiting = sorted(classes.index, key=lambda person: (turn[person], corpus_of[person], person))
    shown: Counter[str] = Counter()
    chosen: list[str] = []
    while waiting and len(chosen) < profile.subjects:
        useful = (p for p in waiting if any(shown[emotion] < SUBJECTS_PER_CLASS for emotion in classes[p]))
        person = next(useful, waiting[0])
        waiting.remove(person)
        chosen.append(person)
        shown.update(classes[person])
    return clips[clips["split_group"].isin(chosen)].reset_index(drop=True)


def select_own(clips: "pd.DataFrame", profile: Profile) -> "pd.DataFrame":
    """Return the clips of the first `own_subjects` people of one's own recordings, in sorted order; all for None."""
    people = sorted(clips["split_group"].unique())[: profile.own_subjects]
    return clips[clips["split_group"].isin(people)].reset_index(drop=True)
