"""Train an experiment on a crop store and predict with it; cached, and resumable after a kill (paper, section V).

Nothing is chosen on test data: the test segments are predicted once, after training, with the weights of the epoch that
has the lowest validation loss. The randomness of an epoch (shuffling, dropout, augmentation) depends on the seed and
the epoch's number alone, so a run that was killed and resumed gives the same results as one that was never stopped.
"""

import functools
import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from microx_utils.batches import batches, check_store, split_table
from microx_utils.components import COMPONENTS, block_parts
from microx_utils.crops import CropStore
from microx_utils.experiments import Experiment
from microx_utils.labels import EMOTIONS, PROBABILITIES
from microx_utils.support import cache as caching
from microx_utils.support import paths
from microx_utils.support.checkpoint import Checkpoint
from microx_utils.support.errors import DataError
from microx_utils.support.keras_setup import keras_backend, pinned_keras, prepare_networks

if TYPE_CHECKING:
    import keras

CODE_VERSION = 4
"""Part of every run's key. Raise it when a change here, in batches or in models alters what a run computes."""

PREDICT_BATCH = {"compact": 64, "published": 8}
"""Segments predicted at a time; a published network needs about 200 MB for each."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    experiment, key, folder
        What was run, the hash of everything that decides its results, and the folder of its files.
    history
        One row per epoch, from 1: epoch, loss, accuracy, val_loss, val_accuracy, seconds, run.
    predictions
        Validation and test segments: segment_id, clip_id, subject, emotion, split, p_neutral .. p_sad.
    timings
        seconds_per_epoch (median), seconds_training, milliseconds_per_segment (inference), segments (per split),
        parameters, best_epoch, machine, software.
    """

    experiment: Experiment
    key: str
    folder: Path
    history: pd.DataFrame = field(repr=False)
    predictions: pd.DataFrame = field(repr=False)
    timings: dict[str, Any] = field(repr=False)

    def load_model(self) -> "keras.Model":
        """Return the network with the best epoch's weights. Its input is `batches.model_inputs` of crops."""
        return _load(self.folder / "model.keras")


def train(
    experiment: Experiment,
    store: CropStore,
    segments: pd.DataFrame | None = None,
    *,
    cache: str | os.PathLike[str] | None = None,
    progress: bool = True,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
) -> Run:
    """Train and predict, or read the same run from the cache.

    Parameters
    ----------
    experiment, store
        What to train, and crops of its `crop_size` and `crop_style`.
    segments
        Segments and splits in place of `split_table` of that store.
    cache
        Folder of runs; None is `runs` under `paths.PROCESSED`. The checkpoint of a killed run is there too.
    progress
        Show a bar with one step per epoch.
    on_epoch
        Called with each epoch's row of the history, once its checkpoint is written.

    Raises
    ------
    DataError
        The crops don't have the experiment's size and style, or one of the splits is empty.
    ValueError
        No clip is long enough for a segment, or there are too few groups to split.
    FloatingPointError
        The loss or the validation loss is infinite or not a number.
    """
    prepare_networks()
    check_store(experiment, store)
    segments = split_table(experiment, store) if segments is None else segments
    splits = segments["split"].value_counts()
    if len(splits) < 3:
        problem = f"its segments split into {splits.to_dict()} only"
        raise DataError(f"crop store {store.key}", problem, "Use more clips.")

    key = run_key(experiment, store, segments)
    folder = Path(cache or paths.PROCESSED / "runs") / f"{experiment.name}-{key}"
    with caching.lock(folder):  # a second process waits here and then finds the result
        if not caching.ready(folder):
            with one_at_a_time(folder.parent):
                _train(experiment, store, segments, folder, progress=progress, on_epoch=on_epoch)
    return open_run(experiment, key, folder)


def run_key(experiment: Experiment, store: CropStore, segments: pd.DataFrame, **more: Any) -> str:
    """Return the hash of everything that decides a run's results; `more` is what other trainers add to it."""
    rows = segments[["segment_id", "emotion", "split", "first", "frames"]].to_csv(index=False)
    made_from = {"experiment": experiment.settings(), "store": store.key, "rows": rows}
    return caching.content_key(**made_from, code=CODE_VERSION, backend=keras_backend(), **more)


def one_at_a_time(runs: Path) -> AbstractContextManager[None]:
    """Return the lock of this machine's trainings: two at a time would distort each other's timings."""
    return caching.lock(runs / f"training-{platform.node()}")


def open_run(experiment: Experiment, key: str, folder: Path) -> Run:
    history = pd.read_csv(folder / "history.csv")
    predictions = pd.read_parquet(folder / "predictions.parquet")
    return Run(experiment, key, folder, history, predictions, json.loads((folder / "timings.json").read_text()))


def save_run(
    folder: Path, experiment: Experiment, history: list[dict[str, float]], tables: list[pd.DataFrame], facts: dict
) -> None:
    """Write what `open_run` reads; `facts` are the timings but for those of the epochs, which the history has."""
    seconds = [row["seconds"] for row in history]
    timings = {"seconds_per_epoch": float(np.median(seconds)), "seconds_training": float(sum(seconds))} | facts
    pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
    pd.concat(tables, ignore_index=True).to_parquet(folder / "predictions.parquet", index=False)
    (folder / "experiment.json").write_text(json.dumps(asdict(experiment), indent=2))
    (folder / "timings.json").write_text(json.dumps(timings, indent=2))


def _train(
    experiment: Experiment,
    store: CropStore,
    segments: pd.DataFrame,
    folder: Path,
    *,
    progress: bool,
    on_epoch: Callable[[dict[str, float]], None] | None,
) -> None:
    """Train to the end, from the last checkpoint if there is one, and write the run's folder."""
    keras = pinned_keras()
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):  # on a processor the results don't depend on it
            tf.config.experimental.enable_op_determinism()

    train, validation, test = (segments[segments["split"] == split] for split in ("train", "validation", "test"))
    checkpoint = Checkpoint(folder.with_name(f"{folder.name}.partial"))
    keras.utils.set_random_seed(experiment.seed)
    model = _load(checkpoint.last_model) if checkpoint.history else compile_model(build(experiment), experiment)
    history = checkpoint.history
    epochs_per_run = -(-experiment.epochs // experiment.runs)
    what = f"training {experiment.name}, seed {experiment.seed}"
    with tqdm(total=experiment.epochs, initial=len(history), desc=what, unit="epoch", disable=not progress) as bar:
        while len(history) < experiment.epochs and checkpoint.epochs_since_best < experiment.patience:
            epoch = len(history)
            if epoch and epoch % epochs_per_run == 0:  # a new run starts from the saved model
                model = _load(checkpoint.last_model)
            started = time.perf_counter()
            row = {"epoch": epoch + 1, **_train_epoch(model, train, store, experiment, epoch)}
            held_out = score(_probabilities(model, validation, store, experiment), validation)
            row |= {f"val_{name}": value for name, value in held_out.items()}
            row |= {"seconds": time.perf_counter() - started, "run": epoch // epochs_per_run + 1}
            for name, words in (("loss", "loss"), ("val_loss", "validation loss")):
                if not np.isfinite(row[name]):  # argmin would take a NaN for the best epoch
                    raise FloatingPointError(
                        f"{experiment.name}: the {words} became {row[name]} in epoch {epoch + 1}. "
                        "Lower learning_rate, or use scaled pixels."
                    )
            checkpoint.save(model, row)
            bar.set_postfix({name: f"{row[name]:.2f}" for name in ("loss", "val_loss", "val_accuracy")})
            bar.update()
            if on_epoch is not None:
                on_epoch(row)

    model.load_weights(checkpoint.best_model)
    tables = [predictions_table(validation, _probabilities(model, validation, store, experiment))]
    started = time.perf_counter()  # the model is compiled by now
    tables.append(predictions_table(test, _probabilities(model, test, store, experiment)))
    seconds = time.perf_counter() - started
    size = PREDICT_BATCH[experiment.model]
    timings = {
        "milliseconds_per_segment": 1000 * seconds / (-(-len(test) // size) * size),  # the last batch is filled up
        "segments": {split: int(n) for split, n in segments["split"].value_counts().items()},
        "parameters": model.count_params(),
        "best_epoch": checkpoint.best,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "software": f"Keras {keras.__version__} on {keras.backend.backend()}",
    }
    with caching.atomic_folder(folder) as made:
        model.save(made / "model.keras", include_optimizer=False)
        save_run(made, experiment, history, tables, timings)
    shutil.rmtree(checkpoint.folder)


def _train_epoch(
    model: "keras.Model", train: pd.DataFrame, store: CropStore, experiment: Experiment, epoch: int
) -> dict[str, float]:
    """Take a training step for each batch of an epoch (from 0), and return the mean loss and accuracy, as `fit` does.

    `fit` hands each batch from one thread to another, which takes as long as a small network's step: on two cores a
    MicroX trains 1.7 times as fast without it.
    """
    order, rng = start_epoch(model, len(train), experiment, epoch)
    sums, count, size = {"loss": 0.0, "accuracy": 0.0}, 0, experiment.batch_size
    augment_by = rng if experiment.augment else None
    for inputs, labels in batches(train.iloc[order], store, experiment, size=size, augment_by=augment_by):
        logs = model.train_on_batch(inputs, labels, return_dict=True)
        sums = {name: total + float(logs[name]) * len(labels) for name, total in sums.items()}
        count += len(labels)
    return {name: total / count for name, total in sums.items()}


def start_epoch(
    model: "keras.Model", count: int, experiment: Experiment, epoch: int
) -> tuple[NDArray[np.intp], np.random.Generator]:
    """Seed a network's dropout for an epoch (from 0); return the order of its `count` segments, and what drew it.

    The order is one pass, or passes until there are `epoch_steps` batches. All batches are full, as the network would
    be compiled again for a smaller last one, unless there are fewer segments than a batch holds.
    """
    rng, size = np.random.default_rng([experiment.seed, epoch]), experiment.batch_size
    wanted = size * (experiment.epoch_steps or max(count // size, 1))
    order = rng.permutation(count)
    while experiment.epoch_steps and len(order) < wanted:
        order = np.append(order, rng.permutation(count))
    dropouts = [layer for layer in model.layers if hasattr(layer, "seed_generator")]
    for place, layer in enumerate(dropouts):
        layer.seed_generator.state.assign(np.random.SeedSequence([experiment.seed, epoch, place]).generate_state(2))
    return order[:wanted], rng


def predict(
    run: Run,
    store: CropStore,
    segments: pd.DataFrame,
    *,
    hide: Sequence[str] = (),
    cache: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Return a trained network's predictions for any segments, optionally with components hidden; cached.

    Parameters
    ----------
    run
        A finished run.
    store, segments
        Crops of the run's size and style, and rows of `segment_table` or `split_table` of that store.
    hide
        Components in whose place the network is shown a plain crop, their mean colour over the first frames of
        `segments`: it then has to do without what they show.
    cache
        Folder of predictions; None is `predictions` under `paths.PROCESSED`.

    Returns
    -------
    DataFrame
        A predictions table: segment_id, clip_id, subject, emotion, split, p_neutral .. p_sad. All rows are "test" if
        `segments` has no column "split".

    Raises
    ------
    DataError
        The crops don't have the run's size and style.
    ValueError
        There are no segments, or `hide` names a component that the network does not see.
    """
    check_store(run.experiment, store)
    seen = [part for block in run.experiment.components for part in block_parts(block)]
    if not set(hide) <= set(seen):
        raise ValueError(f"can't hide {sorted(set(hide) - set(seen))}; {run.experiment.name} sees {seen}")
    if segments.empty:
        raise ValueError("there are no segments to predict; wanted rows of segment_table or split_table")
    if "split" not in segments:
        segments = segments.assign(split="test")
    rows = segments[["segment_id", "emotion", "split", "first", "frames"]].to_csv(index=False)
    key = caching.content_key(run=run.key, store=store.key, rows=rows, hide=sorted(hide), code=CODE_VERSION)
    file = Path(cache or paths.PROCESSED / "predictions") / f"{run.experiment.name}-{key}.parquet"
    with caching.lock(file):
        if not caching.ready(file):
            hidden = {component: _mean_colour(component, store, segments) for component in hide}
            answers = _probabilities(_loaded(run.folder), segments, store, run.experiment, hidden=hidden)
            with caching.atomic_file(file, checked=True) as temporary:
                predictions_table(segments, answers).to_parquet(temporary, index=False)
    return pd.read_parquet(file)


def _mean_colour(component: str, store: CropStore, segments: pd.DataFrame) -> NDArray[np.uint8]:
    """Return a component's mean colour over the first frames of some segments, as a plain crop (size, size, 3)."""
    first = store.crops[segments["first"].to_numpy(), COMPONENTS.index(component)]
    return np.broadcast_to(first.mean(axis=(0, 1, 2)).round().astype(np.uint8), first.shape[1:])


def build(experiment: Experiment) -> "keras.Model":
    """Return the experiment's network, untrained and not compiled."""
    from microx_utils import models

    sizes: dict[str, Any] = {
        "size": experiment.crop_size,
        "frames": experiment.frames,
        "channels": 1 if experiment.colour == "grey" else 3,
        "filters": experiment.filters,
        "dense": experiment.dense,
        "pixels": experiment.pixels,
        "gates": experiment.gates,
    }
    if experiment.model == "published":
        return models.build_published(experiment.components, **sizes)
    return models.build_compact(experiment.components, stride=experiment.stride, pool=experiment.pool, **sizes)


def _probabilities(
    model: "keras.Model",
    segments: pd.DataFrame,
    store: CropStore,
    experiment: Experiment,
    *,
    hidden: Mapping[str, NDArray[np.uint8]] | None = None,
) -> NDArray[np.float32]:
    """Return a network's probabilities for some segments: (n, 7).

    The last batch is filled up with copies of its first segment, whose results are dropped: the network would be
    compiled again for a smaller batch, which takes longer than all batches together.
    """
    size = PREDICT_BATCH[experiment.model]
    answers = []
    for inputs, labels in batches(segments, store, experiment, size=size, hidden=hidden):
        if len(labels) < size:
            rows = np.where(np.arange(size) < len(labels), np.arange(size), 0)
            inputs = {name: crops[rows] for name, crops in inputs.items()}
        answers.append(model.predict_on_batch(inputs)[: len(labels)])
    return np.concatenate(answers)


def score(probabilities: NDArray[np.float32], segments: pd.DataFrame) -> dict[str, float]:
    """Return the mean loss (categorical cross-entropy) and accuracy of predictions for some segments.

    A probability of zero counts as float32's smallest number, so one segment adds at most 87 to the sum.
    """
    labels = segments["emotion"].map(EMOTIONS.index).to_numpy()
    true = np.maximum(probabilities[np.arange(len(labels)), labels], np.finfo(np.float32).tiny).astype(float)
    hits = probabilities.argmax(axis=1) == labels
    return {"loss": float(-np.log(true).mean()), "accuracy": float(hits.mean())}


def compile_model(model: "keras.Model", experiment: Experiment) -> "keras.Model":
    """Give the network its optimizer and its loss, categorical cross-entropy of class indices."""
    keras = pinned_keras()
    optimizers = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
    optimizer = optimizers[experiment.optimizer](experiment.learning_rate)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)  # else the first step creates them, and is compiled twice
    return model


def predictions_table(segments: pd.DataFrame, probabilities: NDArray[np.float32]) -> pd.DataFrame:
    table = segments[["segment_id", "clip_id", "subject", "emotion", "split"]].reset_index(drop=True)
    return table.join(pd.DataFrame(probabilities, columns=list(PROBABILITIES)))


def _load(path: Path) -> "keras.Model":
    keras = pinned_keras()
    from microx_utils import models  # noqa: F401 - registers the layers that the file names

    return keras.models.load_model(path)


@functools.lru_cache(maxsize=1)
def _loaded(folder: Path) -> "keras.Model":
    """Return a finished run's network; the last one stays in memory, compiled, as it is often needed again."""
    return _load(folder / "model.keras")
