"""Which clips the shipped sample holds: who shows what, for how long and under which name, all from fixed seeds.

Class counts follow the paper's Figure 3 (neutral 555, anger 600, contempt 355, surprise 482, fear 412,
happy 708, sad 548) at about an eighth; see data/README.md.
"""

from dataclasses import dataclass

import numpy as np

from microx_utils.labels import EMOTIONS

PLAN_SEED = 2026
BAUM1_PEOPLE = range(22)
BAUM2_PEOPLE = range(22, 70)
OWN_PEOPLE = range(70, 78)
"""Seeds of the people in each group; nobody is in two."""
FIRST_OF_POPULATION, FIRST_WITH_MASKS = 1000, 900_000
"""Seed of the first person of a population: nobody in it is in the sample, or among the seeds kept for reviewers."""

# fmt: off
ACTED = {
    "Anger": 16, "Disgust": 8, "Fear": 12, "Happiness": 18, "Sadness": 14, "Surprise": 13, "Boredom": 1, "Unsure": 1,
}
"""BAUM-1a: clips per word."""
SPONTANEOUS = {
    "Neutral": 34, "Anger": 22, "Contempt": 8, "Disgust": 7, "Surprise": 16, "Fear": 13, "Happiness": 27, "Sadness": 21,
    "Boredom": 3, "Thinking": 3, "Unsure": 2,
}
"""BAUM-1s: clips per word."""
FILMS = {
    "Neutral": 35, "Angry": 37, "Contempt": 9, "Disgust": 12, "Surprise": 31, "Fear": 26, "Happy": 43, "Sadness": 33,
}
"""BAUM-2: clips per word."""
# fmt: on
NO_ROW = "Happiness"
"""What the one BAUM-1s clip without a row in the annotation sheet shows."""
ROW_WITHOUT_CLIP = (15, 99, "Sadness")
"""Subject, clip number and word of the one BAUM-1s row whose video is missing."""
PERFORMANCE = {"angry": "anger", "happiness": "happy", "sadness": "sad"}
"""Words whose performance has another name."""


@dataclass(frozen=True)
class PlannedClip:
    """One video file of the sample.

    Attributes
    ----------
    path
        Below the sample's folder.
    corpus
        "BAUM-1a", "BAUM-1s", "BAUM-2" or "own".
    subject, number
        The corpus's own subject number and clip number.
    person, performance, seed, frames, fps, scene, mask
        Arguments of `render_clip`.
    label
        The word in the annotation sheet; None where the sheet has no row.
    """

    path: str
    corpus: str
    subject: int
    number: int
    person: int
    performance: str
    seed: int
    frames: int
    fps: float
    scene: str
    mask: bool
    label: str | None

    @property
    def name(self) -> str:
        """BAUM's clip name."""
        return f"S{self.subject:03d}_{self.number:03d}"

    @property
    def truth_key(self) -> str:
        """Path of the clip that holds the ground truth: the plain one of a pair."""
        return self.path.replace("_mask_", "_plain_")


def plan_sample() -> list[PlannedClip]:
    """Return every clip of the sample, in a fixed order."""
    rng = np.random.default_rng(PLAN_SEED)
    return [*_baum1(rng), *_baum2(rng), *_own(rng)]


def plan_population(people: int) -> list[PlannedClip]:
    """Return the clips of people who are not in the sample, to train on: each shows each emotion once, in any scene.

    The layout is that of BAUM-2. Of ten people, one more records each emotion with and without a mask, as in the
    sample's `own`: who trains may choose by these takes. A larger population begins with the same people, who do the
    same.
    """
    clips: list[PlannedClip] = []
    for subject in range(1, people + 1):
        person = FIRST_OF_POPULATION + subject - 1
        rng = np.random.default_rng([PLAN_SEED, person])
        for number, emotion in enumerate(EMOTIONS, start=1):
            frames, fps = _length_and_rate(rng)
            performance = "disgust" if emotion == "contempt" and rng.random() < 0.5 else emotion
            path = f"BAUM-2/population/S{subject:03d}/avi/{number:03d}.mp4"
            scene = str(rng.choice(["studio", "varied", "outdoor"]))
            label = {"anger": "Angry", "sad": "Sadness"}.get(performance, performance.capitalize())
            head = (path, "BAUM-2", subject, number, person, performance, number, frames, fps)
            clips.append(PlannedClip(*head, scene=scene, mask=False, label=label))
        if subject % 10 == 0:
            clips += _pairs(subject // 10, FIRST_WITH_MASKS + subject // 10 - 1, rng)
    return clips


def _deal(words: dict[str, int], people: range, rng: np.random.Generator) -> dict[int, list[str]]:
    """Deal clips to people like cards sorted by word: everybody gets about the same number, of different words."""
    hands: dict[int, list[str]] = {person: [] for person in people}
    order = rng.permutation(np.array(people))
    deck = [str(word) for word in rng.permutation(list(words)) for _ in range(words[word])]
    for k, word in enumerate(deck):
        hands[int(order[k % len(order)])].append(word)
    return {person: [str(word) for word in rng.permutation(hand)] for person, hand in hands.items()}


def _length_and_rate(rng: np.random.Generator) -> tuple[int, float]:
    """Draw 20 to 120 frames, about 50 on average, and 25 frames/s for one clip in twenty."""
    return round(20 + 100 * rng.beta(1.5, 3.5)), 25.0 if rng.random() < 0.05 else 30.0


def _performance(word: str) -> str:
    return PERFORMANCE.get(word.lower(), word.lower())


def _baum1(rng: np.random.Generator) -> list[PlannedClip]:
    acted, spontaneous = _deal(ACTED, BAUM1_PEOPLE, rng), _deal(SPONTANEOUS, BAUM1_PEOPLE, rng)
    unlisted = int(rng.choice(np.array(BAUM1_PEOPLE)))
    clips = []
    for subject, person in enumerate(BAUM1_PEOPLE, start=1):
        takes: list[tuple[str, str, str | None]] = [("BAUM-1a", word, word) for word in acted[person]]
        takes += [("BAUM-1s", word, word) for word in spontaneous[person]]
        if person == unlisted:
            takes.append(("BAUM-1s", NO_ROW, None))
        for number, (corpus, word, label) in enumerate(takes, start=1):
            frames, fps = _length_and_rate(rng)
            path = f"BAUM-1/BAUM1{corpus[-1]}_MP4_all/s{subject:03d}/S{subject:03d}_{number:03d}.mp4"
            head = (path, corpus, subject, number, person, _performance(word), number, frames, fps)
            clips.append(PlannedClip(*head, scene="studio", mask=False, label=label))
    return clips


def _baum2(rng: np.random.Generator) -> list[PlannedClip]:
    films = _deal(FILMS, BAUM2_PEOPLE, rng)
    clips = []
    for subject, person in enumerate(BAUM2_PEOPLE, start=1):
        for number, word in enumerate(films[person], start=1):
            frames, fps = _length_and_rate(rng)
            path = f"BAUM-2/BAUM-2_S001-S050/S{subject:03d}/avi/{number:03d}.mp4"
            head = (path, "BAUM-2", subject, number, person, _performance(word), number, frames, fps)
            clips.append(PlannedClip(*head, scene="varied", mask=False, label=word))
    return clips


def _own(rng: np.random.Generator) -> list[PlannedClip]:
    return [clip for subject, person in enumerate(OWN_PEOPLE, start=1) for clip in _pairs(subject, person, rng)]


def _pairs(subject: int, person: int, rng: np.random.Generator) -> list[PlannedClip]:
    """Return what one person records: each emotion without a mask and with one."""
    clips = []
    for emotion, seed in zip(EMOTIONS, rng.permutation(len(EMOTIONS)), strict=True):
        frames, fps = _length_and_rate(rng)
        performance = "disgust" if emotion == "contempt" and subject % 2 else emotion
        for mask in (False, True):
            path = f"own/p{subject:02d}/{emotion}_{'mask' if mask else 'plain'}_1.mp4"
            head = (path, "own", subject, 1, person, performance, int(seed), frames, fps)
            clips.append(PlannedClip(*head, scene="outdoor", mask=mask, label=emotion))
    return clips
