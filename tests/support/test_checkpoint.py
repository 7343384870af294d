"""Checkpoints: which models are kept, and that a kill leaves a whole state."""

from pathlib import Path
from typing import Any

import pytest

from microx_utils.support.checkpoint import Checkpoint


class Model:
    """Stands for a network: saves its number."""

    def __init__(self, number: int) -> None:
        self.number = number

    def save(self, path: Path) -> None:
        path.write_text(str(self.number))


def save(checkpoint: Checkpoint, number: int, loss: float) -> None:
    model: Any = Model(number)
    checkpoint.save(model, {"epoch": number, "val_loss": loss})


def test_the_last_and_the_best_model_are_kept(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "run")
    assert (checkpoint.history, checkpoint.epochs_since_best) == ([], 0)
    for number, loss in enumerate([0.9, 0.5, 0.7, 0.5], start=1):
        save(checkpoint, number, loss)
    again = Checkpoint(tmp_path / "run")
    assert again.history == checkpoint.history
    assert (again.best, again.epochs_since_best) == (2, 2), "ties go to the earlier epoch"
    assert (again.best_model.read_text(), again.last_model.read_text()) == ("2", "4")
    assert len(list((tmp_path / "run").glob("*.keras"))) == 2


def test_an_epoch_counts_once_its_history_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = Checkpoint(tmp_path)
    save(checkpoint, 1, 0.9)
    with monkeypatch.context() as patch:
        patch.setattr("json.dumps", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            save(checkpoint, 2, 0.1)
    again = Checkpoint(tmp_path)
    assert again.best == 1
    assert again.last_model.read_text() == "1"
