"""Train one experiment from its crop store to a predictions table; cached, and resumable after a kill (section V).

Nothing is chosen on test data: the test segments are predicted once, after training, by the weights of the epoch
with the lowest validation loss. Each epoch's randomness (shuffling, dropout) depends on the seed and the epoch's
number alone, so that a run killed and started again gives the numbers of one that was never stopped.
"""

import functools
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from microx_utils.batches import (
    batches,
    check_store,
    split_table,
)
from microx_utils.components import COMPONENTS, block_parts
from microx_utils.crops import CropStore
from microx_utils.experiments import Experiment
from microx_utils.labels import EMOTIONS, PROBABILITIES
from microx_utils.support import cache as caching
from microx_utils.support import paths
from microx_utils.support.errors import DataError
from microx_utils.support.parallel import share_processors

if TYPE_CHECKING:
    import keras

CODE_VERSION = 4
"""Part of every run's key. Raise it when this module, models, inputs or augmentation changes what a run computes."""

PREDICT_BATCH = {"compact": 64, "published": 8}
"""Segments predicted at once; at 60 px and 64 filters each takes about 200 MB."""


@dataclass(frozen=True)
class Run:
    """A finished run, read from its folder.

    Attributes
    ----------
    experiment, key, folder
        What was run, the hash of all that made it, and where its files lie.
    history
        One row an epoch, from 1: epoch, loss, accuracy, val_loss, val_accuracy, seconds, run.
    predictions
        Validation and test segments: segment_id, clip_id, subject, emotion, split, p_neutral .. p_sad.
    timings
        seconds_per_epoch (median), seconds_training, milliseconds_per_segment (inference), segments of each split,
        parameters, best_epoch, and the machine they were measured on.
    """

    experiment: Experiment
    key: str
    folder: Path
    history: pd.DataFrame = field(repr=False)
    predictions: pd.DataFrame = field(repr=False)
    timings: dict[str, Any] = field(repr=False)

    def load_model(self) -> "keras.Model":
        """Return the trained network (the best epoch's weights). Feed it `model_inputs` of crops."""
        return _load(self.folder / "model.keras")


def train(
    experiment: Experiment,
    store: CropStore,
    *,
    cache: str | os.PathLike[str] | None = None,
    progress: bool = True,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
) -> Run:
    """Train and predict, or read the result of the same run from the cache.

    Parameters
    ----------
    experiment
        What to train.
    store
        Crops of the experiment's `crop_size`.
    cache
        Folder of runs; None is `runs` under `paths.PROCESSED`. A killed run's checkpoint lies there too.
    progress
        Show a bar with one step an epoch.
    on_epoch
        Called after each epoch, once its checkpoint is written, with the epoch's row of the history.

    Raises
    ------
    DataError
        The crops are not of the experiment's size and style, or a side of the split is empty.
    ValueError
        No clip is long enough for a segment, or there are too few groups to split.
    FloatingPointError
        The loss became infinite, or it or the validation loss not a number.
    """
    share_processors()
    check_store(experiment, store)
    segments = split_table(experiment, store)
    sides = segments["split"].value_counts()
    if len(sides) < 3:
        raise DataError(f"crop store {store.key}", f"the split gave only {dict(sides)}", "Use more clips.")

    rows = segments[["segment_id", "emotion", "split", "first", "frames"]].to_csv(index=False)
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    key = caching.content_key(
        experiment=asdict(experiment), store=store.key, rows=rows, code=CODE_VERSION, backend=backend
    )
    folder = Path(cache or paths.PROCESSED / "runs") / f"{experiment.name}-{key}"
    with caching.lock(folder):  # a second process waits here and then finds the result
        if not folder.is_dir():
            with one_at_a_time(folder.parent):
                _train(experiment, store, segments, folder, progress=progress, on_epoch=on_epoch)
    return _open_run(experiment, key, folder)


def one_at_a_time(runs: Path) -> AbstractContextManager[None]:
    """Hold this machine's lock under which networks are trained: two at once would spoil both's seconds."""
    return caching.lock(runs / f"training-{platform.node()}")


def _open_run(experiment: Experiment, key: str, folder: Path) -> Run:
    history = pd.read_csv(folder / "history.csv")
    predictions = pd.read_parquet(folder / "predictions.parquet")
    timings = json.loads((folder / "timings.json").read_text())
    return Run(experiment, key, folder, history, predictions, timings)


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
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):  # on a processor the results are the same without it
            tf.config.experimental.enable_op_determinism()

    train, validation, test = (segments[segments["split"] == side] for side in ("train", "validation", "test"))
    size = PREDICT_BATCH[experiment.model]
    unshuffled = batches(validation, store, experiment, size=size)
    checkpoint = _Checkpoint(folder.with_name(f"{folder.name}.partial"))
    keras.utils.set_random_seed(experiment.seed)
    model = checkpoint.load() if checkpoint.history else _compile(build(experiment), experiment)
    history = checkpoint.history
    epochs_a_run = -(-experiment.epochs // experiment.runs)
    bar = tqdm(
        total=experiment.epochs,
        initial=len(history),
        desc=f"training {experiment.name}, seed {experiment.seed}",
        unit="epoch",
        disable=not progress,
    )
    with bar:
        while len(history) < experiment.epochs and checkpoint.waited < experiment.patience:
            epoch = len(history)
            if epoch and epoch % epochs_a_run == 0:  # a new run begins with the saved model
                model = checkpoint.load()
            started = time.perf_counter()
            rng = np.random.default_rng([experiment.seed, epoch])
            order = rng.permutation(len(train))
            if len(train) > experiment.batch_size:  # whole batches; a smaller last one would be compiled separately
                order = order[: len(train) // experiment.batch_size * experiment.batch_size]
            _seed_dropout(model, experiment.seed, epoch)
            change = rng if experiment.augment else None
            shown = batches(train.iloc[order], store, experiment, size=experiment.batch_size, change=change)
            row = {"epoch": epoch + 1, **_go_through(shown, model)}
            held_out = _score(_probabilities(model, unshuffled, size=size), validation)
            row |= {f"val_{name}": value for name, value in held_out.items()}
            row |= {"seconds": time.perf_counter() - started, "run": epoch // epochs_a_run + 1}
            for name, words in (("loss", "loss"), ("val_loss", "validation loss")):
                if not np.isfinite(row[name]):  # argmin would pick a NaN as the best epoch
                    lower = "Lower learning_rate, or use scaled pixels."
                    raise FloatingPointError(
                        f"{experiment.name}: the {words} became {row[name]} in epoch {epoch + 1}. {lower}"
                    )
            checkpoint.save(model, row)
            bar.set_postfix({name: f"{row[name]:.2f}" for name in ("loss", "val_loss", "val_accuracy")})
            bar.update()
            if on_epoch is not None:
                on_epoch(row)

    model.load_weights(checkpoint.file(checkpoint.best))
    tables = [_table(validation, _probabilities(model, unshuffled, size=size))]
    started = time.perf_counter()  # the model is compiled by now
    tested = batches(test, store, experiment, size=size)
    tables.append(_table(test, _probabilities(model, tested, size=size)))
    seconds = time.perf_counter() - started
    timings = {
        "seconds_per_epoch": float(np.median([row["seconds"] for row in history])),
        "seconds_training": float(sum(row["seconds"] for row in history)),
        "milliseconds_per_segment": 1000 * seconds / (len(tested) * size),  # the last batch is filled up
        "segments": {side: int(n) for side, n in segments["split"].value_counts().items()},
        "parameters": model.count_params(),
        "best_epoch": checkpoint.best,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "software": f"Keras {keras.__version__} on {keras.backend.backend()}",
    }
    with caching.atomic_folder(folder) as made:
        model.save(made / "model.keras", include_optimizer=False)
        pd.DataFrame(history).to_csv(made / "history.csv", index=False)
        pd.concat(tables, ignore_index=True).to_parquet(made / "predictions.parquet", index=False)
        (made / "experiment.json").write_text(json.dumps(asdict(experiment), indent=2))
        (made / "timings.json").write_text(json.dumps(timings, indent=2))
    checkpoint.remove()


def predict(
    run: Run,
    store: CropStore,
    segments: pd.DataFrame,
    *,
    hide: Sequence[str] = (),
    cache: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Return what a trained network answers for any segments, perhaps with components hidden; cached.

    Parameters
    ----------
    run
        A finished run.
    store, segments
        Crops of the run's size and style, and rows of `segment_table` or `split_table` of that store.
    hide
        Components in whose place the network is shown a still, even picture: their mean colour over the store's
        clips of `segments`. What it then answers, it answers without them.
    cache
        Folder of predictions; None is `predictions` under `paths.PROCESSED`.

    Returns
    -------
    DataFrame
        A predictions table: segment_id, clip_id, subject, emotion, split, p_neutral .. p_sad. Without a column
        "split" in `segments` all rows are "test".

    Raises
    ------
    DataError
        The crops are not of the run's size and style.
    ValueError
        There are no segments, or `hide` names what the network does not see.
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
        if not file.is_file():
            hidden = {component: _mean_colour(component, store, segments) for component in hide}
            size = PREDICT_BATCH[run.experiment.model]
            shown = batches(segments, store, run.experiment, size=size, hidden=hidden)
            table = _table(segments, _probabilities(_loaded(run.folder), shown, size=size))
            with caching.atomic_file(file) as temporary:
                table.to_parquet(temporary, index=False)
    return pd.read_parquet(file)


def _mean_colour(component: str, store: CropStore, segments: pd.DataFrame) -> NDArray[np.uint8]:
    """Return a component's mean colour over the first frames of some segments, as an even crop (size, size, 3)."""
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
    }
    if experiment.model == "published":
        return models.build_published(experiment.components, **sizes)
    return models.build_compact(experiment.components, stride=experiment.stride, **sizes)


def _go_through(shown: Any, model: "keras.Model") -> dict[str, float]:
    """Take a training step for each batch, and return the means of loss and accuracy: what `fit` does.

    `fit` hands every batch from one thread to another, which takes as long as a small network's step: on two cores a
    MicroX trained 1.7 times as fast this way.
    """
    sums, count = {"loss": 0.0, "accuracy": 0.0}, 0
    for number in range(len(shown)):
        inputs, labels = shown[number]
        logs = model.train_on_batch(inputs, labels, return_dict=True)
        sums = {name: total + float(logs[name]) * len(labels) for name, total in sums.items()}
        count += len(labels)
    return {name: total / count for name, total in sums.items()}


def _probabilities(model: "keras.Model", shown: Any, *, size: int) -> NDArray[np.float32]:
    """Return what a network answers for every segment of batches of `size`, the last one perhaps smaller: (n, 7).

    The last batch is filled up with its first segment, whose further answers are thrown away: a network is compiled
    anew for every size of a batch, which takes longer than all batches together.
    """
    answers = []
    for number in range(len(shown)):
        inputs, labels = shown[number]
        if len(labels) < size:
            rows = np.where(np.arange(size) < len(labels), np.arange(size), 0)
            inputs = {name: crops[rows] for name, crops in inputs.items()}
        answers.append(model.predict_on_batch(inputs)[: len(labels)])
    return np.concatenate(answers)


def _score(probabilities: NDArray[np.float32], segments: pd.DataFrame) -> dict[str, float]:
    """Return the mean loss (categorical cross-entropy) and accuracy of the answers for some segments.

    A probability that float32 takes for zero counts as its smallest number, so one segment costs 87 at most.
    """
    labels = segments["emotion"].map(EMOTIONS.index).to_numpy()
    surely = np.maximum(probabilities[np.arange(len(labels)), labels], np.finfo(np.float32).tiny).astype(float)
    hits = probabilities.argmax(axis=1) == labels
    return {"loss": float(-np.log(surely).mean()), "accuracy": float(hits.mean())}


def _compile(model: "keras.Model", experiment: Experiment) -> "keras.Model":
    """Give the network its optimizer and its loss: categorical cross-entropy, taken from class indices."""
    import keras

    optimizers = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
    optimizer = optimizers[experiment.optimizer](experiment.learning_rate)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)  # or the first step makes its variables, and is compiled twice
    return model


def _table(segments: pd.DataFrame, probabilities: NDArray[np.float32]) -> pd.DataFrame:
    table = segments[["segment_id", "clip_id", "subject", "emotion", "split"]].reset_index(drop=True)
    return table.join(pd.DataFrame(probabilities, columns=list(PROBABILITIES)))


def _seed_dropout(model: "keras.Model", seed: int, epoch: int) -> None:
    """Start every dropout layer's random numbers from the seed, the epoch and the layer's place."""
    layers = [layer for layer in model.layers if hasattr(layer, "seed_generator")]
    for place, layer in enumerate(layers):
        state = np.random.SeedSequence([seed, epoch, place]).generate_state(2)
        layer.seed_generator.state.assign(state)


def _load(path: Path) -> "keras.Model":
    import keras

    from microx_utils import models  # noqa: F401 - registers the layers that the file names

    return keras.models.load_model(path)


@functools.lru_cache(maxsize=1)
def _loaded(folder: Path) -> "keras.Model":
    """Return a finished run's network; the last one is kept, for it is compiled and may be asked again."""
    return _load(folder / "model.keras")


class _Checkpoint:
    """The state of an unfinished run: the last epoch's model with its optimizer, the best one's, and the history.

    `state.json` is replaced last and names the files that count, so a kill at any moment leaves either the
    state before the epoch or the one after it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        state = folder / "state.json"
        self.history: list[dict[str, float]] = json.loads(state.read_text()) if state.exists() else []

    @property
    def best(self) -> int:
        """The epoch (from 1) with the lowest validation loss; the earlier of two equal ones."""
        return int(np.argmin([row["val_loss"] for row in self.history])) + 1

    @property
    def waited(self) -> int:
        """Epochs since the best one."""
        return len(self.history) - self.best if self.history else 0

    def file(self, epoch: int) -> Path:
        """Return where an epoch's model lies, while it is the last or the best."""
        return self.folder / f"epoch_{epoch:04d}.keras"

    def load(self) -> "keras.Model":
        """Return the last finished epoch's model, with the state of its optimizer."""
        return _load(self.file(len(self.history)))

    def save(self, model: "keras.Model", row: dict[str, float]) -> None:
        """Add a finished epoch."""
        with caching.atomic_file(self.file(len(self.history) + 1)) as temporary:
            model.save(temporary)
        self.history.append(row)
        with caching.atomic_file(self.folder / "state.json") as temporary:
            temporary.write_text(json.dumps(self.history))
        keep = {self.file(self.best), self.file(len(self.history))}
        for file in set(self.folder.glob("epoch_*.keras")) - keep:
            file.unlink()

    def remove(self) -> None:
        for file in self.folder.iterdir():
            file.unlink()
        self.folder.rmdir()
