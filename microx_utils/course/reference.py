"""The published network, trained at full size on a GPU: tables that ship with the repository (data/reference_runs)."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from microx_utils.support import paths
from microx_utils.support.errors import DataError

FOLDER = paths.DATA / "reference_runs"


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
