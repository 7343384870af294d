"""Experiments: frozen rows of experiments.toml, named after the paper's tables, at a profile's size."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from microx_utils import profiles
from microx_utils.components import check_blocks
from microx_utils.profiles import Profile
from microx_utils.segments import SHORT_CLIPS, SPLIT_RULES

EXPERIMENTS = Path(__file__).with_name("experiments.toml")

CHOICES = profiles.CHOICES | {
    "colour": ("rgb", "grey", "grey_three"),
    "own_people": ("none", "odd", "even"),
    "short_clips": SHORT_CLIPS,
    "split": SPLIT_RULES,
}
"""The words that a field may hold."""

POSITIVE = ("crop_size", "filters", "stride", "dense", "batch_size", "epochs", "runs", "patience", "frames", "step")


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a run's numbers, besides the crops; `profiles.toml` says more on most fields.

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
        profiles.check_choices(where, vars(self), CHOICES)
        profiles.check_whole_numbers(where, vars(self), dict.fromkeys(POSITIVE, 1))
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
