"""The robust network's two halves for one frame and one span at a time, compiled for LiteRT: a stream can't wait.

Keras takes several milliseconds a call, most of it its own; LiteRT takes less than one for the same numbers. The files
are made from a network's weights once, and kept by their content.
"""

import hashlib
import importlib.metadata
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from microx_utils.robust.predicting import SEGMENT_PARTS
from microx_utils.support import cache as caching
from microx_utils.support import paths
from microx_utils.trackers.blazeface import without_notices

if TYPE_CHECKING:
    from microx_utils.robust.network import Network

Kind = Literal["float", "int8", "keras"]

CODE_VERSION = 1
"""Part of every file's name. Raise it when a change here alters what is exported."""

Call = Callable[[Mapping[str, NDArray[Any]]], dict[str, NDArray[np.float32]]]


@dataclass(frozen=True)
class Halves:
    """The two halves of a network, each for one frame or one span a call.

    Attributes
    ----------
    kind
        "float" or "int8": compiled, with weights of 32 or of 8 bits; or "keras".
    size
        Side of the crops, px.
    frame
        Takes `inputs.frame_inputs` of one frame, without the axis of time: pixels uint8 (1, 7, size, size, 4), moves
        float32 (1, 7, MOVES), given float32 (1, 7). Returns face (1, D), available and weights (1, 7), and units.
    span
        Takes faces float32 (1, T, D), T free. Returns emotion (1, 7) and moments (1, T).
    """

    kind: Kind
    size: int
    frame: Call
    span: Call


def plain(network: "Network") -> Halves:
    """Return the halves as Keras computes them."""

    def frame(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        return _arrays(network.frame.predict_on_batch(dict(inputs)))

    def span(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        return _arrays(network.span.predict_on_batch(inputs["faces"]))

    with _calm():  # the first call of each translates it; TensorFlow warns where that happens often
        frame({name: np.zeros((1, *x.shape[1:]), x.dtype) for name, x in network.frame.input.items()})
        span({"faces": np.zeros((1, SEGMENT_PARTS, network.design.features), np.float32)})
    return Halves("keras", network.design.size, frame, span)


def _arrays(found: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    return {name: np.asarray(values, np.float32) for name, values in found.items()}


def compiled(
    network: "Network", *, kind: Literal["float", "int8"] = "float", cache: str | os.PathLike[str] | None = None
) -> Halves:
    """Return the halves compiled for LiteRT, on one thread; exported once, then read from the cache.

    Where they can't be had, such as on another backend of Keras than TensorFlow, a warning says why, and the halves are
    those of `plain`.

    Parameters
    ----------
    kind
        "int8" keeps the large weights in 8 bits: a third of the bytes, no more speed, probabilities that differ in the
        third place.
    cache
        Folder of the exported files; None is `compiled` under `paths.PROCESSED`.
    """
    folder = Path(cache or paths.PROCESSED / "compiled") / f"{kind}-{_key(network)}"
    try:
        with caching.lock(folder):
            if not caching.ready(folder):
                with caching.atomic_folder(folder) as made:
                    _export(network, kind, made)
        frame, span = (_load(folder / f"{half}.tflite") for half in ("frame", "span"))
    except Exception as error:  # noqa: BLE001 - exporters fail in their own ways; the warning says how
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        warnings.warn(f"the network could not be compiled, and Keras runs it, slower: {reason}", stacklevel=2)
        return plain(network)
    return Halves(kind, network.design.size, frame, span)


def _key(network: "Network") -> str:
    weights = hashlib.sha256()
    for half in (network.frame, network.span):
        for values in half.get_weights():
            weights.update(np.ascontiguousarray(values).tobytes())
    versions = [importlib.metadata.version(name) for name in ("keras", "tensorflow")]
    return caching.content_key(
        design=network.design.settings(), weights=weights.hexdigest(), made_by=[CODE_VERSION, *versions]
    )


def _export(network: "Network", kind: Kind, folder: Path) -> None:
    import keras
    import tensorflow as tf

    one = {
        name: keras.InputSpec(shape=(1, *x.shape[1:]), dtype=x.dtype, name=name)
        for name, x in network.frame.input.items()
    }
    some = keras.InputSpec(shape=(1, None, network.design.features), dtype="float32", name="faces")
    settings = {
        "optimizations": [tf.lite.Optimize.DEFAULT] if kind == "int8" else [],
        "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]},  # or only TensorFlow could run it
    }
    for half, model, inputs in (("frame", network.frame, one), ("span", network.span, some)):
        file = folder / f"{half}.tflite"
        with _calm():
            model.export(file, format="litert", verbose=False, input_signature=[inputs], **settings)


@contextmanager
def _calm() -> Iterator[None]:
    """Keep TensorFlow's hints off the screen; its errors are passed on."""
    logger = logging.getLogger("tensorflow")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with without_notices():
            yield
    finally:
        logger.setLevel(before)


def _load(file: Path) -> Call:
    from ai_edge_litert.interpreter import Interpreter

    with without_notices():
        run = Interpreter(model_path=str(file), num_threads=1).get_signature_runner()
    return lambda inputs: run(**inputs)
