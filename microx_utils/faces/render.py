"""Rendering: a performance by a person in a scene becomes frames and exact ground truth.

>>> frames, truth = render_clip(3, "happy", seed=0, frames=2)
>>> frames.shape, frames.dtype, truth.landmarks.shape
((2, 192, 342, 3), dtype('uint8'), (2, 68, 2))
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .action_units import split_sides
from .draw import FrameDrawer
from .person import Person, load_person
from .scene import HEAD_SPREAD, Scene, make_scene
from .timecourse import Performance, onset_apex_offset, perform
from .truth import GroundTruth

FRAME_SIZE = (342, 192)
"""Width and height of frames unless others are asked for, pixels."""


def render_clip(
    person: int,
    emotion: str,
    seed: int,
    *,
    frames: int = 60,
    fps: float = 30.0,
    size: tuple[int, int] = FRAME_SIZE,
    mask: bool = False,
    scene: str = "varied",
) -> tuple[NDArray[np.uint8], GroundTruth]:
    """Render one clip.

    Parameters
    ----------
    person, seed
        The person and the take. The same person, emotion and seed give the same performance with and without a mask;
        scene and light depend only on person and seed, never on the emotion.
    emotion
        One of `labels.EMOTIONS`, or "disgust", "boredom", "thinking", "unsure". "contempt" is the one-sided lip
        raise; BAUM's merged class holds both it and "disgust".
    frames, fps
        Length and rate.
    size
        (width, height), pixels.
    mask
        Put a surgical mask on.
    scene
        "studio", "varied" or "outdoor".

    Returns
    -------
    frames
        uint8 (T, H, W, 3) RGB.
    truth
        Landmarks, action units, head pose and more, per frame.

    Raises
    ------
    ValueError
        Unknown emotion or scene, or no frames asked for.
    """
    if frames < 1:
        raise ValueError(f"frames is {frames}; a clip has at least one")
    stage = Stage(person, emotion, seed, frames=frames, fps=fps, size=size, scene=scene)
    images = np.stack([stage.draw(k, mask=mask) for k in range(frames)])
    return images, stage.truth()


def render_still(
    person: int,
    action_units: Mapping[int | str, float],
    *,
    size: tuple[int, int] = (256, 256),
    scene: str = "studio",
    mask: bool = False,
    gaze: tuple[float, float] = (0.0, 0.0),
    pose: tuple[float, float, float] = (0.0, 0.0, 0.0),
    seed: int = 0,
    zoom: float = 1.0,
) -> NDArray[np.uint8]:
    """Render one frame from action-unit intensities.

    Parameters
    ----------
    action_units
        {unit: intensity 0 to 1}: 12 or "AU12" acts on both sides, "12L" or "12R" on the person's left or right.
        43, 45 and 46 close the eyes; "46L" is a wink of the person's left eye (image right).
    size
        (width, height), pixels.
    gaze
        Yaw and pitch of the eyes, radians; positive to the person's left and up.
    pose
        Yaw, pitch and roll of the head, radians; positive yaw to the person's left, positive pitch up.
    seed
        Seed of light and background.
    zoom
        Enlarges the face around the frame's centre.

    Returns
    -------
    uint8 (H, W, 3) RGB.

    Raises
    ------
    ValueError
        Unknown action unit or scene, or an intensity out of range.
    """
    drawer = still_drawer(person, action_units, size=size, scene=scene, gaze=gaze, pose=pose, seed=seed, zoom=zoom)
    return drawer.draw(0, mask=mask)


def still_drawer(
    person: int,
    action_units: Mapping[int | str, float],
    *,
    size: tuple[int, int] = (256, 256),
    scene: str = "studio",
    gaze: tuple[float, float] = (0.0, 0.0),
    pose: tuple[float, float, float] = (0.0, 0.0, 0.0),
    seed: int = 0,
    zoom: float = 1.0,
) -> FrameDrawer:
    """Return what `render_still` draws with: `drawer.draw(0)` is the image, `drawer.landmarks(0)` its 68 points."""
    left, right, closed = split_sides(action_units)
    still = Performance(
        left=left[None],
        right=right[None],
        action_units=np.zeros((1, 0)),
        closed=closed[None],
        gaze=np.array([gaze], float),
        pose=np.array([pose], float),
        envelope=np.zeros(1),
        talking=False,
    )
    place = _still_scene(person, scene, seed, (size[0], size[1]), zoom)
    return FrameDrawer(load_person(person), place, still, np.random.default_rng([6, person, seed]))


@lru_cache(maxsize=4)
def _still_scene(person: int, name: str, seed: int, size: tuple[int, int], zoom: float) -> Scene:
    """Return the scene of a still. The last few are kept: making one takes about a third as long as drawing it."""
    scene = _scene(load_person(person), name, (person, seed), size, 1)
    scene.focal *= zoom
    scene.centre = np.array(size) / 2 + (scene.centre - np.array(size) / 2) * zoom
    return scene


def _scene(who: Person, name: str, seed: tuple[int, ...], size: tuple[int, int], frames: int) -> Scene:
    identity = who.identity
    return make_scene(
        name, seed, size=size, frames=frames, eye_distance=identity.eye_distance, melanin=identity.melanin
    )


class Stage:
    """A clip that is ready to be drawn frame by frame, in order."""

    def __init__(
        self, person: int, emotion: str, seed: int, *, frames: int, fps: float, size: tuple[int, int], scene: str
    ) -> None:
        who = load_person(person)
        place = _scene(who, scene, (person, seed), size, frames)
        self.emotion, self.fps = emotion, fps
        self.performance = perform(person, emotion, seed, frames=frames, fps=fps, head_spread=HEAD_SPREAD[scene])
        self.drawer = FrameDrawer(who, place, self.performance, np.random.default_rng([6, person, seed]))

    def draw(self, frame: int, *, mask: bool = False) -> NDArray[np.uint8]:
        """Return frame number `frame` as uint8 (H, W, 3) RGB. Sensor noise follows the order of the calls."""
        return self.drawer.draw(frame, mask=mask)

    def truth(self) -> GroundTruth:
        """Return the clip's ground truth; needs no frame drawn."""
        motion = self.performance
        onset, apex, offset = onset_apex_offset(motion.envelope)
        points = [self.drawer.landmarks(k) for k in range(len(motion.envelope))]
        return GroundTruth(
            landmarks=np.stack(points).astype(np.float32),
            action_units=motion.action_units.astype(np.float32),
            pose=motion.pose.astype(np.float32),
            gaze=motion.gaze.astype(np.float32),
            blink=motion.closed.mean(1).astype(np.float32),
            performance=self.emotion,
            talking=motion.talking,
            onset=onset,
            apex=apex,
            offset=offset,
            fps=self.fps,
        )
