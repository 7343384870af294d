"""The state of an unfinished training: what a killed one resumes from."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from microx_utils.support.cache import atomic_file, ready, remove

if TYPE_CHECKING:
    import keras


class Checkpoint:
    """A folder with a training's history and two models: the last epoch's, with its optimizer, and the best epoch's.

    `state.json` is replaced last and decides which files count, so a kill at any moment leaves the state before the
    epoch or the state after it.

    Attributes
    ----------
    history
        One row per finished epoch, with at least its val_loss.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        state = folder / "state.json"
        self.history: list[dict[str, float]] = json.loads(state.read_text()) if ready(state) else []
        if self.history and not (ready(self.last_model) and ready(self.best_model)):
            self.history = []  # the training begins anew

    @property
    def best(self) -> int:
        """The epoch (from 1) with the lowest validation loss; ties go to the earlier epoch."""
        return int(np.argmin([row["val_loss"] for row in self.history])) + 1

    @property
    def epochs_since_best(self) -> int:
        return len(self.history) - self.best if self.history else 0

    @property
    def last_model(self) -> Path:
        return self._model(len(self.history))

    @property
    def best_model(self) -> Path:
        return self._model(self.best)

    def _model(self, epoch: int) -> Path:
        return self.folder / f"epoch_{epoch:04d}.keras"

    def save(self, model: "keras.Model", row: dict[str, float]) -> None:
        """Add an epoch: its model and its row of the history."""
        with atomic_file(self._model(len(self.history) + 1), checked=True) as temporary:
            model.save(temporary)
        self.history.append(row)
        with atomic_file(self.folder / "state.json", checked=True) as temporary:
            temporary.write_text(json.dumps(self.history))
        for file in set(self.folder.glob("epoch_*.keras")) - {self.best_model, self.last_model}:
            remove(file)
