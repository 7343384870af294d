"""A user's keras.json changes no result."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
from tiny_run import fake_store, tiny

from microx_utils.training import train

TESTS = Path(__file__).parents[1]
HOSTILE = {"floatx": "float16", "epsilon": 0.1, "backend": "jax", "image_data_format": "channels_first"}

TRAIN = """
import sys
import keras  # as a notebook does
from microx_utils import models  # importing the package changes nothing
assert (keras.config.floatx(), keras.config.image_data_format()) == ("float16", "channels_first")
from tiny_run import fake_store, tiny
from microx_utils.training import train
for model in ("compact", "published"):
    print(train(tiny(epochs=1, model=model), fake_store(), cache=sys.argv[1], progress=False).folder)
"""

BACKEND = """
from microx_utils.support.keras_setup import keras_backend
named = keras_backend()
import keras
print(named, keras.config.backend(), keras_backend())
"""


def run_with(settings: dict, folder: Path, *command: str, **environment: str) -> list[str]:
    """Return the lines that a program prints whose user has a keras.json with these settings."""
    (folder / "keras.json").write_text(json.dumps(settings))
    found = os.environ | {"KERAS_HOME": str(folder), "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"} | environment
    done = subprocess.run([sys.executable, "-c", *command], env=found, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


def test_the_same_key_means_the_same_numbers(tmp_path: Path) -> None:
    folders = map(Path, run_with(HOSTILE, tmp_path, TRAIN, str(tmp_path / "hostile")))
    for model, folder in zip(("compact", "published"), folders, strict=True):
        expected = train(tiny(epochs=1, model=model), fake_store(), cache=tmp_path / "own", progress=False)
        assert folder.name == expected.folder.name
        predictions = pd.read_parquet(folder / "predictions.parquet")
        pd.testing.assert_frame_equal(predictions, expected.predictions, check_exact=True)
        columns = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
        history = pd.read_csv(folder / "history.csv")
        pd.testing.assert_frame_equal(history[columns], expected.history[columns], check_exact=True)


def test_the_backend_of_the_key_is_the_one_that_computes(tmp_path: Path) -> None:
    unset = {"KERAS_BACKEND": ""}
    assert run_with(HOSTILE, tmp_path, BACKEND, **unset) == ["tensorflow tensorflow tensorflow"]
    assert run_with({}, tmp_path, BACKEND, KERAS_BACKEND="jax") == ["jax jax jax"]
    chosen = f"import keras\n{BACKEND}"  # imported before anything of ours: the key says so
    assert run_with(HOSTILE, tmp_path, chosen, **unset) == ["jax jax jax"]
