"""The trainer for a GPU gives what the plain loop gives. In a process of its own, as Keras has one backend in each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("jax")
TESTS = Path(__file__).resolve().parents[1]

PLAIN_AND_FAST = """
import dataclasses, sys, tempfile
import numpy as np
from tiny_run import TINY, fake_store
from microx_utils import training
from microx_utils.accelerated import trainer
from microx_utils.support.errors import DataError

experiment = dataclasses.replace(TINY, epochs=2, **eval(sys.argv[1]))
store = fake_store(subjects=8)
columns = [f"p_{emotion}" for emotion in training.EMOTIONS]
with tempfile.TemporaryDirectory() as folder:
    plain = training.train(experiment, store, cache=folder, progress=False)
    for precision, close in (("float32", 1e-5), ("bfloat16", 0.02)):
        fast = trainer.train(experiment, store, cache=folder, precision=precision, progress=False)
        for name in ("loss", "val_loss", "accuracy"):
            allowed = 0.05 if name == "accuracy" and precision == "bfloat16" else close
            np.testing.assert_allclose(fast.history[name], plain.history[name], atol=allowed)
        np.testing.assert_allclose(fast.predictions[columns], plain.predictions[columns], atol=close)
        assert fast.predictions["segment_id"].equals(plain.predictions["segment_id"])
        assert fast.key != plain.key and fast.timings["best_epoch"] == plain.timings["best_epoch"]
        inputs, _ = next(training.batches(training.split_table(experiment, store)[:3], store, experiment, size=3))
        answers = [np.asarray(run.load_model()(inputs)) for run in (plain, fast)]
        np.testing.assert_allclose(*answers, atol=close)  # what was saved is what predicted
    assert plain.history["loss"].iloc[1] < plain.history["loss"].iloc[0]
try:
    trainer.Trainer(dataclasses.replace(experiment, augment=True), store)
except ValueError as error:
    assert "augments" in str(error)
try:
    trainer.Trainer(dataclasses.replace(experiment, crop_size=9), store)
except DataError:
    print("same")
"""

PUBLISHED = {
    "model": "published",
    "stride": 1,
    "gates": "hard_sigmoid",
    "optimizer": "sgd",
    "components": ("left_eye+mouth",),
    "colour": "grey",
    "epoch_steps": 6,
}

ONE_AND_TWO = """
import dataclasses, tempfile
import jax
import numpy as np
from tiny_run import TINY, fake_store
from microx_utils import training
from microx_utils.accelerated import trainer

experiment, store = dataclasses.replace(TINY, epochs=2), fake_store(subjects=8)
columns = [f"p_{emotion}" for emotion in training.EMOTIONS]
assert len(jax.local_devices()) == 2
runs = []
for devices in (1, 2):
    with tempfile.TemporaryDirectory() as folder:
        options = {"precision": "float32", "cache": folder, "progress": False}
        runs.append(trainer.train(experiment, store, devices=devices, **options))
one, two = runs
np.testing.assert_allclose(two.history["loss"], one.history["loss"], atol=1e-5)
np.testing.assert_allclose(two.predictions[columns], one.predictions[columns], atol=1e-5)
assert two.timings["machine"].startswith("2 x ") and not one.timings["machine"].startswith("1 x ")

both = trainer.Trainer(experiment, store, "float32", None)  # all there are
batch = jax.device_put(np.zeros((3, 16, 3), int), both.shared)
assert {part.data.shape for part in batch.addressable_shards} == {(3, 8, 3)}  # each gets half of every batch
segments = training.split_table(experiment, store)
both.train_epoch(segments[segments["split"] == "train"], 0)
assert all(len(weights.sharding.device_set) == 2 for weights in both.state[0])  # each has all the weights
for changes, devices, message in (({}, 3, "finds 2"), ({"batch_size": 15}, 2, "can't share")):
    try:
        trainer.Trainer(dataclasses.replace(experiment, **changes), store, devices=devices)
    except ValueError as error:
        assert message in str(error), error
        print("refused")
"""


def answer(script: str, *arguments: str, **variables: str) -> list[str]:
    """Return the words that a script prints, run in a process of its own with Keras on JAX."""
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"} | variables
    environment["PYTHONPATH"] = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split()


@pytest.mark.parametrize("changes", [{}, PUBLISHED])
def test_same_losses_as_the_plain_loop(changes: dict) -> None:
    assert answer(PLAIN_AND_FAST, repr(changes)) == ["same"]


def test_two_devices_share_each_batch_and_give_the_same() -> None:
    two = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    assert answer(ONE_AND_TWO, **two) == ["refused", "refused"]
