"""Pan et al. (2019), Table 2's second row: 15 parts of a clip, a spatial and a temporal stream, one aggregation layer.

Each part of the clip gives one face (in colour, for the spatial stream) and the optical flow that starts there (for the
temporal stream). Each stream has one small network, the same for every part; the two descriptors of a part are joined,
and a trainable layer pools the parts. Everything is learned together from the emotion alone. Keras 3 `keras.ops` only.

What the authors leave open in what is public, and what is done here (`systems.OPTIONS`):

    faces          48 px, colour, turned and scaled by the eyes; the published streams see about 224 px
    backbone       three strided convolutions (16, 32, 64 filters) and a dense layer of 64, not pre-trained
    flow           Farnebäck's (2003) at 64 px, from a frame to the one 0.1 s (3 frames) later
    parts          15 of a clip; a segment has ten frames, so ten parts
    frame          of a part: in training a random one, else the middle one
    aggregation    soft assignment to 8 learned words, residuals summed (NetVLAD, ActionVLAD), joint over both streams
    schedule       Adam 0.001, as many epochs and as much patience as the MicroX run, best validation weights kept
    two levels     one network; every epoch shows each training clip once whole and once as a random segment of it
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import layers, ops
from numpy.typing import NDArray
from tqdm import tqdm

from microx_utils.components import FULL_FACE
from microx_utils.crops import CropStore, crop_clip
from microx_utils.experiments import Experiment
from microx_utils.labels import EMOTIONS
from microx_utils.rivals.classical import LEVELS, Fitted
from microx_utils.rivals.streams import FLOW_SCALE, FLOW_SIZE, clip_inputs, gather, stream_store
from microx_utils.support.keras_setup import pinned_keras


class Aggregation(layers.Layer):
    """Pool a set of descriptors into one: soft assignment to learned words, and the sum of the residuals.

        a_k(x) = softmax_k(w_k . x + b_k)                 how much descriptor x belongs to word k
        V_k    = sum over the parts of a_k(x) (x - c_k)   where the parts lie around the word's centre

    Each V_k, and then all of them together, is scaled to length one. Mean pooling is the case of one word.
    (Arandjelović et al., NetVLAD, 2016; Girdhar et al., ActionVLAD, 2017.)

    Input shape (B, parts, D), parts free; output shape (B, words * D).
    """

    def __init__(self, words: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = words
        self.assign = layers.Dense(words, activation="softmax", name="assign")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.assign.build(input_shape)
        self.centres = self.add_weight(
            shape=(self.words, input_shape[-1]), initializer="glorot_uniform", name="centres"
        )
        self.built = True

    def call(self, x: Any) -> Any:
        a = self.assign(x)  # (B, parts, K)
        total = ops.expand_dims(ops.sum(a, axis=1), -1)  # (B, K, 1)
        residuals = ops.matmul(ops.transpose(a, (0, 2, 1)), x) - total * self.centres  # (B, K, D)
        residuals = ops.normalize(residuals, axis=-1)
        return ops.normalize(ops.reshape(residuals, (-1, self.words * x.shape[-1])), axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        return input_shape[0], self.words * int(input_shape[-1] or 0)


class EachPart(layers.Layer):
    """Apply one network to every part: (B, parts, H, W, C) -> (B, parts, D). The weights are shared over the parts."""

    def __init__(self, network: keras.Model, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.network = network

    def call(self, x: Any) -> Any:
        flat = self.network(ops.reshape(x, (-1, *x.shape[2:])))  # (B * parts, D)
        return ops.reshape(flat, (-1, ops.shape(x)[1], flat.shape[-1]))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:2], self.network.output_shape[-1])


def build(options: Mapping[str, Any]) -> keras.Model:
    """Return the network, untrained, for any number of parts.

    Input: {"spatial": uint8 (B, parts, size, size, 3) RGB, "temporal": int8 (B, parts, size, size, 2)}; output (B, 7).
    """
    pinned_keras()
    size = options["size"]

    def stream(name: str, channels: int, scale: float, offset: float) -> tuple[Any, Any]:
        image = keras.Input((size, size, channels))
        x = layers.Rescaling(scale, offset)(image)
        for filters in options["filters"]:
            x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
        x = layers.Flatten()(x)  # 6 x 6 places: where on the face matters
        x = layers.Dropout(options["dropout"])(x)
        network = keras.Model(image, layers.Dense(options["descriptor"], activation="relu")(x), name=f"{name}_network")
        parts = keras.Input((None, size, size, channels), name=name)
        return parts, EachPart(network, name=f"{name}_parts")(parts)  # (B, parts, D)

    spatial, faces = stream("spatial", 3, 1 / 127.5, -1.0)
    temporal, motions = stream("temporal", 2, 1 / FLOW_SCALE, 0.0)
    x = layers.Concatenate()([faces, motions])  # (B, parts, 2 D)
    x = Aggregation(options["words"], name="aggregation")(x)
    x = layers.Dropout(options["dropout"])(x)
    emotion = layers.Dense(len(EMOTIONS), activation="softmax", name="emotion")(x)
    return keras.Model({"spatial": spatial, "temporal": temporal}, emotion, name="two_streams")


def fit(
    spans: Mapping[str, pd.DataFrame],
    store: CropStore,
    experiment: Experiment,
    options: Mapping[str, Any],
    folder: Path,
) -> Fitted:
    """Train on the training people, keep the epoch with the lowest validation loss, predict both levels.

    The validation loss is the mean over both levels. Weights and history go to `folder`, for `load`.
    """
    started = time.perf_counter()
    streams = stream_store(store, options)
    seconds_features = time.perf_counter() - started
    started = time.perf_counter()
    keras.utils.set_random_seed(experiment.seed)
    model = build(options)
    model.compile(keras.optimizers.Adam(options["learning_rate"]), "sparse_categorical_crossentropy")
    sides = {level: dict(list(spans[level].groupby("split"))) for level in LEVELS}
    history: list[dict[str, float]] = []
    best: list[NDArray] = []
    bar = tqdm(range(1, experiment.epochs + 1), desc="training two_streams", unit="epoch")
    for epoch in bar:
        rng = np.random.default_rng([experiment.seed, epoch])
        train = {level: _one_of_each_clip(sides[level]["train"], rng) for level in LEVELS}
        batches = [
            (level, train[level].iloc[start : start + options["batch_size"]])
            for level in LEVELS
            for start in range(0, len(train[level]), options["batch_size"])
        ]
        losses = []
        for k in rng.permutation(len(batches)):
            level, rows = batches[k]
            batch = gather(streams, rows, options["parts"][level], gap=options["gap"], rng=rng)
            losses.append(float(model.train_on_batch(batch, _targets(rows))))
        held = {level: _predict(model, streams, sides[level]["validation"], level, options) for level in LEVELS}
        loss = np.mean([_loss(held[level], sides[level]["validation"]) for level in LEVELS])
        history.append({"epoch": epoch, "loss": float(np.mean(losses)), "val_loss": float(loss)})
        if loss == min(row["val_loss"] for row in history):
            best = model.get_weights()
        bar.set_postfix(loss=f"{history[-1]['loss']:.2f}", val_loss=f"{loss:.2f}")
        best_epoch = int(np.argmin([row["val_loss"] for row in history])) + 1
        if epoch - best_epoch >= experiment.patience:
            break
    bar.close()
    model.set_weights(best)
    seconds_training = time.perf_counter() - started
    model.save_weights(folder / "two_streams.weights.h5")
    pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
    (folder / "options.json").write_text(json.dumps(dict(options), indent=2))
    facts = {
        "seconds_features": seconds_features,
        "seconds_training": seconds_training,
        "parameters": model.count_params(),
        "chosen": {"both levels": f"weights of epoch {best_epoch} of {len(history)}"},
    }
    probabilities = {
        level: _predict(model, streams, spans[level][spans[level]["split"] != "train"], level, options)
        for level in LEVELS
    }

    def answer(faces: NDArray) -> NDArray:
        return model.predict_on_batch(clip_inputs(faces, options))

    def inputs(row: pd.Series) -> tuple:
        return (crop_clip(row["path"], size=FLOW_SIZE, max_frames=row["frames"])[0][:, FULL_FACE],)

    return Fitted(probabilities, facts, answer, inputs)


def load(folder: Path) -> tuple[keras.Model, dict[str, Any]]:
    """Return the trained network of a finished run's folder, and its options."""
    options = json.loads((folder / "options.json").read_text())
    model = build(options)
    model.load_weights(folder / "two_streams.weights.h5")
    return model, options


def _one_of_each_clip(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return one random span of every clip, in random order."""
    order = rows.iloc[rng.permutation(len(rows))].drop_duplicates("clip_id")
    return order.iloc[rng.permutation(len(order))]


def _targets(rows: pd.DataFrame) -> NDArray[np.int64]:
    return rows["emotion"].map(EMOTIONS.index).to_numpy()


def _predict(
    model: keras.Model, streams: Mapping[str, NDArray], rows: pd.DataFrame, level: str, options: Mapping[str, Any]
) -> NDArray[np.float64]:
    """Return the probabilities of some spans, (spans, 7), computed in batches."""
    found = []
    for start in range(0, len(rows), 32):
        inputs = gather(streams, rows.iloc[start : start + 32], options["parts"][level], gap=options["gap"])
        found.append(np.asarray(model.predict_on_batch(inputs), np.float64))
    probabilities = np.concatenate(found)
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def _loss(probabilities: NDArray, rows: pd.DataFrame) -> float:
    of_truth = probabilities[np.arange(len(rows)), _targets(rows)]
    return float(-np.log(np.maximum(of_truth, 1e-7)).mean())
