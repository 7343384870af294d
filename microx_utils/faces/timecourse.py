"""Motion of a face over a clip: onset, apex and offset of its action units, blinks, gaze, speech and head motion."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .action_units import ACTION_UNITS, INDEX, PROTOTYPES, UNILATERAL

SPEED = {"surprise": 0.7, "sad": 1.5, "fear": 0.8}
"""Rise time relative to the others'."""
# fmt: off
HEAD_PITCH = {
    "sad": -0.10, "anger": -0.05, "surprise": 0.07, "fear": 0.03, "contempt": 0.04, "disgust": 0.04, "happy": 0.01,
}
# fmt: on
"""How far the chin goes up (+) or down (-) at full expression, radians."""
EMOTIONAL = ("anger", "contempt", "disgust", "surprise", "fear", "happy", "sad")
SECOND_EMOTION_CHANCE = 0.22
COACTIVATIONS = 2.0
"""Mean number of unrelated action units in a clip."""
# fmt: off
REST_TONE = {
    4: (0, 0.17), 1: (-0.1, 0.1), 2: (-0.1, 0.1), 12: (-0.03, 0.12), 15: (-0.02, 0.16), 7: (0, 0.15),
    5: (-0.08, 0.12), 17: (-0.05, 0.12), 10: (-0.12, 0.12), 24: (-0.05, 0.12),
}
# fmt: on
"""Mean and standard deviation of the tone a person's face keeps at rest; negative draws count as none."""
SPEECH_UNITS = ((18, 0.5), (22, 0.4), (20, 0.25), (24, 0.25), (12, 0.1), (17, 0.15))
MOST = 1.15
"""Highest intensity."""


@dataclass
class Style:
    """How one person expresses: gains and asymmetry of each unit, tone at rest, habits."""

    gain: NDArray
    asymmetry: NDArray
    expressivity: float
    rest: NDArray
    talkativeness: float
    blink_rate: float
    movement: float


@dataclass
class Performance:
    """One clip's motion, T frames.

    Attributes
    ----------
    left, right
        (T, 21) intensity of each action unit on the person's left and right, in the order of ACTION_UNITS.
    action_units
        (T, 27) the same as ground truth: two-sided units, then one-sided ones (action_units.TRUTH_NAMES).
    closed
        (T, 2) closure of the left and right eye, 0 to 1.
    gaze
        (T, 2) yaw, pitch of the eyes in the head, radians; positive to the person's left and up.
    pose
        (T, 3) yaw, pitch, roll of the head, radians; see `head.rotation`.
    envelope
        (T,) course of the expression, 0 to 1; all 0 for neutral.
    """

    left: NDArray
    right: NDArray
    action_units: NDArray
    closed: NDArray
    gaze: NDArray
    pose: NDArray
    envelope: NDArray
    talking: bool


def sample_style(person: int) -> Style:
    """Draw the expressive style of a person."""
    rng = np.random.default_rng([99, person])

    def rest() -> NDArray:
        tone = np.zeros(len(ACTION_UNITS))
        for unit, (mean, spread) in REST_TONE.items():
            tone[INDEX[unit]] = max(0.0, rng.normal(mean, spread))
        return tone

    return Style(  # the draws keep this order
        gain=np.exp(rng.normal(0, 0.24, len(ACTION_UNITS))),
        asymmetry=rng.normal(0, 0.13, len(ACTION_UNITS)),
        expressivity=float(np.exp(rng.normal(0, 0.17))),
        rest=rest(),
        talkativeness=rng.beta(1.2, 1.2),
        blink_rate=rng.uniform(0.2, 0.6),
        movement=float(np.exp(rng.normal(0, 0.35))),
    )


def smooth_noise(rng: np.random.Generator, frames: int, fps: float, seconds: float, spread: float) -> NDArray:
    """Return (frames,) noise correlated over about `seconds`, with standard deviation `spread`."""
    white = rng.normal(size=frames + int(4 * seconds * fps) + 2)
    half = int(seconds * fps) + 1
    window = np.hanning(2 * half + 3)
    noise = np.convolve(white, window / window.sum(), "same")
    return (noise / (noise.std() + 1e-9) * spread)[-frames:]


class _Course:
    """Action units of one clip while it is being composed."""

    def __init__(self, rng: np.random.Generator, style: Style, frames: int, fps: float) -> None:
        self.rng, self.style = rng, style
        self.frames, self.fps, self.seconds = frames, fps, frames / fps
        self.times = np.arange(frames) / fps
        self.units = np.repeat(style.rest[None], frames, 0)
        self.one_sided = {int(unit[:-1]): np.zeros(frames) for unit in UNILATERAL}
        self.side = int(rng.choice([-1, 1]))  # +1: the person's left
        self.gaze_down = np.zeros(frames)
        self.lids = np.zeros(frames)

    def envelope(self, onset: float, rise: float, hold: float, fall: float, rest: float) -> NDArray:
        """Rise from 0 at `onset`, hold, fall to `rest`: all times in seconds."""
        up = np.clip((self.times - onset) / rise, 0, 1)
        down = np.clip((self.times - onset - rise - hold) / fall, 0, 1)
        up, down = up * up * (3 - 2 * up), down * down * (3 - 2 * down)
        return up * (1 - (1 - rest) * down)

    def express(self, performance: str, strength: float) -> NDArray:
        """Add an expression; return its envelope."""
        rng, prototype = self.rng, PROTOTYPES[performance]
        onset = rng.uniform(-0.03, 0.35) * self.seconds
        rise = min(rng.uniform(0.25, 0.7) * SPEED.get(performance, 1.0), 0.45 * self.seconds)
        hold, fall, rest = rng.uniform(0.35, 0.95) * self.seconds, rng.uniform(0.4, 0.9), rng.uniform(0.1, 0.8)
        active = [unit for unit, (chance, _, _) in prototype.items() if rng.random() < chance]
        if len(active) < 2 < len(prototype):
            active = list(dict.fromkeys(active + list(prototype)[:2]))
        for unit in active:
            _, least, most = prototype[unit]
            value = rng.uniform(least, most) * strength
            unit_rise = max(0.12, rise * np.exp(rng.normal(0, 0.25)))
            course = value * self.envelope(onset + rng.normal(0, 0.06), unit_rise, hold, fall, rest)
            if unit == "down":
                self.gaze_down += 0.25 * course + 0.05 * value
            elif unit == "lids":
                self.lids += 0.6 * course
            elif isinstance(unit, str):
                self.one_sided[int(unit)] += course
            else:
                self.units[:, INDEX[unit]] += course * self.style.gain[INDEX[unit]]
        return self.envelope(onset, rise, hold, fall, rest)

    def add_noise(self) -> None:
        """Add unrelated units and tremor."""
        rng = self.rng
        for _ in range(rng.poisson(COACTIVATIONS)):
            k = rng.integers(len(ACTION_UNITS) - 1)
            value = rng.uniform(0.05, 0.40) * (0.5 if ACTION_UNITS[k] in (9, 10, 16, 25, 26) else 1)
            onset = rng.uniform(-0.2, 0.8) * self.seconds
            times = rng.uniform(0.2, 0.5), rng.uniform(0.1, 1), rng.uniform(0.3, 0.6), rng.uniform(0, 0.5)
            self.units[:, k] += value * self.envelope(onset, *times)
        self.units += np.stack([smooth_noise(rng, self.frames, self.fps, 0.25, 0.025) for _ in ACTION_UNITS], 1)

    def speak(self) -> None:
        """Add syllables: jaw and lips move about 4 times per second, in phrases."""
        rng, frames, fps = self.rng, self.frames, self.fps
        syllables = np.abs(smooth_noise(rng, frames, fps, 0.07, 1.0))
        phrases = np.clip(smooth_noise(rng, frames, fps, 0.35, 1.0) + 0.9, 0, 1)
        loudness = rng.uniform(0.15, 0.5)
        self.units[:, INDEX[26]] += loudness * 0.6 * syllables * phrases
        self.units[:, INDEX[25]] += loudness * 0.6 * syllables * phrases
        for unit, share in SPEECH_UNITS:
            shape = np.clip(smooth_noise(rng, frames, fps, 0.08, 0.8), 0, 1.2)
            self.units[:, INDEX[unit]] += share * loudness * shape * phrases

    def settle(self) -> None:
        """Keep intensities in range; an open jaw takes lip press and chin raise away."""
        self.units = np.clip(self.units, 0, MOST)
        opening = np.clip(self.units[:, INDEX[26]] + 1.5 * self.units[:, INDEX[27]], 0, 1)
        for unit in (24, 23, 17):
            self.units[:, INDEX[unit]] *= 1 - 0.6 * opening


def perform(
    person: int, performance: str, seed: int, *, frames: int = 60, fps: float = 30.0, head_spread: float = 1.0
) -> Performance:
    """Compose one clip's motion.

    Parameters
    ----------
    performance
        A key of `action_units.PROTOTYPES`.
    head_spread
        Scale of head turns and motion.

    Returns
    -------
    Performance
        Depends only on the arguments.
    """
    if performance not in PROTOTYPES:
        raise ValueError(f"unknown performance {performance!r}; known are {', '.join(PROTOTYPES)}")
    rng = np.random.default_rng([1234, person, list(PROTOTYPES).index(performance), seed])
    style = sample_style(person)
    course = _Course(rng, style, frames, fps)
    strength = (0.76 + 0.48 * rng.beta(1.6, 1.3)) * style.expressivity
    envelope = course.express(performance, strength) if performance != "neutral" else np.zeros(frames)
    if rng.random() < SECOND_EMOTION_CHANCE:
        second = str(rng.choice(EMOTIONAL))
        course.express(second, rng.uniform(0.15, 0.4) * (0.5 if performance == "neutral" else 1))
    course.add_noise()
    talking = bool(rng.random() < 0.25 + 0.5 * style.talkativeness)
    if talking:
        course.speak()
    course.settle()
    blinks = _blinks(rng, style, course.times)
    closed = np.maximum(blinks, np.clip(course.lids, 0, 0.6))
    gaze = _fixations(rng, course.times)
    pose = _head_motion(rng, style, frames, fps) * head_spread
    nod = HEAD_PITCH.get(performance, 0.0) * np.exp(rng.normal(0, 0.5)) * (rng.random() < 0.6)
    pose[:, 1] += nod * envelope * strength
    pose = np.clip(pose, [-0.6, -0.35, -0.3], [0.6, 0.35, 0.3])
    gaze[:, 0] -= 0.5 * pose[:, 0]  # the eyes keep to the camera while the head turns
    gaze[:, 1] -= 0.4 * pose[:, 1] + course.gaze_down
    left = course.units * (1 + style.asymmetry)
    right = course.units * (1 - style.asymmetry)
    one_sided = {}
    for unit, values in course.one_sided.items():
        near, far = values, 0.15 * values  # a one-sided unit still tugs at the other side
        for letter, array, value in (
            ("L", left, near if course.side > 0 else far),
            ("R", right, far if course.side > 0 else near),
        ):
            array[:, INDEX[unit]] += value
            one_sided[f"{unit}{letter}"] = value
    return Performance(
        left=np.clip(left, 0, None),
        right=np.clip(right, 0, None),
        action_units=np.column_stack([course.units, *(one_sided[unit] for unit in UNILATERAL)]),
        closed=np.repeat(closed[:, None], 2, 1),
        gaze=np.clip(gaze, [-0.45, -0.4], [0.45, 0.3]),
        pose=pose,
        envelope=envelope,
        talking=talking,
    )


def _blinks(rng: np.random.Generator, style: Style, times: NDArray) -> NDArray:
    closed = np.zeros(len(times))
    moment = rng.exponential(1 / style.blink_rate)
    while moment < times[-1] + 0.1:
        closed += np.exp(-0.5 * ((times - moment) / 0.055) ** 2)  # about 130 ms at half height
        moment += rng.exponential(1 / style.blink_rate)
    return np.clip(closed, 0, 1)


def _fixations(rng: np.random.Generator, times: NDArray) -> NDArray:
    gaze = np.zeros((len(times), 2))
    target, until = rng.normal(0, [0.10, 0.05]), 0.0
    for k, time in enumerate(times):
        if time >= until:
            target, until = rng.normal(0, [0.12, 0.06]), time + rng.exponential(0.8) + 0.15
        gaze[k] = target
    padded = np.pad(gaze, ((1, 1), (0, 0)), "edge")  # a saccade takes three frames
    return (padded[:-2] + padded[1:-1] + padded[2:]) / 3


def _head_motion(rng: np.random.Generator, style: Style, frames: int, fps: float) -> NDArray:
    move = style.movement
    yaw = rng.normal(0, 0.20) + smooth_noise(rng, frames, fps, 0.5, 0.05 * move)
    pitch = rng.normal(-0.02, 0.08) + smooth_noise(rng, frames, fps, 0.45, 0.035 * move)
    roll = rng.normal(0, 0.06) + smooth_noise(rng, frames, fps, 0.6, 0.025 * move)
    return np.stack([yaw, pitch, roll], 1)


def onset_apex_offset(envelope: NDArray) -> tuple[int, int, int]:
    """Return the frames where an expression starts, is first at its height, and ends; (-1, -1, -1) for none.

    It lasts while its envelope is above a twentieth of its height; one still on at the end ends with the clip.
    """
    if envelope.max() <= 0:
        return -1, -1, -1
    above = np.flatnonzero(envelope > 0.05 * envelope.max())
    return int(above[0]), int(np.argmax(envelope >= 0.999 * envelope.max())), int(above[-1])
