"""Profiles and experiments: how large a run is, and what each trained network is (frozen rows of two TOML files).

profiles.toml has the three sizes of a run, `smoke`, `class` and `paper`. experiments.toml has one row per trained
network, named after the paper's tables; a row at a profile's size is an `Experiment`.
"""

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from microx_utils.components import check_blocks

if TYPE_CHECKING:
    import pandas as pd  # the command line needs the names only, and fast

PROFILES_FILE = Path(__file__).with_name("profiles.toml")

_PROFILE_CHOICES = {
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
_PROFILE_POSITIVE = (
    "crop_size",
    "filters",
    "stride",
    "dense",
    "batch_size",
    "epochs",
    "runs",
    "patience",
    "bootstrap",
    "seeds",
)


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
    check_choices(where, row, _PROFILE_CHOICES)
    check_whole_numbers(where, row, dict.fromkeys(LIMITS, 0) | dict.fromkeys(_PROFILE_POSITIVE, 1))
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


EXPERIMENTS = Path(__file__).with_name("experiments.toml")

CHOICES = _PROFILE_CHOICES | {
    "colour": ("rgb", "grey", "grey_three"),
    "own_people": ("none", "odd", "even"),
    "short_clips": ("drop", "repeat"),
    "split": ("subject", "clip", "segment"),
}
"""The words that a field may hold."""

POSITIVE = ("crop_size", "filters", "stride", "dense", "batch_size", "epochs", "runs", "patience", "frames", "step")


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a run's numbers, besides the crops; `toml` says more on most fields.

    Attributes
    ----------
    components
        One block each; "left_eye+right_eye" is one block that sees both, stacked as channels (section VII).
    colour
        "rgb"; "grey_three": three equal channels, as the authors' code has them (Table 4); "grey": one channel.
    frames, step, max_segments
        Frames in a segment, frames from one segment's start to the next, segments kept of a clip (None: all).
    short_clips
        What becomes of a clip with fewer frames than a segment: "drop", or "repeat" frames (section VII).
    augment
        Show each training segment mirrored, shifted and in other light, anew in each epoch; see `augmentation`.
    own_people
        Which of the people in `own` (every second, in sorted order) join the training set, in their plain takes.
    min_available
        Share of a segment's frames in which the face must have been found.
    split
        What never stands on two sides of the split: "subject", "clip" or "segment".
    pixels
        "scaled": the network's first layer maps 0-255 to -1..1. "raw": 0-255 in OpenCV's channel order
        (blue first) goes in as it is, as in the authors' code.
    epochs, runs
        Epochs in all, split evenly over `runs`; between two runs the model is saved and loaded with the
        state of its optimizer (section V.A: four runs of 30).
    patience
        Epochs without a better validation loss before training stops, over all runs.
    """

    name: str
    components: tuple[str, ...]
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
    colour: str = "rgb"
    frames: int = 10
    step: int = 10
    short_clips: str = "drop"
    augment: bool = False
    own_people: str = "none"
    min_available: float = 0.5
    split: str = "subject"
    seed: int = 0

    def __post_init__(self) -> None:
        where = f"experiment {self.name!r}"
        check_choices(where, vars(self), CHOICES)
        check_whole_numbers(where, vars(self), dict.fromkeys(POSITIVE, 1))
        try:
            check_blocks(self.components)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        if self.runs > self.epochs:
            raise ValueError(f"{where}: {self.epochs} epochs can't be split over {self.runs} runs")


def read_experiments() -> dict[str, dict[str, Any]]:
    """Return the rows of experiments.toml by name."""
    return tomllib.loads(EXPERIMENTS.read_text(encoding="utf-8"))


def load_experiment(name: str, profile: Profile, *, seed: int = 0) -> Experiment:
    """Return the experiment of a row of experiments.toml at a profile's size.

    Raises
    ------
    ValueError
        No such row, a key that no experiment has, or a value outside its choices.
    """
    rows = read_experiments()
    if name not in rows:
        raise ValueError(f"unknown experiment {name!r}; choose from {tuple(rows)}")
    return parse_experiment(name, rows[name], profile, seed=seed)


def parse_experiment(name: str, row: Mapping[str, Any], profile: Profile, *, seed: int) -> Experiment:
    known = {field.name for field in fields(Experiment)}
    settable = sorted({*known, "about"} - {"name", "seed"})
    if not set(row) <= set(settable):
        raise ValueError(
            f"experiment {name!r}: unknown keys {sorted(set(row) - set(settable))}; choose from {settable}"
        )
    values = {key: value for key, value in asdict(profile).items() if key in known} | dict(row)
    values.pop("about", None)
    values["components"] = tuple(values["components"])
    return Experiment(**values | {"name": name, "seed": seed})
