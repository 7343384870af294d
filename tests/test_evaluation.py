"""Metrics: hand-computed tables, agreement with scikit-learn, and properties."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from microx_utils import evaluation
from microx_utils.evaluation import PROBABILITIES
from microx_utils.labels import EMOTIONS


def table(true: list[str], guess: list[str], *, subjects=None, clips=None, confidence: float = 0.7) -> pd.DataFrame:
    """Predictions whose most probable class is `guess`, with the given confidence."""
    values = np.full((len(true), 7), (1 - confidence) / 6)
    values[np.arange(len(true)), [EMOTIONS.index(word) for word in guess]] = confidence
    described = pd.DataFrame(
        {
            "segment_id": [f"g{i:03d}" for i in range(len(true))],
            "clip_id": clips or [f"c{i:03d}" for i in range(len(true))],
            "subject": subjects or [f"s{i % 3}" for i in range(len(true))],
            "emotion": true,
            "split": "test",
        }
    )
    return described.join(pd.DataFrame(values, columns=list(PROBABILITIES)))


def random_table(rng: np.random.Generator, *, n: int = 120, subjects: int = 8) -> pd.DataFrame:
    true = rng.integers(0, 7, n)
    values = rng.dirichlet(np.ones(7), n)
    values[np.arange(n), true] += 0.25
    values /= values.sum(axis=1, keepdims=True)
    base = table([EMOTIONS[i] for i in true], ["neutral"] * n, subjects=[f"s{i % subjects}" for i in range(n)])
    base[list(PROBABILITIES)] = values.astype(np.float32)
    return base


SMALL = table(
    ["neutral", "neutral", "neutral", "anger", "anger", "happy"],
    ["neutral", "neutral", "anger", "anger", "sad", "happy"],
)


def test_hand_computed_table():
    classes = evaluation.per_class(SMALL)
    assert list(classes.loc["neutral", ["precision", "recall"]]) == pytest.approx([1, 2 / 3])
    assert list(classes.loc["anger", ["precision", "recall", "fscore"]]) == pytest.approx([0.5, 0.5, 0.5])
    assert classes["support"].tolist() == [3, 2, 0, 0, 0, 1, 0]
    assert classes.loc["sad", ["precision", "recall", "fscore"]].isna().all(), "no true segment, so nothing to measure"

    result = evaluation.summary(SMALL)
    assert result["accuracy"] == pytest.approx(4 / 6)
    assert result["uar"] == result["recall"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert result["precision"] == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert result["majority"] == pytest.approx(0.5)
    assert (result["n"], result["n_clips"], result["n_subjects"]) == (6, 6, 3)

    counts = evaluation.confusion(SMALL)
    assert counts.loc["neutral", "anger"] == 1
    assert counts.loc["anger", "sad"] == 1
    assert counts.loc["anger", "neutral"] == 0, "rows are the true class"
    assert evaluation.one_vs_rest(SMALL)["anger"].tolist() == [[3, 1], [1, 1]]


def test_a_present_class_that_is_never_predicted_counts_as_precision_zero():
    rows = table(["anger", "sad"], ["anger", "anger"])
    assert evaluation.per_class(rows).loc["sad", "precision"] == 0
    assert evaluation.summary(rows)["precision"] == pytest.approx(0.25)


def test_agrees_with_scikit_learn_when_every_class_is_there():
    rows = random_table(np.random.default_rng(1))
    true, guess = rows["emotion"], evaluation.predicted(rows)
    result = evaluation.summary(rows)
    precision, recall, fscore, _ = metrics.precision_recall_fscore_support(true, guess, average="macro")
    assert [result[k] for k in ("precision", "recall", "fscore")] == pytest.approx([precision, recall, fscore])
    assert result["accuracy"] == pytest.approx(metrics.accuracy_score(true, guess))
    assert result["uar"] == pytest.approx(metrics.balanced_accuracy_score(true, guess))


@settings(max_examples=25)
@given(seed=st.integers(0, 2**16))
def test_properties(seed):
    rng = np.random.default_rng(seed)
    rows = random_table(rng, n=int(rng.integers(12, 80)))
    shuffled = rows.sample(frac=1, random_state=seed)
    assert evaluation.summary(shuffled) == pytest.approx(evaluation.summary(rows))
    assert evaluation.confusion(shuffled).equals(evaluation.confusion(rows))
    assert evaluation.bootstrap_interval(shuffled, "uar") == evaluation.bootstrap_interval(rows, "uar")
    pd.testing.assert_frame_equal(evaluation.clip_predictions(shuffled), evaluation.clip_predictions(rows))
    assert evaluation.mcnemar(rows, shuffled)["p_value"] == 1

    assert evaluation.summary(rows)["uar"] == pytest.approx(evaluation.per_class(rows)["recall"].mean())
    counts, tables = evaluation.confusion(rows), evaluation.one_vs_rest(rows)
    assert all(cells.sum() == len(rows) for cells in tables.values())
    assert sum(int(cells[1, 1]) for cells in tables.values()) == np.trace(counts.to_numpy())
    assert sum(int(cells[0, 1]) for cells in tables.values()) == len(rows) - np.trace(counts.to_numpy())
    bins = evaluation.calibration(rows)
    assert bins["count"].sum() == len(rows)
    assert (bins["count"] * bins["accuracy"]).sum() / len(rows) == pytest.approx(evaluation.summary(rows)["accuracy"])


def test_a_clip_is_the_mean_of_its_segments():
    rows = table(["sad"] * 3, ["sad", "anger", "anger"], clips=["k", "k", "k"], subjects=["s0"] * 3)
    rows.loc[0, list(PROBABILITIES)] = np.eye(7)[EMOTIONS.index("sad")]
    rows.loc[1:, list(PROBABILITIES)] = 0.6 * np.eye(7)[1] + 0.4 * np.eye(7)[6]
    clip = evaluation.clip_predictions(rows)
    assert len(clip) == 1
    assert list(clip.columns) == list(rows.columns)
    assert clip.loc[0, "p_sad"] == pytest.approx(1.8 / 3)
    assert evaluation.predicted(clip).tolist() == ["sad"], "two of three segments say anger, the mean says sad"


def test_clip_of_two_emotions_is_refused():
    with pytest.raises(ValueError, match="more than one subject or emotion"):
        evaluation.clip_predictions(table(["sad", "anger"], ["sad", "sad"], clips=["k", "k"], subjects=["a", "a"]))


def test_bootstrap_metrics_equal_the_plain_ones():
    rows = random_table(np.random.default_rng(3))
    stacked = evaluation._metrics(evaluation.confusion(rows).to_numpy(float)[None])
    result, classes = evaluation.summary(rows), evaluation.per_class(rows)
    for name in evaluation.METRICS:
        assert stacked[name][0] == pytest.approx(result[name])
    for name in ("precision", "recall", "fscore"):
        assert stacked[f"{name} of each"][0] == pytest.approx(classes[name].to_numpy())


def test_bootstrap_known_cases():
    right = table(["sad"] * 6, ["sad"] * 6)
    assert evaluation.bootstrap_interval(right) == (1, 1)
    # Two people, one always right and one always wrong: a draw holds 0, 1 or 2 of the right one.
    halves = table(["sad", "sad"] * 5, ["sad", "anger"] * 5, subjects=["a", "b"] * 5)
    assert evaluation.bootstrap_interval(halves) == (0, 1)
    # 400 equal people, 60 % right: the binomial's standard error.
    people = table(["sad"] * 400, ["sad"] * 240 + ["anger"] * 160, subjects=[f"s{i}" for i in range(400)])
    spread = 1.96 * np.sqrt(0.6 * 0.4 / 400)
    assert evaluation.bootstrap_interval(people, samples=4000) == pytest.approx((0.6 - spread, 0.6 + spread), abs=0.01)


def test_people_not_segments_are_drawn():
    """A hundred copies of each person's one row must not make the interval narrower."""
    people = table(["sad"] * 20, ["sad"] * 12 + ["anger"] * 8, subjects=[f"s{i:02d}" for i in range(20)])
    copies = pd.concat([people] * 100, ignore_index=True)
    copies["segment_id"] = [f"g{i}" for i in range(len(copies))]
    assert evaluation.bootstrap_interval(copies) == evaluation.bootstrap_interval(people)
    narrow = evaluation.bootstrap_interval(copies, groups="segment_id")
    wide = evaluation.bootstrap_interval(copies)
    assert narrow[1] - narrow[0] < (wide[1] - wide[0]) / 5


def test_bootstrap_depends_on_the_seed_only():
    rows = random_table(np.random.default_rng(5))
    first = evaluation.bootstrap_interval(rows, "fscore", seed=1)
    assert first == evaluation.bootstrap_interval(rows, "fscore", seed=1)
    assert first != evaluation.bootstrap_interval(rows, "fscore", seed=2)


def test_class_intervals_hold_the_values_and_leave_absent_classes_out():
    rows = random_table(np.random.default_rng(7), n=300)
    intervals, classes = evaluation.class_intervals(rows), evaluation.per_class(rows)
    for name in ("precision", "recall", "fscore"):
        assert classes[name].between(intervals[f"{name}_low"], intervals[f"{name}_high"]).all()
    assert evaluation.bootstrap_interval(rows, "recall", emotion="fear") == pytest.approx(
        tuple(intervals.loc["fear", ["recall_low", "recall_high"]])
    )
    assert evaluation.class_intervals(SMALL).loc["sad"].isna().all()
    assert np.isnan(evaluation.bootstrap_interval(SMALL, "recall", emotion="sad")).all()


def test_calibration():
    sure = table(["sad"] * 4, ["sad", "sad", "sad", "anger"], confidence=0.75)
    bins = evaluation.calibration(sure)
    assert bins["count"].tolist() == [0, 0, 0, 0, 0, 0, 0, 4, 0, 0]
    assert list(bins.loc[7, ["low", "high", "confidence", "accuracy"]]) == pytest.approx([0.7, 0.8, 0.75, 0.75])
    assert evaluation.calibration_error(sure) == pytest.approx(0)
    assert evaluation.calibration_error(table(["sad"] * 4, ["anger"] * 4, confidence=0.9)) == pytest.approx(0.9)
    assert evaluation.calibration(table(["sad"], ["sad"], confidence=1.0))["count"].iloc[-1] == 1


def test_mcnemar_exact_and_chi_squared():
    a = table(["sad"] * 40, ["sad"] * 30 + ["anger"] * 10)
    b = table(["sad"] * 40, ["anger"] * 6 + ["sad"] * 26 + ["anger"] * 8).sample(frac=1, random_state=0)
    result = evaluation.mcnemar(a, b)
    assert [result[k] for k in ("both_right", "only_a", "only_b", "both_wrong", "n")] == [24, 6, 2, 8, 40]
    assert result["exact"]
    assert result["p_value"] == pytest.approx(2 * (1 + 8 + 28) / 2**8)  # binomial(8, 1/2), 2 or fewer, both sides

    c = table(["sad"] * 40, ["anger"] * 40)
    large = evaluation.mcnemar(a, c)
    assert not large["exact"]
    assert large["p_value"] == pytest.approx(evaluation.mcnemar(c, a)["p_value"])
    assert large["p_value"] < 1e-6


def test_mcnemar_counts_clips_once():
    rows = table(["sad"] * 8, ["sad"] * 8, clips=["a"] * 4 + ["b"] * 4, subjects=["s"] * 8)
    other = table(["sad"] * 8, ["anger"] * 4 + ["sad"] * 4, clips=["a"] * 4 + ["b"] * 4, subjects=["s"] * 8)
    assert evaluation.mcnemar(rows, other)["only_a"] == 1
    assert evaluation.mcnemar(rows, other, level="segment")["only_a"] == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="p_sad"), r"lack the columns \['p_sad'\]"),
        (lambda t: t.iloc[:0], "no rows"),
        (lambda t: pd.concat([t, t]), "more than once"),
        (lambda t: t.assign(emotion="joy"), r"unknown emotions \['joy'\]"),
        (lambda t: t.assign(p_sad=0.5), "not a distribution"),
        (lambda t: t.assign(p_sad=np.nan), "not a distribution"),
        (lambda t: t.assign(p_sad=t["p_sad"] - 1, p_fear=t["p_fear"] + 1), "not a distribution"),
        (lambda t: t.assign(split=["test", "validation"] * 3), "several splits"),
    ],
)
def test_bad_tables_are_refused_with_a_remedy(change, message):
    with pytest.raises(ValueError, match=message):
        evaluation.summary(change(SMALL))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "auc"}, "unknown metric 'auc'; choose from"),
        ({"metric": "recall", "emotion": "joy"}, "unknown emotion 'joy'"),
        ({"metric": "accuracy", "emotion": "sad"}, "not defined for one emotion"),
        ({"level": 95}, "give a share between 0 and 1"),
        ({"groups": "person"}, "no column 'person'"),
        ({"samples": 0}, "samples is 0; give at least 1"),
    ],
)
def test_bad_bootstrap_options(options, message):
    with pytest.raises(ValueError, match=message):
        evaluation.bootstrap_interval(SMALL, **options)


def test_one_subject_has_no_interval():
    """Resampling one person gives the same score every time, and an interval of no width would look like certainty."""
    alone = SMALL.assign(subject="s0")
    with pytest.warns(UserWarning, match=r"one subject \('s0'\), so there is no interval"):
        assert np.isnan(evaluation.bootstrap_interval(alone)).all()
    with pytest.warns(UserWarning, match="one subject"):
        assert evaluation.class_intervals(alone).isna().all(axis=None)
    with pytest.warns(UserWarning, match="one subject"):
        difference, *interval = evaluation.paired_difference(alone, alone)
    assert difference == 0 and np.isnan(interval).all()


def test_mcnemar_needs_the_same_segments():
    with pytest.raises(ValueError, match="1 segments appear in only one of the two tables"):
        evaluation.mcnemar(SMALL, SMALL.iloc[1:])


def test_categorical_columns_work():
    """Parquet may bring labels back as categories."""
    rows = SMALL.astype({"emotion": "category", "subject": "category", "clip_id": "category"})
    assert evaluation.summary(rows) == pytest.approx(evaluation.summary(SMALL))
    assert len(evaluation.clip_predictions(rows.iloc[:4])) == 4


def test_second_choice_is_the_next_most_probable():
    rows = table(["sad", "anger", "happy"], ["sad", "anger", "happy"], confidence=0.6)
    rows.loc[0, ["p_fear", "p_neutral"]] = [0.3, 0.0]
    rows.loc[0, ["p_anger", "p_contempt", "p_surprise", "p_happy"]] = 0.025
    assert evaluation.second_choices(rows).tolist() == ["fear", "neutral", "neutral"], "a tie goes to the first"
    certain = table(["sad"], ["neutral"], confidence=1.0)
    assert evaluation.second_choices(certain).tolist() == ["anger"]


@settings(max_examples=15)
@given(seed=st.integers(0, 2**16))
def test_second_choice_is_first_once_the_first_is_gone(seed):
    rows = random_table(np.random.default_rng(seed), n=30)
    without = rows.copy()
    for index, emotion in evaluation.predicted(rows).items():
        without.loc[index, f"p_{emotion}"] = 0.0
    columns = list(PROBABILITIES)
    without[columns] = without[columns].div(without[columns].sum(axis=1), axis=0)
    assert evaluation.second_choices(rows).tolist() == evaluation.predicted(without).tolist()


def test_pool_keeps_people_and_tells_seeds_apart():
    both = evaluation.pool({0: SMALL, 3: SMALL})
    evaluation.check_predictions(both)
    assert set(both["segment_id"]) == {f"{seed}:g{i:03d}" for seed in (0, 3) for i in range(6)}
    assert evaluation.summary(both)["n_clips"] == 12
    assert evaluation.summary(both)["n_subjects"] == 3
    assert evaluation.summary(both)["accuracy"] == evaluation.summary(SMALL)["accuracy"]
    with pytest.raises(ValueError, match="no predictions to pool"):
        evaluation.pool({})


def test_paired_difference_known_cases():
    # Everybody gains one of four segments: the gain is certain, though people differ.
    true = ["sad"] * 16
    worse = [guess for right in (0, 1, 2, 3) for guess in ["sad"] * right + ["anger"] * (4 - right)]
    better = [guess for right in (1, 2, 3, 4) for guess in ["sad"] * right + ["anger"] * (4 - right)]
    people = [f"s{i // 4}" for i in range(16)]
    a, b = table(true, better, subjects=people), table(true, worse, subjects=people)
    assert evaluation.paired_difference(a, b) == pytest.approx((0.25, 0.25, 0.25))
    low, high = evaluation.bootstrap_interval(a)
    assert high - low > 0.2, "one run alone is uncertain"
    assert evaluation.paired_difference(a, a, "uar") == (0, 0, 0)


def test_paired_difference_turns_round_and_does_not_mind_the_order_of_rows():
    rng = np.random.default_rng(8)
    a, b = random_table(rng), random_table(rng)
    value, low, high = evaluation.paired_difference(a, b, "fscore", seed=3)
    assert evaluation.paired_difference(b, a, "fscore", seed=3) == pytest.approx((-value, -high, -low))
    assert evaluation.paired_difference(a.sample(frac=1, random_state=1), b, "fscore", seed=3) == (value, low, high)
    assert value == pytest.approx(evaluation.summary(a)["fscore"] - evaluation.summary(b)["fscore"])


def test_paired_difference_needs_the_same_people():
    with pytest.raises(ValueError, match="appear in only one of the two tables"):
        evaluation.paired_difference(SMALL, SMALL[SMALL["subject"] != "s0"])
    with pytest.raises(ValueError, match="unknown metric"):
        evaluation.paired_difference(SMALL, SMALL, "kappa")
