"""Fit the robust model on training people, and predict segments and clips with it; cached.

Training shows each clip twice in an epoch, once whole and once as a segment of ten frames, and never the same twice:
mirrored, in other light, with a mask, a hand or sunglasses before the face, and with components left out. Besides the
emotion it learns, frame by frame, what is hidden, since whoever draws a mask knows where it is. Where the intensities
of action units are known, of rendered people or from OpenFace, it learns to read these as well.
"""

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from microx_utils.batches import split_table
from microx_utils.components import COMPONENTS
from microx_utils.crops import CropStore
from microx_utils.experiments import Experiment
from microx_utils.labels import EMOTIONS
from microx_utils.robust.inputs import Faces, jittered, mean_crop, mirrored, moves, pixels, store_faces
from microx_utils.robust.occluders import draw_some, photograph
from microx_utils.robust.predicting import CLIP_PARTS, answers, clip_spans, load_network
from microx_utils.robust.units import Units, mirrored_units
from microx_utils.support import cache as caching
from microx_utils.support import paths
from microx_utils.support.errors import read_tables
from microx_utils.support.keras_setup import keras_backend, pinned_keras, prepare_networks

if TYPE_CHECKING:
    from microx_utils.robust.network import Design, Network

CODE_VERSION = 2
"""Part of every fit's key. Raise it when a change in this folder alters what a fit computes."""

GUESSED = 0.6
"""Landmarks of a component of which less can be seen are wrong in training."""

JITTER = 0.01, 0.04
"""How far landmarks err at most, in eye distances: on a face that can be seen, and on one of which a component can't.
The brows of a masked face moved .017 otherwise than those of the same take without a mask (people of a population)."""

RECIPES_FILE = Path(__file__).with_name("recipes.toml")


@dataclass(frozen=True)
class Recipe:
    """How a robust model is fitted: one table of recipes.toml, whose comments explain each field."""

    epochs: int
    frames: int
    batch_size: int
    learning_rate: float
    filters: tuple[int, int, int]
    features: int
    dropout: float
    hide: float
    drop: float
    relight: bool
    units: float
    seen: float


def read_recipe(profile: str, **changes: Any) -> Recipe:
    """Return the recipe of a profile, with some fields changed: for a comparison of what each of them does."""
    row = read_tables(RECIPES_FILE)[profile]
    return replace(Recipe(**row | {"filters": tuple(row["filters"])}), **changes)


def design_of(recipe: Recipe, size: int, units: tuple[str, ...] = ()) -> "Design":
    """Return the size of the network that a recipe asks for, for crops of `size` px and these action units."""
    from microx_utils.robust.network import Design  # imports Keras, which takes seconds

    return Design(size, recipe.filters, recipe.features, units, recipe.dropout, recipe.features // 2)


@dataclass(frozen=True)
class Fit:
    """A fitted robust model.

    Attributes
    ----------
    recipe, key, folder
        How it was fitted, the hash of all that decides it, and the folder of its weights.
    history
        One row per epoch: epoch, loss, val_loss and val_accuracy (of clips), seconds.
    facts
        seconds_training, parameters, units (names of the action units learned), clips, and the machine.
    """

    recipe: Recipe
    key: str
    folder: Path
    history: pd.DataFrame = field(repr=False)
    facts: dict[str, Any] = field(repr=False)

    def load(self) -> "Network":
        """Return the network with its weights."""
        return load_network(self.folder)


def fit(
    experiment: Experiment,
    store: CropStore,
    recipe: Recipe,
    *,
    units: Units | None = None,
    start: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> Fit:
    """Fit on the training people of an experiment's split, or read the same fit from the cache.

    Parameters
    ----------
    experiment
        Decides the segments, the split and the seed; its network is not used.
    store
        Aligned crops of the data set.
    units
        Names and intensities, (rows of the store, n), of action units to learn as well; NaN where they are not known.
    start
        A folder with weights to go on from, of crops of the same size (`predicting.load_network`).
    cache
        Folder of fits; None is `robust` under `paths.PROCESSED`.
    """
    prepare_networks()
    segments = split_table(experiment, store)
    rows = segments[["segment_id", "emotion", "split", "first", "frames"]].to_csv(index=False)
    made_from: dict[str, Any] = {"recipe": asdict(recipe), "store": store.key, "rows": rows, "seed": experiment.seed}
    made_from |= {"code": CODE_VERSION, "backend": keras_backend()}
    if recipe.units and units is not None:
        made_from["units"] = units.key
    if start is not None:
        made_from["start"] = [caching.file_key(Path(start, f"{half}.weights.h5")) for half in ("frame", "span")]
    key = caching.content_key(**made_from)
    folder = Path(cache or paths.PROCESSED / "robust") / f"fit-{key}"
    with caching.lock(folder):
        if not caching.ready(folder):
            with caching.atomic_folder(folder) as made:
                _fit(segments, store, recipe, units if recipe.units else None, experiment.seed, made, start)
    facts = json.loads((folder / "facts.json").read_text())
    return Fit(recipe, key, folder, pd.read_csv(folder / "history.csv"), facts)


def _fit(
    segments: pd.DataFrame,
    store: CropStore,
    recipe: Recipe,
    units: Units | None,
    seed: int,
    folder: Path,
    start: str | os.PathLike[str] | None,
) -> None:
    keras = pinned_keras()
    from microx_utils.robust.network import build

    faces = store_faces(store)
    keras.utils.set_random_seed(seed)
    names = units.names if units is not None else ()
    network = build(design_of(recipe, store.crops.shape[2], names)) if start is None else load_network(start)
    if network.design.size != store.crops.shape[2] or (names and network.design.units != names):
        raise ValueError(f"{start}: these weights are for crops of {network.design.size} px, or for other action units")
    model = network.together(recipe.frames)
    learned = {"emotion": "sparse_categorical_crossentropy", "available": "binary_crossentropy"}
    strength = {"emotion": 1.0, "available": recipe.seen}
    if names:
        learned["units"], strength["units"] = "mean_squared_error", recipe.units
    model = keras.Model(model.input, {name: model.output[name] for name in learned})
    clips = clip_spans(segments[segments["split"] == "train"], store)
    steps = -(-2 * len(clips) // recipe.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps * recipe.epochs)
    model.compile(keras.optimizers.Adam(rate), learned, loss_weights=strength)
    held = segments[segments["split"] == "validation"]
    held_clips = clip_spans(held, store)
    history, began = [], time.perf_counter()
    with tqdm(range(recipe.epochs), desc=f"fitting the robust model, seed {seed}", unit="epoch") as bar:
        for epoch in bar:
            started = time.perf_counter()
            batches = _batches(clips, segments, faces, units, recipe, np.random.default_rng([seed, epoch]))
            losses = [float(np.ravel(model.train_on_batch(*batch))[0]) for batch in _ahead(batches)]
            row = {"epoch": epoch + 1, "loss": float(np.mean(losses))}
            if epoch % 5 == 4 or epoch + 1 == recipe.epochs:
                p = answers(network, faces, held_clips, CLIP_PARTS)
                truth = held_clips["emotion"].map(EMOTIONS.index).to_numpy()
                row["val_loss"] = float(-np.log(np.maximum(p[np.arange(len(p)), truth], 1e-7)).mean())
                row["val_accuracy"] = float((p.argmax(axis=1) == truth).mean())
            history.append(row | {"seconds": time.perf_counter() - started})
            bar.set_postfix({name: f"{value:.2f}" for name, value in row.items() if name != "epoch"})
    network.frame.save_weights(folder / "frame.weights.h5")
    network.span.save_weights(folder / "span.weights.h5")
    (folder / "design.json").write_text(json.dumps(network.design.settings(), indent=2))
    pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
    facts = {"seconds_training": time.perf_counter() - began, "parameters": network.parameters, "units": list(names)}
    (folder / "facts.json").write_text(json.dumps(facts | {"clips": len(clips)}, indent=2))


def _random_frames(first: int, count: int, parts: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return a random frame of each of `parts` equal parts of a span."""
    return first + ((np.arange(parts) + rng.random(parts)) * count / parts).astype(np.intp)


def _batches(
    clips: pd.DataFrame,
    segments: pd.DataFrame,
    faces: Faces,
    units: Units | None,
    recipe: Recipe,
    rng: np.random.Generator,
) -> Iterator[tuple[dict[str, NDArray], dict[str, NDArray], dict[str, NDArray]]]:
    """Yield inputs, targets and weights of one epoch: each clip whole, and one random segment of it."""
    train = segments[segments["split"] == "train"]
    some = train.iloc[rng.permutation(len(train))].drop_duplicates("clip_id")
    spans = pd.concat([clips, some], ignore_index=True)
    places = spans[["first", "frames"]].to_numpy()
    order = rng.permutation(len(spans))
    order = np.resize(order, -(-len(order) // recipe.batch_size) * recipe.batch_size)  # all batches are full
    for start in range(0, len(order), recipe.batch_size):
        rows = spans.iloc[order[start : start + recipe.batch_size]]
        shown = []
        for first, count in rows[["first", "frames"]].to_numpy():
            frames = _random_frames(first, count, recipe.frames, rng)
            other, length = places[rng.integers(len(places))]
            shown.append(_show(faces, frames, _random_frames(other, length, recipe.frames, rng), units, recipe, rng))
        inputs = {name: np.stack([each[name] for each in shown]) for name in ("pixels", "moves", "given")}
        targets = {"emotion": rows["emotion"].map(EMOTIONS.index).to_numpy()}
        targets["available"] = np.stack([each["available"] for each in shown])
        weights = {
            "emotion": np.ones(len(rows), np.float32),
            "available": np.ones(inputs["given"].shape[:2], np.float32),
        }
        if units is not None:
            values = np.stack([each["units"] for each in shown])
            known = np.isfinite(values).all(axis=-1)
            targets["units"], weights["units"] = np.nan_to_num(values), known.astype(np.float32)
        yield inputs, targets, weights


def _show(
    faces: Faces,
    frames: NDArray[np.intp],
    others: NDArray[np.intp],
    units: Units | None,
    recipe: Recipe,
    rng: np.random.Generator,
) -> dict[str, NDArray]:
    """Return what training sees of some frames (T,) of one clip, and what it should say of them.

    What is hidden moves as it does in `others` (T,), frames of another clip: a tracker that can't see a mouth guesses
    one. With the true moves, the network would learn to trust them behind every mask.
    """
    rest = faces.rest[frames[0]]
    crops = np.concatenate([mean_crop(faces.crops[rest][None]), faces.crops[frames]])  # the own neutral comes first
    points = np.concatenate([faces.points[rest].mean(axis=0, keepdims=True), faces.points[frames]])
    given = np.concatenate([faces.given[rest[:1]], faces.given[frames]])
    flipped = rng.random() < 0.5
    if flipped:
        crops, points, given = mirrored(crops, points, given)
    crops, visible = np.array(crops), np.ones(given.shape, np.float32)
    if rng.random() < recipe.hide:
        visible = draw_some(crops, points, rng)
    if recipe.relight:
        crops = photograph(crops, rng)
    kept = given * np.ones(given.shape, np.float32)
    if rng.random() < 0.5:
        left_out = rng.random(len(COMPONENTS)) < recipe.drop
        if not left_out.all():
            kept = kept * ~left_out
    guessed, (surest, worst) = visible < GUESSED, JITTER
    found = jittered(points, rng.uniform(0, worst if guessed.any() else surest), rng)
    shown = {
        "pixels": pixels(crops[None, 1:], crops[None, 0])[0],
        "moves": moves(found[1:], found[:1]),
        "given": kept[1:],
        "available": visible[1:] * kept[1:],
    }
    if guessed.any():
        guess = moves(faces.points[others], faces.points[faces.rest[others[0]]].mean(axis=0))
        shown["moves"] = np.where(guessed[1:, :, None], guess, shown["moves"])
    if units is not None:
        values = units.values[frames]
        shown["units"] = values[:, mirrored_units(units.names)] if flipped else values
    return shown


def _ahead(batches: Iterator[Any]) -> Iterator[Any]:
    """Yield what an iterator does, while a thread already makes the next: networks are computed without the GIL."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = thread.submit(next, batches, None)
            yield batch
