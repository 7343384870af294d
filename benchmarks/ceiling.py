"""How well can the sample's seven classes be told apart at best, and does anything but the face give them away?

    python benchmarks/ceiling.py [--folder data/sample]

Three classifiers, each by person-independent cross-validation (StratifiedGroupKFold, 5 folds, seed 0):
logistic regression on the true action units of a clip; the same on the true landmarks; logistic regression and a
random forest on the frames' corners, where no face is. Accuracy comes with a 95 % interval from a bootstrap over
people.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from microx_utils.faces.sample import load_truth
from microx_utils.faces.sample_plan import PlannedClip, plan_sample
from microx_utils.faces.truth import GroundTruth
from microx_utils.labels import EMOTIONS, emotion_of
from microx_utils.support.paths import SAMPLE
from microx_utils.video import read_frames

CORNER = 42
"""Side of the corner squares, px."""


def labelled_clips() -> tuple[list[PlannedClip], NDArray, NDArray]:
    """Return BAUM-1 and BAUM-2 clips of the seven classes, their classes and their people."""
    clips = [c for c in plan_sample() if c.corpus != "own" and c.label and emotion_of(c.label)]
    return clips, np.array([emotion_of(str(c.label)) for c in clips]), np.array([c.person for c in clips])


def unit_features(truth: GroundTruth) -> NDArray:
    """Return how strong each action unit gets, is on average, varies, and is when low."""
    units = truth.action_units
    return np.concatenate([units.max(0), units.mean(0), units[::6].std(0), np.percentile(units, 20, axis=0)])


def landmark_features(truth: GroundTruth) -> NDArray:
    """Return mean and range of the 68 points in a frame fixed to the eyes and nose."""
    points = truth.landmarks.astype(float)
    right, left = points[:, 36:42].mean(1), points[:, 42:48].mean(1)
    axis = left - right
    scale = np.linalg.norm(axis, axis=1, keepdims=True)
    cos, sin = (axis / scale).T
    turn = np.stack([np.stack([cos, -sin], 1), np.stack([sin, cos], 1)], 1)
    centred = (points - points[:, 27:36].mean(1, keepdims=True)) / scale[:, None]
    aligned = (centred @ turn).reshape(len(points), -1)
    return np.concatenate([aligned.mean(0), np.ptp(aligned, axis=0)])


def corner_features(path: Path) -> NDArray:
    """Return the four corners of the first, middle and last frame, 4×4 pixels each, as one vector."""
    frames, _ = read_frames(path)
    patches = []
    for frame in (frames[0], frames[len(frames) // 2], frames[-1]):
        for rows in (slice(None, CORNER), slice(-CORNER, None)):
            patches += [frame[rows, :CORNER], frame[rows, -CORNER:]]
    small = [cv2.resize(patch, (4, 4), interpolation=cv2.INTER_AREA).ravel() for patch in patches]
    return np.concatenate(small).astype(float)


def report(name: str, model, features: NDArray, labels: NDArray, people: NDArray) -> None:
    """Print accuracy and the classes' mean recall, each with its interval."""
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    hit = cross_val_predict(model, features, labels, groups=people, cv=folds) == labels

    def scores(rows: NDArray) -> tuple[float, float]:
        recalls = [hit[rows][labels[rows] == emotion].mean() for emotion in EMOTIONS]
        return hit[rows].mean(), float(np.mean(recalls))

    rng, unique = np.random.default_rng(0), np.unique(people)
    of_person = [np.flatnonzero(people == person) for person in unique]
    chosen = rng.integers(len(unique), size=(2000, len(unique)))
    draws = [scores(np.concatenate([of_person[i] for i in row])) for row in chosen]
    (low, low_recall), (high, high_recall) = np.percentile(draws, [2.5, 97.5], axis=0)
    accuracy, recall = scores(np.arange(len(hit)))
    print(
        f"{name:42s} accuracy {accuracy:.3f} [{low:.3f}, {high:.3f}]"
        f"  mean recall {recall:.3f} [{low_recall:.3f}, {high_recall:.3f}]  n {len(hit)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=SAMPLE)
    folder = parser.parse_args().folder
    clips, labels, people = labelled_clips()
    commonest = max(np.mean(labels == emotion) for emotion in EMOTIONS)
    print(f"{len(clips)} clips of {len(np.unique(people))} people; chance {1 / 7:.3f}, commonest class {commonest:.3f}")
    truths = [load_truth(clip.path, folder=folder) for clip in clips]
    units = np.array([unit_features(truth) for truth in truths])
    points = np.array([landmark_features(truth) for truth in truths])
    corners = np.array([corner_features(folder / clip.path) for clip in tqdm(clips, desc="reading corners")])

    def logistic(strength: float):
        return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=5000))

    report("true action units, logistic regression", logistic(0.05), units, labels, people)
    report("true landmarks, logistic regression", logistic(0.01), points, labels, people)
    report("corners, logistic regression", logistic(0.01), corners, labels, people)
    forest = RandomForestClassifier(300, class_weight="balanced", random_state=0)
    report("corners, random forest", forest, corners, labels, people)


if __name__ == "__main__":
    main()
