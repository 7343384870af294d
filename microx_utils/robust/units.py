"""Action units of every frame of a store, where they are known: of rendered people, or from OpenFace.

They are no input of the robust model. In training it may learn to read them beside the emotion, as a hint what to look
for (FACS, paper section VI.C).
"""

import hashlib
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microx_utils.crops import CropStore
from microx_utils.faces.sample import load_truth
from microx_utils.landmarks import action_units, clip_landmarks
from microx_utils.support.cache import content_key
from microx_utils.video import FPS

OPENFACE_MAX = 5.0
"""The largest intensity that OpenFace gives; here it is 1."""


@dataclass(frozen=True)
class Units:
    """Intensities of action units.

    Attributes
    ----------
    names
        AU01, AU02 ...; AU12L and AU12R are what the left and the right side show beyond both.
    values
        float32 (rows of the store, n), 0 to about 1.
    """

    names: tuple[str, ...]
    values: NDArray[np.float32]

    @property
    def key(self) -> str:
        """Return a hash of names and values; NaN counts as any other value."""
        values = hashlib.sha256(np.ascontiguousarray(self.values).data).hexdigest()
        return content_key(names=self.names, values=values, shape=self.values.shape)


def store_units(store: CropStore, truth: str | os.PathLike[str] | None = None) -> Units | None:
    """Return the action units of all frames of a store, or None if they are not known.

    Parameters
    ----------
    truth
        The folder of the ground truth (`course.records.truth_folder`) for rendered people; None takes the units of the
        landmark tables, which OpenFace's have and others lack.
    """
    parts: list[NDArray[np.float32]] = []
    names: tuple[str, ...] | None = None
    for path, frames in zip(store.clips["path"], store.clips["frames"], strict=True):
        if truth is not None:
            found = load_truth(path, folder=truth)
            times = np.arange(frames) / FPS
            here, values = tuple(found.names), found.action_units[found.rows_at(times)]
        else:
            table = action_units(clip_landmarks(path)).iloc[:frames]
            here, values = tuple(str(name).removesuffix("_r") for name in table), table.to_numpy() / OPENFACE_MAX
        if not here or (names is not None and here != names):
            return None
        names = here
        parts.append(np.asarray(values, np.float32))
    return Units(names or (), np.concatenate(parts))


def mirrored_units(names: tuple[str, ...]) -> list[int]:
    """Return the index of each action unit on the other side of the face; units of both sides stay.

    >>> mirrored_units(("AU04", "AU12L", "AU12R"))
    [0, 2, 1]
    """
    other = {"L": "R", "R": "L"}
    return [names.index(n[:-1] + other[n[-1]]) if n[-1] in other else k for k, n in enumerate(names)]
