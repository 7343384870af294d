"""Score and difference tables say what `evaluation` says, with sizes and verdicts."""

import numpy as np
import pandas as pd
import pytest

from microx_utils.course.scores import difference_table, people_test, score_table, seed_accuracies, split_by_facts
from microx_utils.evaluation import bootstrap_interval, pool, summary
from microx_utils.labels import EMOTIONS, PROBABILITIES


def predictions(right: float, rng: np.random.Generator, subjects: int = 8) -> pd.DataFrame:
    """Two segments per emotion and subject; about a share `right` of the answers is right."""
    rows = [(f"S{s}", emotion, k) for s in range(subjects) for emotion in EMOTIONS for k in range(2)]
    table = pd.DataFrame(rows, columns=["subject", "emotion", "k"])
    table["clip_id"] = table["subject"] + "_" + table["emotion"]
    table["segment_id"] = table["clip_id"] + "#" + table.pop("k").astype(str)
    answer = np.where(rng.random(len(table)) < right, table["emotion"].map(EMOTIONS.index), 0)
    return table.assign(split="test").join(pd.DataFrame(np.eye(7)[answer], columns=list(PROBABILITIES)))


def test_scores_are_those_of_evaluation(rng: np.random.Generator) -> None:
    good, poor = predictions(0.9, rng), predictions(0.3, rng)
    table = score_table({"good": good, "poor": poor}, samples=50, seed=3)
    assert table.loc["good", "accuracy"] == summary(good)["accuracy"]
    assert tuple(table.loc["poor", ["low", "high"]]) == bootstrap_interval(poor, samples=50, seed=3)
    assert table[["n", "clips", "subjects"]].iloc[0].tolist() == [112, 56, 8]


def test_differences_have_signs_and_verdicts(rng: np.random.Generator) -> None:
    good, poor = predictions(0.9, rng), predictions(0.3, rng)
    table = difference_table({"up": (good, poor), "down": (poor, good), "same": (good, good)}, samples=200, seed=0)
    assert table["verdict"].tolist() == ["higher", "lower", "not settled"]
    assert table[["difference", "low", "high"]].iloc[2].tolist() == [0, 0, 0]
    up, down, _ = table["difference"]
    assert up == -down > 0


def test_a_difference_is_tested_by_people_and_for_the_number_of_comparisons(rng: np.random.Generator) -> None:
    good, poor, better = predictions(0.9, rng), predictions(0.3, rng), predictions(0.95, rng)
    table = difference_table({"far": (good, poor), "near": (better, good)}, samples=500, seed=0)
    far, near = table["p"]
    assert far == pytest.approx(2 / 2**8), "one of 256 patterns of signs, and its mirror image"
    assert table["p_holm"].tolist() == pytest.approx([2 * far, near])
    assert people_test(poor, good) == people_test(good, poor) and people_test(good, good) == 1
    half = (table["high"] - table["low"]) / 2
    np.testing.assert_allclose(table["detectable"], half * (1.96 + 0.842) / 1.96, rtol=1e-3)


def test_of_one_person_nothing_is_tested(rng: np.random.Generator) -> None:
    good, poor = predictions(0.9, rng, subjects=1), predictions(0.3, rng, subjects=1)
    table = difference_table({"x": (good, poor)}, samples=20, seed=0)
    assert table[["p", "p_holm", "detectable"]].isna().all(axis=None)


def test_people_who_differ_by_chance_are_seldom_found_to(rng: np.random.Generator) -> None:
    found = [people_test(predictions(0.5, rng), predictions(0.5, rng), samples=199) < 0.05 for _ in range(60)]
    assert np.mean(found) < 0.15


def test_only_shared_subjects_are_compared(rng: np.random.Generator) -> None:
    eight, four = predictions(0.9, rng), predictions(0.9, rng, subjects=4)
    shared = eight[eight["subject"].isin(four["subject"])]
    expected = summary(shared)["accuracy"] - summary(four)["accuracy"]
    assert difference_table({"x": (eight, four)}, samples=20, seed=0).loc["x", "difference"] == pytest.approx(expected)
    strangers = four.assign(subject="T" + four["subject"])
    with pytest.raises(ValueError, match="x: the two tables share no subject"):
        difference_table({"x": (eight, strangers)}, samples=20, seed=0)


def test_each_seed_has_its_own_accuracy(rng: np.random.Generator) -> None:
    tables = {0: predictions(0.9, rng), 7: predictions(0.3, rng)}
    expected = {str(seed): summary(table)["accuracy"] for seed, table in tables.items()}
    assert seed_accuracies(pool(tables)).to_dict() == pytest.approx(expected)


def test_people_are_grouped_by_what_is_known_of_them(rng: np.random.Generator) -> None:
    table = predictions(0.9, rng, subjects=4)
    facts = pd.DataFrame({"glasses": {"S0": "with", "S1": "without", "S2": "without", "S3": "with", "T9": "with"}})
    facts["beard"] = ["with", *["without"] * 4]  # of one person there is no interval
    groups = {name: sorted(set(rows["subject"])) for name, rows in split_by_facts(table, facts).items()}
    assert groups == {
        "everybody": ["S0", "S1", "S2", "S3"],
        "glasses: with": ["S0", "S3"],
        "glasses: without": ["S1", "S2"],
        "beard: without": ["S1", "S2", "S3"],
    }
    assert [*split_by_facts(table, pd.DataFrame(index=["S0"]))] == ["everybody"]
