"""Train an experiment on a GPU with JAX: crops on the device, an epoch as one compiled program, results as a `Run`."""

import os
import platform
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pandas as pd
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.typing import NDArray
from tqdm import tqdm

from microx_utils import training
from microx_utils.accelerated.layers import on_device
from microx_utils.batches import check_store, model_inputs, split_table
from microx_utils.crops import CropStore
from microx_utils.experiments import Experiment
from microx_utils.labels import EMOTIONS
from microx_utils.segments import frame_numbers
from microx_utils.support import cache as caching
from microx_utils.support import paths

CODE_VERSION = 1
"""Part of every run's key. Raise it when a change in this folder alters what a run computes."""
PREDICT_BATCH = 32
"""Segments predicted at a time, or the next number that the devices can share."""
CHUNK = 40
"""Steps in one call of the compiled program."""


class Trainer:
    """A network, its optimizer and the crops it is trained on, all on the device, or on each of several.

    Parameters
    ----------
    experiment
        What to train; not one that augments, which is done on the host, batch by batch.
    store
        Crops of the experiment's `crop_size` and `crop_style`. The components that it sees are copied to the device,
        1.2 GB for five components of the sample at 60 pixels.
    precision
        "float32" or "bfloat16"; see `layers.on_device`.
    devices
        How many of this machine's devices share the segments of each batch; None takes all. Each has all the weights,
        and the results are those of one device to rounding.

    Raises
    ------
    ValueError
        Keras doesn't run on JAX, the experiment augments, there are fewer devices, or they can't share a batch evenly.
    DataError
        The crops don't have the experiment's size and style.
    """

    def __init__(
        self, experiment: Experiment, store: CropStore, precision: str = "bfloat16", devices: int | None = 1
    ) -> None:
        if keras.backend.backend() != "jax":
            raise ValueError(f"Keras runs on {keras.backend.backend()}; set KERAS_BACKEND=jax")
        if experiment.augment:
            raise ValueError(f"{experiment.name} augments, which only training.train does")
        check_store(experiment, store)
        here = jax.local_devices()
        count = devices or len(here)
        if count > len(here):
            raise ValueError(f"devices is {count}, but JAX finds {len(here)} on this machine: {here}")
        if experiment.batch_size % count:
            raise ValueError(
                f"{experiment.name}: {count} devices can't share batches of {experiment.batch_size} evenly"
            )
        mesh = Mesh(np.array(here[:count]), ("batch",))
        self.whole = NamedSharding(mesh, PartitionSpec())
        self.shared = NamedSharding(mesh, PartitionSpec(None, "batch"))
        self.device = f"{count} x {here[0].device_kind}" if count > 1 else here[0].device_kind
        self.at_a_time = -(-PREDICT_BATCH // count) * count  # segments
        self.experiment = experiment
        keras.utils.set_random_seed(experiment.seed)
        self.model = training.compile_model(on_device(training.build(experiment), precision), experiment)
        crops: Any = np.asarray(store.crops)[None] if "grey" in experiment.colour else jnp.asarray(store.crops)[None]
        frames = model_inputs(crops, experiment)
        self.frames = {  # uint8 (N, size, size, channels)
            name: jax.device_put(jnp.asarray(crops[0]), self.whole) for name, crops in frames.items()
        }
        kinds = self.model.trainable_variables, self.model.non_trainable_variables, self.model.optimizer.variables
        values = tuple([variable.value for variable in variables] for variables in kinds)
        self.state = jax.device_put(jax.tree.map(jnp.copy, values), self.whole)  # an epoch gives its memory to the next
        self._steps = jax.jit(self._steps_of, donate_argnums=0, out_shardings=self.whole)
        self._answers = jax.jit(self._answers_of, out_shardings=self.whole)

    def _inputs(self, frames: dict[str, jax.Array], rows: jax.Array) -> dict[str, jax.Array]:
        return {name: crops[rows].astype(jnp.float32) for name, crops in frames.items()}

    def _steps_of(self, state: Any, frames: Any, rows: jax.Array, labels: jax.Array) -> tuple[Any, tuple[Any, Any]]:
        """Take a step for each batch, rows (steps, B, T) of the store and labels (steps, B); return the scores, too."""

        def loss_of(weights: Any, others: Any, inputs: Any, truth: Any) -> tuple[Any, tuple[Any, Any]]:
            answers, others = self.model.stateless_call(weights, others, inputs, training=True)
            return keras.losses.sparse_categorical_crossentropy(truth, answers).mean(), (others, answers)

        def step(state: Any, batch: Any) -> tuple[Any, tuple[Any, Any]]:
            weights, others, slots = state
            inputs, truth = self._inputs(frames, batch[0]), batch[1]
            found, gradients = jax.value_and_grad(loss_of, has_aux=True)(weights, others, inputs, truth)
            loss, (others, answers) = found
            weights, slots = self.model.optimizer.stateless_apply(slots, gradients, weights)
            return (weights, others, slots), (loss, (answers.argmax(axis=-1) == truth).mean())

        return jax.lax.scan(step, state, (rows, labels))

    def _answers_of(self, state: Any, frames: Any, rows: jax.Array) -> jax.Array:
        """Return the probabilities (batches, B, 7) for rows (batches, B, T) of the store."""

        def answers(batch: jax.Array) -> jax.Array:
            return self.model.stateless_call(state[0], state[1], self._inputs(frames, batch), training=False)[0]

        return jax.lax.map(answers, rows)

    def rows(self, segments: pd.DataFrame) -> NDArray[np.int32]:
        """Return the store's rows of some segments: (n, T)."""
        spans = zip(segments["first"], segments["frames"], strict=True)
        return np.stack([frame_numbers(*span, self.experiment.frames) for span in spans]).astype(np.int32)

    def train_epoch(self, segments: pd.DataFrame, epoch: int) -> dict[str, float]:
        """Train on some segments for an epoch (from 0); return its mean loss and accuracy, as `training.train` does."""
        order, _ = training.start_epoch(self.model, len(segments), self.experiment, epoch)
        seeded = jax.device_put([variable.value for variable in self.model.non_trainable_variables], self.whole)
        batches = order.reshape(-1, min(self.experiment.batch_size, len(order)))
        labels = segments["emotion"].map(EMOTIONS.index).to_numpy(np.int32)
        state = self.state[0], seeded, self.state[2]
        rows, found = self.rows(segments), []
        for first in range(0, len(batches), CHUNK):
            chunk = batches[first : first + CHUNK]
            batch = jax.device_put((rows[chunk], labels[chunk]), self.shared)
            state, scores = self._steps(state, self.frames, *batch)
            found.append(scores)  # not read yet: the device need not wait
        self.state = state
        losses, hits = np.concatenate(found, axis=1)
        return {"loss": float(losses.mean()), "accuracy": float(hits.mean())}

    def predict(self, segments: pd.DataFrame, weights: list[jax.Array] | None = None) -> NDArray[np.float32]:
        """Return the network's probabilities for some segments: (n, 7). `weights` replace the trained ones."""
        rows = self.rows(segments)
        filled = rows[np.arange(-(-len(rows) // self.at_a_time) * self.at_a_time) % len(rows)]  # the rest is dropped
        state = self.state[0] if weights is None else weights, self.state[1]
        batches = jax.device_put(filled.reshape(-1, self.at_a_time, rows.shape[1]), self.shared)
        answers = self._answers(state, self.frames, batches)
        return np.asarray(answers, np.float32).reshape(-1, len(EMOTIONS))[: len(rows)]


def train(
    experiment: Experiment,
    store: CropStore,
    *,
    precision: str = "bfloat16",
    devices: int | None = 1,
    cache: str | os.PathLike[str] | None = None,
    keep_model: bool = True,
    progress: bool = True,
) -> training.Run:
    """Train and predict as `training.train` does, or read the same run from the cache.

    A run that is killed starts anew: nothing is written before its end, and the best weights are kept on the device.

    Parameters
    ----------
    experiment, store, precision, devices
        As for `Trainer`.
    cache
        Folder of runs; None is `runs` under `paths.PROCESSED`.
    keep_model
        Write the network, too (1.1 GB for the published one). Without it `Run.load_model` finds none.
    progress
        Show a bar with one step per epoch.

    Raises
    ------
    FloatingPointError
        The loss or the validation loss is infinite or not a number.
    """
    segments = split_table(experiment, store)
    key = training.run_key(experiment, store, segments, accelerated=CODE_VERSION, precision=precision)
    folder = Path(cache or paths.PROCESSED / "runs") / f"{experiment.name}-{key}"
    with caching.lock(folder):
        if not caching.ready(folder):
            _train(Trainer(experiment, store, precision, devices), segments, folder, keep_model, progress)
    return training.open_run(experiment, key, folder)


def _train(trainer: Trainer, segments: pd.DataFrame, folder: Path, keep_model: bool, progress: bool) -> None:
    experiment = trainer.experiment
    parts = {split: segments[segments["split"] == split] for split in ("train", "validation", "test")}
    history: list[dict[str, float]] = []
    best, kept = 0, trainer.state[0]
    what = f"training {experiment.name}, seed {experiment.seed}"
    with tqdm(total=experiment.epochs, desc=what, unit="epoch", disable=not progress) as bar:
        while len(history) < experiment.epochs and len(history) - best < experiment.patience:
            started = time.perf_counter()
            row = {"epoch": len(history) + 1, **trainer.train_epoch(parts["train"], len(history))}
            trained = time.perf_counter()
            held_out = training.score(trainer.predict(parts["validation"]), parts["validation"])
            row |= {f"val_{name}": value for name, value in held_out.items()}
            row |= {"seconds": time.perf_counter() - started, "seconds_of_steps": trained - started}
            row["run"] = len(history) // -(-experiment.epochs // experiment.runs) + 1
            if not np.isfinite([row["loss"], row["val_loss"]]).all():
                problem = f"the loss became {row['loss']}, the validation loss {row['val_loss']}"
                raise FloatingPointError(f"{experiment.name}, epoch {row['epoch']}: {problem}. Lower learning_rate.")
            history.append(row)
            if row["val_loss"] < min((past["val_loss"] for past in history[:-1]), default=np.inf):
                best, kept = len(history), jax.tree.map(jnp.copy, trainer.state[0])  # the state's memory is reused
            bar.set_postfix({name: f"{row[name]:.2f}" for name in ("loss", "val_loss", "val_accuracy")})
            bar.update()

    tables = [training.predictions_table(parts["validation"], trainer.predict(parts["validation"], kept))]
    started = time.perf_counter()
    tables.append(training.predictions_table(parts["test"], trainer.predict(parts["test"], kept)))
    seconds = time.perf_counter() - started
    timings = {
        "milliseconds_per_segment": 1000 * seconds / len(parts["test"]),
        "segments": {split: len(rows) for split, rows in parts.items()},
        "parameters": trainer.model.count_params(),
        "best_epoch": best,
        "machine": f"{trainer.device}; {platform.machine()}, {os.cpu_count()} cores",
        "software": f"Keras {keras.__version__} on JAX {jax.__version__}",
    }
    with caching.atomic_folder(folder) as made:
        if keep_model:
            for variable, value in zip(trainer.model.trainable_variables, kept, strict=True):
                variable.assign(value)
            trainer.model.save(made / "model.keras", include_optimizer=False)
        training.save_run(made, experiment, history, tables, timings)
