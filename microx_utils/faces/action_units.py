"""FACS action units: what they do to the face, and which of them make up each labelled expression.

Intensities run from 0 to about 1 (1 = FACS grade E). Left and right are the person's own sides.
Emotion prototypes follow the usual EMFACS tables (Ekman & Friesen; Matsumoto & Ekman 2008), with occurrence
probabilities and ranges, so that no two clips of a class are the same.
"""

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 16, 17, 18, 20, 22, 23, 24, 25, 26, 27)
"""Units of a clip's time course, in the order of its arrays."""
INDEX = {unit: i for i, unit in enumerate(ACTION_UNITS)}
EYE_CLOSURE_UNITS = (43, 45, 46)
"""Eyes closed, blink, wink: all three close the lids."""
TWO_SIDED = (17, 18, 22, 26, 27)
"""Units of the jaw and of both lips: this face can't show one side of them without the other."""
UNIT_NAMES = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    14: "dimpler",
    15: "lip corner depressor",
    16: "lower lip depressor",
    17: "chin raiser",
    18: "lip pucker",
    20: "lip stretcher",
    22: "lip funneler",
    23: "lip tightener",
    24: "lip pressor",
    25: "lips part",
    26: "jaw drop",
    27: "mouth stretch",
    43: "eye closure",
}
"""What FACS calls the units; 45 and 46, blink and wink, are 43 for a moment or on one side."""
UNILATERAL = ("12L", "12R", "14L", "14R", "2L", "2R")
"""One-sided units that a performance adds to the two-sided ones (contempt)."""
TRUTH_NAMES = (*(f"AU{unit:02d}" for unit in ACTION_UNITS), *(f"AU{int(u[:-1]):02d}{u[-1]}" for u in UNILATERAL))
"""Columns of the ground truth's action units."""

# fmt: off
PROTOTYPES: dict[str, dict[int | str, tuple[float, float, float]]] = {
    "neutral": {},
    "anger": {
        4: (0.95, 0.45, 1), 5: (0.45, 0.2, 0.7), 7: (0.75, 0.3, 1), 23: (0.6, 0.3, 0.9), 24: (0.5, 0.3, 0.9),
        17: (0.45, 0.2, 0.6), 9: (0.3, 0.1, 0.45), 10: (0.4, 0.2, 0.6), 25: (0.25, 0.2, 0.6), 26: (0.12, 0.1, 0.35),
    },
    "disgust": {
        9: (0.85, 0.4, 1), 10: (0.75, 0.3, 0.9), 15: (0.4, 0.2, 0.6), 16: (0.25, 0.2, 0.6), 17: (0.45, 0.2, 0.7),
        4: (0.45, 0.15, 0.6), 7: (0.4, 0.15, 0.6), 6: (0.25, 0.1, 0.4), 25: (0.35, 0.2, 0.6),
    },
    "contempt": {
        "12": (1, 0.3, 0.6), "14": (1, 0.43, 1.08), "2": (0.3, 0.16, 0.48), 10: (0.15, 0.1, 0.3), 7: (0.25, 0.1, 0.4),
    },
    "fear": {
        1: (0.9, 0.4, 1), 2: (0.7, 0.25, 0.8), 4: (0.85, 0.3, 0.9), 5: (0.85, 0.4, 1), 7: (0.35, 0.2, 0.5),
        20: (0.85, 0.3, 1), 25: (0.7, 0.3, 0.9), 26: (0.55, 0.15, 0.6),
    },
    "happy": {
        6: (0.85, 0.3, 1), 12: (1, 0.45, 1), 25: (0.75, 0.3, 0.9), 26: (0.25, 0.1, 0.35), 7: (0.2, 0.1, 0.4),
        14: (0.1, 0.1, 0.4), 1: (0.1, 0.1, 0.4), 2: (0.1, 0.1, 0.4),
    },
    "sad": {
        1: (0.85, 0.35, 1), 4: (0.7, 0.2, 0.7), 15: (0.85, 0.3, 1), 17: (0.6, 0.2, 0.8), 6: (0.15, 0.1, 0.4),
        7: (0.3, 0.1, 0.5), 20: (0.1, 0.1, 0.4), "down": (0.6, 0.3, 1),
    },
    "surprise": {
        1: (0.95, 0.4, 1), 2: (0.95, 0.4, 1), 5: (0.7, 0.25, 0.9), 25: (0.75, 0.3, 0.8), 26: (0.75, 0.25, 0.9),
        27: (0.25, 0.2, 0.6),
    },
    # BAUM-1's mental states, as neutral-looking mixtures: FACS does not define them
    "boredom": {"lids": (1, 0.3, 0.7), "down": (0.5, 0.2, 0.6), 15: (0.4, 0.1, 0.3), 17: (0.3, 0.1, 0.3)},
    "thinking": {4: (0.7, 0.15, 0.45), 24: (0.4, 0.1, 0.4), 7: (0.4, 0.1, 0.35), "down": (0.4, 0.2, 0.6)},
    "unsure": {1: (0.5, 0.1, 0.4), 2: (0.5, 0.1, 0.4), 14: (0.4, 0.1, 0.4), 17: (0.4, 0.1, 0.4), 15: (0.3, 0.1, 0.3)},
}
# fmt: on
"""Performance -> {unit: (probability, lowest, highest intensity at the apex)}.

A number acts on both sides, its text ("12") on one side chosen at random; "down" lowers the gaze, "lids" the lids.
"""

EXPRESSIONS: dict[str, dict[int | str, float]] = {
    "anger": {4: 0.9, 5: 0.5, 7: 0.6, 9: 0.15, 23: 0.7, 24: 0.6},
    "contempt": {"12R": 0.4, "14R": 0.9},
    "surprise": {1: 0.8, 2: 0.8, 5: 0.6, 25: 0.6, 26: 0.8},
    "fear": {1: 0.8, 2: 0.5, 4: 0.6, 5: 0.8, 20: 0.8, 25: 0.6},
    "happy": {6: 0.8, 12: 0.9, 25: 0.5},
    "sad": {1: 0.8, 4: 0.5, 15: 0.8, 17: 0.5},
}
"""The textbook's expression of each label but neutral, with nothing left to chance: {unit: intensity}."""

UNIT_PATTERN = re.compile(r"^(?:AU)?0*(\d+)([LR]?)$", re.IGNORECASE)


def split_sides(action_units: Mapping[int | str, float]) -> tuple[NDArray, NDArray, NDArray]:
    """Sort intensities by side.

    Parameters
    ----------
    action_units
        {unit: intensity}; a unit is 12, "12" or "AU12" for both sides, "12L" or "12R" for one. Of a unit in TWO_SIDED
        one side is half of both.

    Returns
    -------
    left, right
        (21,) intensities in the order of ACTION_UNITS.
    closed
        (2,) closure of the left and right eye, 0 open to 1 closed.

    Raises
    ------
    ValueError
        A unit that this face doesn't have, or an intensity outside 0 to 1.5.
    """
    sides = {"L": np.zeros(len(ACTION_UNITS)), "R": np.zeros(len(ACTION_UNITS))}
    closed = {"L": 0.0, "R": 0.0}
    for unit, intensity in action_units.items():
        match = UNIT_PATTERN.match(str(unit))
        number = int(match[1]) if match else -1
        if number not in INDEX and number not in EYE_CLOSURE_UNITS:
            known = ", ".join(str(u) for u in (*ACTION_UNITS, *EYE_CLOSURE_UNITS))
            raise ValueError(f"unknown action unit {unit!r}; known are {known}, each with L or R for one side")
        if not 0 <= intensity <= 1.5:
            raise ValueError(f"intensity of action unit {unit} is {intensity}; it must be between 0 and 1.5")
        for side in match[2].upper() or "LR" if match else "":
            if number in INDEX:
                sides[side][INDEX[number]] += intensity
            else:
                closed[side] = max(closed[side], min(1.0, intensity))
    whole = [INDEX[unit] for unit in TWO_SIDED]
    sides["L"][whole] = sides["R"][whole] = (sides["L"][whole] + sides["R"][whole]) / 2
    return sides["L"], sides["R"], np.array([closed["L"], closed["R"]])


def shape_weights(left: NDArray, right: NDArray, closed: NDArray, gaze_pitch: NDArray, names: list[str]) -> NDArray:
    """Turn action units into weights of the head's expression shapes.

    Parameters
    ----------
    left, right
        (T, 21) intensities of each side.
    closed
        (T, 2) closure of the left and right eye.
    gaze_pitch
        (T,) radians, positive up: lids follow the eyeball.
    names
        The head's shape names; the result's columns.

    Returns
    -------
    (T, len(names)) weights.
    """
    weights: dict[str, NDArray] = {}
    mean = (left + right) / 2

    def both(unit: int) -> NDArray:
        return mean[:, INDEX[unit]]

    weights["jawOpen"] = np.minimum(1.0, 0.38 * both(26) + 0.66 * both(27)) + 0.03 * both(25)
    for k, (side, values) in enumerate((("Left", left), ("Right", right))):

        def on(unit: int, values: NDArray = values) -> NDArray:
            return values[:, INDEX[unit]]

        awake = 1 - closed[:, k]
        weights["browInnerUp" + side] = 1.8 * on(1)
        weights["browOuterUp" + side] = 1.5 * on(2)
        weights["raiseInner" + side] = 0.6 * on(1) + 0.3 * on(2)
        weights["raiseOuter" + side] = 0.7 * on(2)
        weights["browDown" + side] = 1.6 * on(4) + 0.25 * on(9)
        weights["eyeWide" + side] = 1.9 * on(5) * awake
        weights["cheekSquint" + side] = 1.2 * on(6) + 0.3 * on(9)
        squint = np.minimum(1.6, 1.2 * on(7) + 0.5 * on(6) + 0.1 * on(9))
        weights["eyeSquint" + side] = squint * (1 - 0.8 * closed[:, k])
        weights["eyeBlink" + side] = closed[:, k] + 0.10 * np.maximum(0, -gaze_pitch / 0.3) * awake
        weights["eyeLookDown" + side] = np.clip(-gaze_pitch / 0.5, 0, 1) * awake
        weights["eyeLookUp" + side] = np.clip(gaze_pitch / 0.5, 0, 1) * awake
        weights["noseSneer" + side] = 2.0 * on(9) + 0.3 * on(10)
        weights[f"mh-nose-{side.lower()}-dilatation"] = 0.6 * on(9) + 0.2 * on(4)
        weights["mouthUpperUp" + side] = (
            1.7 * on(10) + 0.5 * on(9) + 0.5 * on(25) + 0.35 * on(12) + 0.1 * np.maximum(on(26), on(27))
        )
        weights["mouthSmile" + side] = 1.2 * on(12)
        weights["mouthDimple" + side] = 1.4 * on(14)
        weights["mouthFrown" + side] = 2.0 * on(15) + 0.5 * on(17) + 0.3 * on(14)
        weights["mouthLowerDown" + side] = 1.4 * on(16) + 0.8 * on(25) + 0.35 * on(12)
        weights["mouthStretch" + side] = 1.8 * on(20)
        weights["mouthPress" + side] = 0.9 * on(24) + 0.2 * on(23) + 0.3 * on(14)
    weights["mouthShrugLower"] = 1.2 * both(17)
    weights["mouthPucker"] = 0.8 * both(18) + 0.9 * both(23)
    weights["mouthFunnel"] = 0.7 * both(22)
    weights["mouthRollLower"] = 0.9 * both(23) + 0.4 * both(24) + 0.2 * both(14) + 0.8 * both(17)
    weights["mouthRollUpper"] = 0.9 * both(23) + 0.3 * both(24)
    parted = both(12) + both(25) + both(26) + both(27) + both(10) + both(16) + 0.5 * both(9)
    weights["mouthClose"] = 0.06 * np.clip(1 - 3 * parted, 0, 1)
    weights["mh-mouth-compression"] = 0.2 * both(23)
    weights["mh-neck-platysma"] = both(20)
    table = np.zeros((len(left), len(names)))
    for name, values in weights.items():
        table[:, names.index(name)] = values
    return table


WRINKLES = ("forehead", "glabella", "bunny", "crow", "nasolabial", "undereye", "chin", "dimple")
"""Folds of the skin that deepen with action units; each exists on the left and on the right."""


def wrinkle_depths(side: NDArray) -> NDArray:
    """Return the depth (T, 8) of each fold on one side of the face from that side's intensities (T, 21)."""

    def on(unit: int) -> NDArray:
        return side[:, INDEX[unit]]

    depths = {
        "forehead": 0.7 * np.maximum(on(1), on(2)),
        "glabella": 2.5 * on(4) + 0.3 * on(9),
        "bunny": 1.8 * on(9),
        "crow": on(6),
        "nasolabial": np.minimum(1.7, 0.8 * on(12) + 0.8 * on(9) + 1.1 * on(10) + 0.25 * on(6)),
        "undereye": 0.6 * on(6) + 0.4 * on(7),
        "chin": 0.4 * on(17),
        "dimple": 2 * on(14) + 0.7 * on(20),
    }
    return np.stack([depths[name] for name in WRINKLES], axis=1)
