"""Profiles and experiments: how large a run is, and what each network is trained on and how.

profiles.toml has three sizes of a run: `smoke`, `class` and `paper`. experiments.toml has one table per trained
network, named after the paper's tables. A table of experiments.toml at a profile's size is an `Experiment`.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from microx_utils.components import STYLES, check_blocks
from microx_utils.support.errors import blamed_on, read_tables

PROFILES_FILE = Path(__file__).with_name("profiles.toml")
EXPERIMENTS_FILE = Path(__file__).with_name("experiments.toml")

CHOICES: dict[str, tuple[str, ...]] = {
    "crop_style": STYLES,
    "model": ("compact", "published"),
    "optimizer": ("adam", "sgd"),
    "pixels": ("scaled", "raw"),
    "gates": ("sigmoid", "hard_sigmoid"),
    "colour": ("rgb", "grey", "grey_three"),
    "own_people": ("none", "odd", "even"),
    "short_clips": ("drop", "repeat"),
    "split": ("subject", "clip", "segment"),
}
"""Field of a profile or an experiment -> its possible values."""

LIMITS = ("subjects", "own_subjects", "max_frames", "max_segments", "epoch_steps", "devices")
"""Fields in which None means no limit; profiles.toml writes it as 0."""

LATER = {"gates": "sigmoid", "epoch_steps": None, "devices": 1, "pool": 1}
"""Fields added later, and what older runs had for them: left out of keys, which stay valid."""

_COUNTS: tuple[str, ...] = ("crop_size", "filters", "stride", "dense", "batch_size", "epochs", "runs", "patience")
_COUNTS += ("bootstrap", "seeds", "frames", "step", "pool")
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    **{key: (of.__contains__, f"choose from {of}") for key, of in CHOICES.items()},
    **{key: (lambda n: type(n) is int and n >= 1, "give a whole number of at least 1") for key in _COUNTS},
    **{key: (lambda n: type(n) is int and n >= 0, "give a whole number of at least 0") for key in (*LIMITS, "seed")},
    "learning_rate": (lambda x: type(x) is float and 0 < x < float("inf"), "give a number above 0, such as 0.001"),
    "min_available": (lambda x: type(x) in (int, float) and 0 <= x <= 1, "give a number from 0 to 1"),
    "augment": (lambda x: type(x) is bool, "give true or false"),
    "components": (lambda x: type(x) is tuple and {*map(type, x)} <= {str}, "give a list of names"),
    "name": (lambda x: Path(x).name == x and 0 < len(x) <= 100, "give one that a folder can have, up to 100 letters"),
}


def _check(where: str, values: Mapping[str, Any]) -> None:
    """Raise ValueError if a field holds a value of the wrong type, out of range, or outside its choices."""
    for key, value in values.items():
        holds, wanted = _RULES.get(key, (lambda _: True, ""))
        if not (holds(value) or (value is None and key in LIMITS)):
            raise ValueError(f"{where}: {key} is {value!r}; {wanted}")


@dataclass(frozen=True)
class Profile:
    """One table of profiles.toml, whose comments explain each field and its value. Limits may be None."""

    name: str
    subjects: int | None
    max_frames: int | None
    max_segments: int | None
    crop_size: int
    crop_style: str
    model: str
    filters: int
    stride: int
    pool: int
    dense: int
    optimizer: str
    learning_rate: float
    pixels: str
    gates: str
    batch_size: int
    epoch_steps: int | None
    epochs: int
    runs: int
    patience: int
    bootstrap: int
    seeds: int
    own_subjects: int | None
    devices: int | None


def parse_profile(name: str, row: dict[str, Any]) -> Profile:
    """Return the profile that a table of profiles.toml describes.

    Raises
    ------
    ValueError
        A key is missing or unknown, or holds a value of the wrong type, out of range or outside its choices.
    """
    where, known = f"profile {name!r}", {field.name for field in fields(Profile)} - {"name"}
    missing, unknown = sorted(known - row.keys()), sorted(row.keys() - known)
    if missing or unknown:
        raise ValueError(f"{where}: missing keys {missing}, unknown keys {unknown}")
    _check(where, row)
    if row["epochs"] % row["runs"]:
        raise ValueError(f"{where}: {row['epochs']} epochs don't divide into {row['runs']} equal runs")
    return Profile(name=name, **(row | {key: row[key] or None for key in LIMITS}))


def read_profiles(path: Path = PROFILES_FILE) -> dict[str, Profile]:
    """Return every profile of a TOML file by name, in the file's order. Raises DataError if one can't be used."""
    with blamed_on(path):
        return {name: parse_profile(name, row) for name, row in read_tables(path).items()}


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


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a run's results besides the crops. Fields not listed are explained in profiles.toml.

    Attributes
    ----------
    components
        One block each; "left_eye+right_eye" is one block that sees both eyes, stacked as channels (section VII).
    colour
        "rgb"; "grey_three": three equal grey channels, as in the authors' code (Table 4); "grey": one channel.
    frames, step, max_segments
        Frames per segment, frames from one segment's start to the next, segments kept per clip (None: all).
    short_clips
        "drop" clips that are shorter than a segment, or "repeat" their frames (section VII).
    augment
        Mirror, shift and relight each training segment, differently in each epoch; see `batches.augment`.
    own_people
        Which people of the corpus `own` join the training set with their plain clips: every second one in sorted
        order, starting with the first ("odd") or the second ("even"), or "none".
    min_available
        Share of a segment's frames in which the face must have been found.
    split
        Speaker-independent ("subject"), or only no "clip" or no "segment" on two sides of the split.
    pixels
        "scaled": the network's first layer maps 0-255 to -1..1. "raw": the network gets 0-255 in OpenCV's channel
        order (blue first), as in the authors' code.
    epochs, runs
        Total epochs, split evenly over `runs`; between two runs the model is saved and loaded together with the
        optimizer's state (section V.A: four runs of 30).
    patience
        Epochs without a better validation loss after which training stops, counted over all runs.
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
    gates: str = "sigmoid"
    epoch_steps: int | None = None
    pool: int = 1

    def __post_init__(self) -> None:
        where = f"experiment {self.name!r}"
        _check(where, vars(self))
        try:
            check_blocks(self.components)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        if self.runs > self.epochs:
            raise ValueError(f"{where}: {self.epochs} epochs can't be split over {self.runs} runs")

    def settings(self) -> dict[str, Any]:
        """Return the fields for a cache key, without those of LATER that have their old value."""
        return {name: value for name, value in asdict(self).items() if LATER.get(name, ...) != value}


def read_experiments() -> dict[str, dict[str, Any]]:
    """Return the tables of experiments.toml by name."""
    return read_tables(EXPERIMENTS_FILE)


def load_experiment(name: str, profile: Profile, *, seed: int = 0) -> Experiment:
    """Return an experiment of experiments.toml at a profile's size.

    Raises ValueError for an unknown name, and DataError for a table that `parse_experiment` refuses.
    """
    rows = read_experiments()
    if name not in rows:
        raise ValueError(f"unknown experiment {name!r}; choose from {tuple(rows)}")
    with blamed_on(EXPERIMENTS_FILE):
        return parse_experiment(name, rows[name], profile, seed=seed)


def parse_experiment(name: str, row: Mapping[str, Any], profile: Profile, *, seed: int) -> Experiment:
    """Return the experiment that a table describes: its keys override the profile's fields and the defaults.

    Raises
    ------
    ValueError
        A key is unknown, or holds a value of the wrong type, out of range or outside its choices.
    """
    known = {field.name for field in fields(Experiment)}
    settable = sorted({*known, "about"} - {"name", "seed"})
    if unknown := sorted(set(row) - set(settable)):
        raise ValueError(f"experiment {name!r}: unknown keys {unknown}; choose from {settable}")
    values = {key: value for key, value in (asdict(profile) | dict(row)).items() if key in known}
    if isinstance(values["components"], list):
        values["components"] = tuple(values["components"])
    return Experiment(**values | {"name": name, "seed": seed})
