"""A face that is held still: what the pipeline cuts from one picture, and what a trained network answers to it.

A network of this course sees ten frames. Of a single picture it is shown ten copies, as if the face did not move at
all; the sensor's noise stands still, too. Its answer is that of the pipeline, for a segment that no camera would give.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from microx_utils.batches import model_inputs
from microx_utils.components import COMPONENTS, Style, component_available, crop_components
from microx_utils.experiments import Experiment
from microx_utils.landmarks import FrameTracker

if TYPE_CHECKING:
    import keras

BATCH = 64
"""Faces answered at a time, where there are several."""


class Sight(NamedTuple):
    """What the pipeline has of one picture.

    Attributes
    ----------
    found
        Whether the tracker found a face.
    points
        float64 (68, 2), px; zeros without a face.
    crops
        uint8 (7, size, size, 3), RGB, in the order of `COMPONENTS`; black without a face.
    available
        bool (7,), see `components.component_available`.
    """

    found: bool
    points: NDArray[np.float64]
    crops: NDArray[np.uint8]
    available: NDArray[np.bool_]


def look_at(picture: NDArray[np.uint8], tracker: FrameTracker, *, size: int, style: Style = "aligned") -> Sight:
    """Find the landmarks in a picture, uint8 (H, W, 3) RGB, as if it were a clip's first frame, and crop it."""
    tracker.reset()
    face = tracker(picture)
    if not face.success:
        crops = np.zeros((len(COMPONENTS), size, size, 3), np.uint8)
        return Sight(False, face.points, crops, np.zeros(len(COMPONENTS), bool))
    crops = crop_components(picture, face.points, size=size, style=style)
    return Sight(True, face.points, crops, component_available(face.points, picture.shape, success=True, style=style))


def held_probabilities(
    model: "keras.Model", experiment: Experiment, crops: NDArray[np.uint8], *, batch: int = BATCH
) -> NDArray[np.float32]:
    """Return what a network answers to faces that are held still.

    Parameters
    ----------
    model, experiment
        `run.load_model()` and `run.experiment` of a run.
    crops
        uint8 (n, 7, size, size, 3), RGB: one frame of each face, at the experiment's size.
    batch
        Faces answered at a time. The last batch is filled up: the network is compiled for each new size of a batch.

    Returns
    -------
    float32 (n, 7)
        Probabilities in the order of `labels.EMOTIONS`.
    """
    answers = []
    for first in range(0, len(crops), batch):
        some = crops[first : first + batch]
        filled = some[np.arange(batch) % len(some)]
        frames = np.repeat(filled[:, None], experiment.frames, axis=1)
        answers.append(model.predict_on_batch(model_inputs(frames, experiment))[: len(some)])
    return np.concatenate(answers)
