"""Ground truth of rendered clips, and the compact file with the truth of all clips of the sample."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .action_units import TRUTH_NAMES


@dataclass
class GroundTruth:
    """Ground truth of a rendered clip of T frames.

    Attributes
    ----------
    landmarks
        float32 (T, 68, 2), iBUG-68 points in pixels; (0, 0) is the centre of the top left pixel. Hidden points
        (under a mask, behind hair) are given like seen ones.
    action_units
        float32 (T, 27) intensities from 0 to about 1, in the order of `names`; "AU12L" is what the person's left
        side does on top of "AU12".
    pose
        float32 (T, 3) yaw, pitch, roll of the head, radians; positive yaw to the person's left, positive pitch up,
        positive roll tips the crown to the person's right.
    gaze
        float32 (T, 2) yaw, pitch of the eyes in the head, radians; positive to the person's left and up.
    blink
        float32 (T,) lid closure, 0 open to 1 closed.
    performance
        What the person shows: one of `labels.EMOTIONS`, "disgust" or a mental state.
    talking
        Whether the mouth also moves as in speech.
    onset, apex, offset
        Frames (from 0) where the expression starts, is first at its height, and ends; -1 for neutral.
    fps
        Frames per second.
    """

    landmarks: NDArray
    action_units: NDArray
    pose: NDArray
    gaze: NDArray
    blink: NDArray
    performance: str
    talking: bool
    onset: int
    apex: int
    offset: int
    fps: float
    names: tuple[str, ...] = TRUTH_NAMES

    @property
    def emotion(self) -> str | None:
        """The class of `labels.EMOTIONS`; None for a mental state."""
        from microx_utils.labels import emotion_of

        return emotion_of(self.performance)

    def __len__(self) -> int:
        return len(self.landmarks)

    def rows_at(self, times) -> NDArray:
        """Return the row (int, same shape) of the frame nearest to each time in seconds from the clip's start.

        For frames resampled by `video.read_frames`: `truth.landmarks[truth.rows_at(times)]` goes with them.
        """
        rows = np.ceil(np.asarray(times) * self.fps - 0.5 - 1e-3).astype(int)  # the earlier of two, as in `video`
        return np.clip(rows, 0, len(self) - 1)


LANDMARK_STEP = 1 / 16
"""Pixels: stored landmarks are off by at most half of this."""
UNIT_STEP, ANGLE_STEP, BLINK_STEP = 1 / 100, 1 / 5000, 1 / 200
"""Steps of stored intensities, angles (rad) and lid closure."""
FIELDS: dict[str, tuple[float, type]] = {
    "landmarks": (LANDMARK_STEP, np.int16),
    "action_units": (UNIT_STEP, np.uint8),
    "pose": (ANGLE_STEP, np.int16),
    "gaze": (ANGLE_STEP, np.int16),
    "blink": (BLINK_STEP, np.uint8),
}
SCALARS = ("performance", "talking", "onset", "apex", "offset", "fps")


def _differences(values: NDArray, step: float, kind: type) -> NDArray:
    """Return rounded values as wrapping differences in time, split in bytes (bytes, T, columns), to compress well."""
    whole = np.round(values.reshape(len(values), -1) / step).astype(np.int64)
    change: NDArray = np.diff(whole, axis=0, prepend=0).astype(kind)
    planes = change.view(np.uint8).reshape(*change.shape, -1)
    return np.ascontiguousarray(np.moveaxis(planes, -1, 0))


def _undo_differences(planes: NDArray, step: float, kind: type) -> NDArray:
    change: NDArray = np.ascontiguousarray(np.moveaxis(planes, 0, -1)).view(kind)[..., 0]
    return (np.cumsum(change, axis=0, dtype=kind) * step).astype(np.float32)


def pack_truth(truths: dict[str, GroundTruth], aliases: dict[str, str]) -> dict[str, NDArray]:
    """Return the arrays of a truth file.

    Parameters
    ----------
    truths
        {key: ground truth} of each performance.
    aliases
        {key: key in `truths`} of every clip; two clips of one performance share its truth.
    """
    order = {key: i for i, key in enumerate(truths)}
    arrays: dict[str, NDArray] = {
        "keys": np.array(list(aliases)),
        "take": np.array([order[key] for key in aliases.values()], np.int32),
        "frames": np.array([len(truth) for truth in truths.values()], np.int32),
        "names": np.array(TRUTH_NAMES),
    }
    for name in SCALARS:
        arrays[name] = np.array([getattr(truth, name) for truth in truths.values()])
    for name, (step, kind) in FIELDS.items():
        packed = [_differences(getattr(truth, name), step, kind) for truth in truths.values()]
        arrays[name] = np.concatenate(packed, axis=1)
    return arrays


def unpack_truth(arrays, take: int) -> GroundTruth:
    """Return one performance's ground truth from the arrays of `pack_truth`."""
    frames = arrays["frames"]
    first = int(frames[:take].sum())
    rows = slice(first, first + int(frames[take]))
    values = {name: _undo_differences(arrays[name][:, rows], *FIELDS[name]) for name in FIELDS}
    return GroundTruth(
        landmarks=values["landmarks"].reshape(-1, 68, 2),
        action_units=values["action_units"],
        pose=values["pose"],
        gaze=values["gaze"],
        blink=values["blink"][:, 0],
        **{name: arrays[name][take].item() for name in SCALARS},
    )
