"""The published network, trained at full size on a GPU: tables that ship with the repository (data/reference_runs)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from microx_utils.course.scores import score_table
from microx_utils.evaluation import predicted, summary
from microx_utils.labels import CHANCE
from microx_utils.support import paths
from microx_utils.support.errors import DataError

FOLDER = paths.DATA / "reference_runs"
SHORT_EPOCHS_LABEL = "the same network and data with plain sigmoid gates, NVIDIA H100"
"""What the runs of `read_short_epochs` are, for captions."""


@dataclass(frozen=True)
class ReferenceRun:
    """A run of `benchmarks/gpu.py`.

    Attributes
    ----------
    history
        One row an epoch: epoch, loss, accuracy, val_loss, val_accuracy, seconds, seconds_of_steps, run, and steps, the
        optimizer steps taken by its end.
    predictions
        A predictions table of the validation and the test segments.
    settings
        The experiment, device, machine, software, commit, steps and timings.
    """

    name: str
    history: pd.DataFrame
    predictions: pd.DataFrame
    settings: dict[str, Any]

    @property
    def label(self) -> str:
        """Network, data and device in a few words, for captions."""
        return f"{self.settings['about']}, {self.settings['device']}"


def read_reference_run(name: str, folder: Path = FOLDER) -> ReferenceRun:
    """Return a reference run by its name, such as "table1_microx".

    Raises
    ------
    DataError
        There is no such run.
    """
    made = folder / name
    if not (made / "settings.json").is_file():
        known = sorted(place.parent.name for place in folder.glob("*/settings.json"))
        raise DataError(made, "is no reference run", f"Choose from {known}.")
    settings = json.loads((made / "settings.json").read_text(encoding="utf-8"))
    history = pd.read_csv(made / "history.csv")
    history["steps"] = history["epoch"] * settings["experiment"]["epoch_steps"]
    return ReferenceRun(name, history, pd.read_parquet(made / "predictions.parquet"), settings)


def reference_scores(runs: Mapping[str, ReferenceRun], *, samples: int, seed: int) -> pd.DataFrame:
    """Return the test scores of reference runs, with the weights of the epoch whose validation loss was lowest.

    Parameters
    ----------
    runs
        Label -> run.
    samples, seed
        Of the bootstrap over subjects, as in `evaluation.bootstrap_interval`.

    Returns
    -------
    DataFrame
        split, steps (taken in all), the columns of `scores.score_table`, chance, largest (the largest class's share of
        the test segments) and answers (how many of the seven classes the network ever gives); the labels are the index.
    """
    tested = {label: run.predictions.query("split == 'test'").reset_index(drop=True) for label, run in runs.items()}
    table = score_table(tested, samples=samples, seed=seed)
    table.insert(0, "split", [run.settings["experiment"]["split"] for run in runs.values()])
    table.insert(1, "steps", [run.settings["steps"] for run in runs.values()])
    largest = [summary(rows)["majority"] for rows in tested.values()]
    return table.assign(chance=CHANCE, largest=largest, answers=[predicted(rows).nunique() for rows in tested.values()])


def reference_table(names: Mapping[str, str], *, samples: int, seed: int) -> Styler:
    """Return `reference_scores` of runs, label -> name, as a table; its caption names the network, data and device."""
    runs = {label: read_reference_run(name) for label, name in names.items()}
    about = "; ".join(dict.fromkeys(run.label for run in runs.values()))
    table = reference_scores(runs, samples=samples, seed=seed)
    return table.style.format(precision=3).set_caption(f"Test segments; {about}; one run each")


def read_accuracy_cost(path: Path = FOLDER / "accuracy_cost.csv") -> pd.DataFrame:
    """Return what `benchmarks/accuracy_cost.py` measured: small networks' accuracy, and their milliseconds a clip.

    One row for a variant or system and the people whom it answered; the README beside the file explains the columns.

    Raises
    ------
    DataError
        The file is missing.
    """
    if not path.is_file():
        raise DataError(path, "is missing", "Make it: python benchmarks/accuracy_cost.py")
    return pd.read_csv(path, dtype={"commit": str, "crops": str})  # 489e765 is no number


def read_short_epochs(path: Path = FOLDER / "short_epochs.csv") -> pd.DataFrame:
    """Return the trials that the reference runs followed: plain sigmoid gates, an epoch of one pass over the data.

    Returns
    -------
    DataFrame
        One row an epoch of a trial: run, split, pixels, optimizer, learning_rate, epoch, steps (taken by its end),
        loss, accuracy, val_loss, val_accuracy. Their predictions were not kept, so that no interval can be given.
    """
    return pd.read_csv(path)
