"""Refusing, calibration and learning curves: against slow computations, and where the answer is known."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from microx_utils.corpora import load_clips
from microx_utils.course.validity import (
    calibration_table,
    face_moves,
    fit_and_answer,
    learned_from_few,
    selective_errors,
)
from microx_utils.crops import crop_store
from microx_utils.evaluation import calibration_error, predicted
from microx_utils.labels import EMOTIONS, PROBABILITIES
from microx_utils.segments import split_segments
from microx_utils.support import paths


def unsure(rng: np.random.Generator, *, people: int = 12, each: int = 30, told: float = 0.0) -> pd.DataFrame:
    """Predictions that are right as often as they say, or, with `told`, that claim to be surer by so much."""
    n = people * each
    confidence = rng.uniform(0.3, 0.8, n)
    right = rng.random(n) < confidence
    truth = rng.integers(len(EMOTIONS), size=n)
    answer = np.where(right, truth, (truth + 1) % len(EMOTIONS))
    claimed = confidence + told
    p = np.repeat(((1 - claimed) / 6)[:, None], len(EMOTIONS), axis=1)
    p[np.arange(n), answer] = claimed
    table = pd.DataFrame({"subject": [f"S{k // each:02d}" for k in range(n)], "emotion": np.array(EMOTIONS)[truth]})
    ids = [f"c{k}" for k in range(n)]
    return table.assign(segment_id=ids, clip_id=ids, split="test", **dict(zip(PROBABILITIES, p.T, strict=True)))


def test_errors_are_those_of_the_surest_rows(rng: np.random.Generator) -> None:
    table = unsure(rng)
    found = selective_errors(table, (0.25, 0.5, 1.0), samples=200, seed=0).reset_index()
    surest = table.assign(confidence=table[list(PROBABILITIES)].max(axis=1)).nlargest(90, "confidence")
    wrong = predicted(table) != table["emotion"]
    assert found.loc[0, "error"] == pytest.approx(wrong[surest.index].mean())
    assert found.loc[2, "error"] == pytest.approx(wrong.mean())
    assert found.loc[0, "saved"] == pytest.approx(wrong.mean() - wrong[surest.index].mean())
    assert (found["low"] < found["error"]).all() and (found["error"] < found["high"]).all()
    assert (found["saved_low"].head(1) > 0).all(), "confidence was made to be worth something"
    assert (found.loc[2, ["saved", "saved_low", "saved_high"]] == 0).all()


def test_a_sample_of_people_is_ranked_anew(rng: np.random.Generator) -> None:
    table = unsure(rng, people=3, each=4)
    found = selective_errors(table, (0.5,), samples=400, seed=1).reset_index()
    times = np.random.default_rng(1).multinomial(3, np.full(3, 1 / 3), size=400)
    wrong = (predicted(table) != table["emotion"]).to_numpy()
    confidence = table[list(PROBABILITIES)].max(axis=1).to_numpy()
    errors = []
    for row in times:
        rows = np.repeat(np.arange(12), np.repeat(row, 4))  # each person's four rows, as often as drawn
        errors.append(wrong[rows[np.argsort(-confidence[rows], kind="stable")]][:6])
    drawn = np.array(errors).mean(axis=1)
    # a row that is drawn three times is taken whole, where the loop would cut it
    assert found.loc[0, "low"] == pytest.approx(np.quantile(drawn, 0.025), abs=0.17)


def test_calibration_error_has_an_interval_that_reaches_the_truth(rng: np.random.Generator) -> None:
    tables = [unsure(rng) for _ in range(20)]
    found = [calibration_table(table, samples=200, seed=0).loc["calibration error (ECE)"] for table in tables]
    assert found[0]["value"] == pytest.approx(calibration_error(tables[0]))
    assert np.mean([row["low"] < 0.01 for row in found]) > 0.6, "these models are calibrated"
    sure = calibration_table(unsure(rng, told=0.15), samples=200, seed=0)
    assert (sure["low"] > 0.05).all() and (sure["high"] < 0.25).all()
    low, high = sure.loc["confidence minus accuracy", ["low", "high"]].to_numpy(float)
    assert low < 0.15 < high


def test_one_person_has_no_interval(rng: np.random.Generator) -> None:
    table = unsure(rng, people=1)
    assert selective_errors(table, samples=20, seed=0)[["low", "high", "saved_low"]].isna().all(axis=None)
    assert calibration_table(table, samples=20, seed=0)[["low", "high"]].isna().all(axis=None)


@pytest.fixture
def clips() -> pd.DataFrame:
    """Thirty people with seven clips each, one of each emotion."""
    rows = [(f"S{k:02d}", emotion) for k in range(30) for emotion in EMOTIONS]
    table = pd.DataFrame(rows, columns=["subject", "emotion"]).assign(corpus="x")
    ids = table["subject"] + table["emotion"]
    return table.assign(clip_id=ids, segment_id=ids, split_group=table["subject"])


def test_a_curve_rises_where_there_is_something_to_learn(clips: pd.DataFrame, rng: np.random.Generator) -> None:
    features = np.eye(7)[clips["emotion"].map(EMOTIONS.index)] + rng.normal(0, 0.4, (len(clips), 7))
    few, many = (
        learned_from_few(LogisticRegression(), features, clips, clips, people=people, each=each, seeds=range(4))
        for people, each in ((3, 1), (16, 4))
    )
    right = [(predicted(table) == table["emotion"]).mean() for table in (few, many)]
    assert right[0] < 0.5 and right[1] > 0.65
    held = set(clips.loc[split_segments(clips, seed=2) == "validation", "clip_id"])
    assert {clip.removeprefix("2:") for clip in many["clip_id"] if clip.startswith("2:")} == held


def test_a_larger_training_set_holds_the_smaller(clips: pd.DataFrame) -> None:
    train = clips.index[split_segments(clips, seed=3) == "train"]
    sets = []
    for people, each in ((4, 1), (4, 2), (8, 2)):
        seen = Remembers()
        learned_from_few(seen, np.arange(len(clips))[:, None], clips, clips, people=people, each=each, seeds=[3])
        sets.append({int(k) for k in Remembers.rows.ravel()})
    assert [len(rows) for rows in sets] == [4, 8, 16] and sets[0] < sets[1] < sets[2] <= set(train)
    assert clips.loc[list(sets[1]), "split_group"].value_counts().tolist() == [2, 2, 2, 2]


class Remembers(DummyClassifier):
    """Keeps the rows that it was last fitted on."""

    rows = np.empty(0)

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> "Remembers":
        Remembers.rows = x
        return super().fit(x, y)


def test_one_class_is_enough_to_answer(clips: pd.DataFrame) -> None:
    table = learned_from_few(LogisticRegression(), np.zeros((len(clips), 2)), clips, clips, people=1, each=1, seeds=[0])
    assert len(set(predicted(table))) == 1, "the only class it has seen"


def test_a_classifier_answers_the_rows_of_a_part(clips: pd.DataFrame) -> None:
    rows = clips.assign(split=np.where(clips.index % 2, "train", "test"))
    features = clips["emotion"].map(EMOTIONS.index).to_numpy(float)[:, None]
    table = fit_and_answer(KNeighborsClassifier(1), features, rows)
    assert table["segment_id"].tolist() == rows.loc[rows["split"] == "test", "segment_id"].tolist()
    assert (predicted(table) == table["emotion"]).all()


def test_moves_are_measured_from_the_own_neutral(processed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "PROCESSED", processed)
    store = crop_store(load_clips("sample", corpora=["own"])[0].head(2), size=8, max_frames=12)
    moves = face_moves(store)
    assert moves.shape == (len(store.crops), 24) and np.isfinite(moves).all()
    for first, frames in store.clips[["first", "frames"]].to_numpy():
        own = moves[first : first + frames]
        np.testing.assert_allclose(own[:3].mean(axis=0), 0, atol=1e-5)
        assert np.ptp(own, axis=0).max() > 0.005, "eye distances"
