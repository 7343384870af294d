"""The compared systems: descriptors against hand computation, what each may see, and that nothing is chosen on test."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from microx_utils import evaluation, experiments
from microx_utils.components import COMPONENTS
from microx_utils.crops import CropStore
from microx_utils.experiments import Experiment, load_experiment
from microx_utils.labels import EMOTIONS
from microx_utils.rivals import classical, descriptors, streams, systems

FRAMES = 14


@pytest.fixture
def face(portrait: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(portrait[:200, 130:330], cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (64, 64), interpolation=cv2.INTER_AREA)


# Descriptors


def test_lpq_is_the_signs_of_a_local_fourier_transform(rng: np.random.Generator) -> None:
    picture = rng.random((9, 11))
    y, x = np.mgrid[-3:4, -3:4]
    window = picture[1:8, 2:9]  # round (4, 5)
    spectrum = [
        (window * np.exp(-2j * np.pi * (down * y + across * x) / 7)).sum()
        for down, across in [(0, 1), (1, 0), (1, 1), (1, -1)]
    ]
    bits = [z.real > 0 for z in spectrum] + [z.imag > 0 for z in spectrum]
    expected = sum(int(bit) << place for place, bit in enumerate(bits))
    assert descriptors.lpq_codes(picture, decorrelate=False)[4, 5] == expected


def test_lpq_of_a_stack_is_that_of_each_picture(rng: np.random.Generator) -> None:
    pictures = rng.integers(0, 256, (3, 12, 10), dtype=np.uint8)
    together = descriptors.lpq_codes(pictures)
    assert together.shape == pictures.shape
    np.testing.assert_array_equal(together, [descriptors.lpq_codes(picture) for picture in pictures])


def test_lpq_survives_blur_and_light_better_than_chance(face: np.ndarray) -> None:
    codes = descriptors.lpq_codes(face)

    def equal_bits(other: np.ndarray) -> float:
        return 1 - np.unpackbits(codes ^ descriptors.lpq_codes(other)).mean()

    assert equal_bits(cv2.GaussianBlur(face, (0, 0), 1.0)) > 0.8
    assert equal_bits(0.5 * face.astype(float)) == 1.0  # signs do not know the light's strength
    assert 0.4 < equal_bits(np.rot90(face)) < 0.6


def test_decorrelation_turns_without_stretching() -> None:
    turn = descriptors._decorrelation(7)
    np.testing.assert_allclose(turn.T @ turn, np.eye(8), atol=1e-9)


@pytest.mark.parametrize("window", [2, 1, 8])
def test_lpq_wants_an_odd_window(window: int) -> None:
    with pytest.raises(ValueError, match="odd number"):
        descriptors.lpq_codes(np.zeros((9, 9)), window=window)


def test_poem_has_59_patterns_a_direction(face: np.ndarray) -> None:
    codes = descriptors.poem_codes(face)
    assert codes.shape == (3, 64, 64)
    assert codes.max() <= 58
    assert len(np.unique(codes)) > 30
    assert (
        descriptors.poem_codes(np.full((20, 20), 7)) == descriptors._uniform_patterns()[255]
    ).all()  # no edges at all


def test_uniform_patterns_number_the_58_that_change_at_most_twice() -> None:
    patterns = descriptors._uniform_patterns()
    assert sorted(set(patterns)) == list(range(59))
    assert (patterns == 58).sum() == 256 - 58
    assert patterns[0b01010101] == 58


def test_block_histograms_count_each_block() -> None:
    codes = np.zeros((1, 4, 4), np.uint8)
    codes[0, :2, 2:] = 1  # the block at the top right
    codes[0, 3, 3] = 2
    counts = descriptors.block_histograms(codes, bins=3, grid=2)
    np.testing.assert_array_equal(counts, [[4, 0, 0, 0, 4, 0, 4, 0, 0, 3, 0, 1]])


def test_block_histograms_of_several_planes_stand_one_after_the_other(rng: np.random.Generator) -> None:
    codes = rng.integers(0, 5, (2, 3, 9, 9), dtype=np.uint8)
    together = descriptors.block_histograms(codes, bins=5, grid=3)
    apart = [descriptors.block_histograms(codes[:, plane], bins=5, grid=3) for plane in range(3)]
    np.testing.assert_array_equal(together, np.concatenate(apart, axis=1))
    assert (together.sum(axis=1) == 3 * 81).all()


def test_hellinger_rows_have_length_one(rng: np.random.Generator) -> None:
    rows = descriptors.hellinger(rng.integers(0, 9, (4, 30)))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    assert (descriptors.hellinger(np.zeros((1, 3))) == 0).all()


def line(*places: float) -> np.ndarray:
    """Distances between points on a line."""
    at = np.array(places)
    return np.abs(at[:, None] - at)


def test_maxdist_takes_the_rare_frames() -> None:
    distances = line(0, 0.1, 0.2, 5, 6, 0.3, 0.4, 0.5)
    assert descriptors.peak_frames(distances, 2).tolist() == [4, 3]
    held = line(5, 5.1, 0, 5.2, 5.3, 5.4)  # the expression is held, frame 2 is at rest
    assert descriptors.peak_frames(held, 1).tolist() == [2]


def test_dend_cluster_takes_the_middle_of_the_farther_group() -> None:
    distances = line(0, 0.1, 0.2, 5, 5.4, 5.5, 0.3, 0.4, 0.5)
    assert descriptors.peak_frames(distances, 1, rule="dend_cluster").tolist() == [4]


def test_from_rest_takes_the_frames_farthest_from_the_first() -> None:
    held = line(0, 0.1, 0, 5, 5.1, 5.2, 5.3)  # most of the clip holds the expression
    assert descriptors.peak_frames(held, 2, rule="from_rest").tolist() == [6, 5]
    assert descriptors.peak_frames(held, 1).tolist() != [6]


def test_short_clips_repeat_their_best_frames() -> None:
    assert descriptors.peak_frames(line(0, 1, 9), 5).tolist() == [2, 0, 1, 2, 0]
    assert descriptors.peak_frames(line(4), 2, rule="dend_cluster").tolist() == [0, 0]


def test_unknown_rule_and_descriptor_list_the_choices(face: np.ndarray) -> None:
    with pytest.raises(ValueError, match="maxdist"):
        descriptors.peak_frames(line(0, 1), 1, rule="apex")
    with pytest.raises(ValueError, match="poem"):
        descriptors.describe(face[None], descriptor="hog")  # type: ignore[arg-type]


# Landmarks


def test_landmark_features_forget_place_size_and_roll(rng: np.random.Generator) -> None:
    points = rng.random((6, 68, 2)) * 100
    points[:, 36:42, 0] -= 100  # eyes apart
    angle = 0.4
    turn = 1.7 * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    features = classical.landmark_features(points)
    assert features.shape == (4 * 136,)
    np.testing.assert_allclose(classical.landmark_features(points @ turn + [30, -9]), features, atol=1e-4)
    level = classical.level_points(points)
    np.testing.assert_allclose(level[:, 36:42].mean(axis=1), np.tile([-0.5, 0], (6, 1)), atol=1e-9)
    np.testing.assert_allclose(level[:, 42:48].mean(axis=1), np.tile([0.5, 0], (6, 1)), atol=1e-9)


# Choosing


def spans_of(sides: dict[str, int]) -> pd.DataFrame:
    rows = [(EMOTIONS[k % 3], side) for side, count in sides.items() for k in range(count)]
    return pd.DataFrame(rows, columns=["emotion", "split"])


def test_choice_never_looks_at_test_people(rng: np.random.Generator) -> None:
    spans = spans_of({"train": 30, "validation": 12, "test": 12})
    codes = spans["emotion"].map(EMOTIONS.index).to_numpy()
    features = (np.eye(3)[codes] + 0.3 * rng.normal(size=(len(spans), 3)))[:, None].astype(np.float32)
    candidates = {f"{c}": LogisticRegression(C=c) for c in (0.001, 1.0)}
    first = classical.choose(candidates, FunctionTransformer(), features, spans)
    test = (spans["split"] == "test").to_numpy()
    spoiled = features.copy()
    spoiled[test] = 99
    second = classical.choose(candidates, FunctionTransformer(), spoiled, spans)
    assert (first.name, first.steepness, first.validation) == (second.name, second.steepness, second.validation)
    np.testing.assert_array_equal(first.probabilities(features), second.probabilities(features))


def test_probabilities_add_up_and_average_over_frames(rng: np.random.Generator) -> None:
    spans = spans_of({"train": 30, "validation": 12})
    codes = spans["emotion"].map(EMOTIONS.index).to_numpy()
    features = np.eye(3)[codes][:, None] + 0.1 * rng.normal(size=(len(spans), 4, 3))
    chosen = classical.choose({"lr": LogisticRegression()}, FunctionTransformer(), features, spans)
    probabilities = chosen.probabilities(features)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities[:, 3:] == 0).all()  # classes that nobody trained
    np.testing.assert_allclose(chosen.probabilities(features[:, ::-1]), probabilities)
    assert (probabilities.argmax(axis=1) == codes).mean() > 0.95


def test_two_classes_are_enough(rng: np.random.Generator) -> None:
    """Then a classifier has one score, for the second class against the first, and not one for each."""
    spans = spans_of({"train": 2, "validation": 2}).loc[np.repeat(range(4), 6)].reset_index(drop=True)
    codes = spans["emotion"].map(EMOTIONS.index).to_numpy()
    features = np.eye(2)[codes][:, None] + 0.1 * rng.normal(size=(len(spans), 4, 2))
    chosen = classical.choose({"lr": LogisticRegression()}, FunctionTransformer(), features, spans)
    probabilities = chosen.probabilities(features)
    np.testing.assert_allclose(probabilities[:, :2].sum(axis=1), 1)
    assert (probabilities.argmax(axis=1) == codes).all() and chosen.validation == 1


def test_choice_needs_two_classes() -> None:
    spans = spans_of({"train": 1, "validation": 1}).loc[[0, 0, 1, 1]]
    with pytest.raises(ValueError, match="two classes"):
        classical.choose({"lr": LogisticRegression()}, FunctionTransformer(), np.zeros((4, 1, 2)), spans)


# Parts and flow


@pytest.mark.parametrize("frames", [10, 21, 55])
def test_part_frames_lie_in_their_parts(frames: int, rng: np.random.Generator) -> None:
    for generator in (None, rng):
        chosen, starts = streams.part_frames(frames, 10, rng=generator, gap=3)
        borders = np.arange(11) * frames / 10
        assert ((chosen >= np.floor(borders[:-1])) & (chosen < borders[1:])).all()
        assert (starts <= frames - 4).all()
    chosen, starts = streams.part_frames(2, 5, gap=3)
    assert (chosen < 2).all()
    assert (starts == 0).all()


def test_flow_finds_a_shift(face: np.ndarray) -> None:
    moved = np.roll(face, 2, axis=1)  # two px to the right
    flow = streams.optical_flow(np.stack([face, face, moved]), np.array([0]), gap=2, size=64) / streams.FLOW_SCALE
    assert flow.shape == (1, 64, 64, 2)
    assert np.median(flow[0, 8:-8, 8:-8, 0]) == pytest.approx(2, abs=0.3)
    assert np.median(flow[0, 8:-8, 8:-8, 1]) == pytest.approx(0, abs=0.3)


# Whole systems, on one real clip that stands for many


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> CropStore:
    """Twelve people with each emotion, all of them the same video; `first` frames are real, the crops are not used."""
    path = str(Path(__file__).parents[1] / "data" / "openface" / "happy.mp4")
    rows: list[dict[str, Any]] = []
    for person in range(12):
        for emotion in EMOTIONS:
            name = f"p{person:02d}"
            row: dict[str, Any] = {"clip_id": f"{name}_{emotion}", "corpus": "BAUM-2", "subject": name}
            row |= {"emotion": emotion, "source_label": emotion, "path": path, "condition": "plain"}
            rows.append(row | {"split_group": name, "first": FRAMES * len(rows), "frames": FRAMES})
    crops = np.zeros((FRAMES * len(rows), len(COMPONENTS), 8, 8, 3), np.uint8)
    return CropStore(crops, np.ones(crops.shape[:2], bool), pd.DataFrame(rows), pd.DataFrame(), "same-video")


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return dataclasses.replace(load_experiment("table1_microx", experiments.get_profile("smoke")), epochs=1)


@pytest.fixture
def processed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from microx_utils.support import paths

    monkeypatch.setattr(paths, "PROCESSED", tmp_path)
    return tmp_path


def test_spans_are_the_segments_of_microx_and_their_whole_clips(store: CropStore, experiment: Experiment) -> None:
    from microx_utils.batches import split_table

    segments, clips = (systems.span_table(experiment, store, level) for level in ("segment", "clip"))
    ours = split_table(experiment, store)
    assert segments["segment_id"].tolist() == ours["segment_id"].tolist()
    assert (segments["frames"] == 10).all()
    assert (clips["frames"] == FRAMES).all()
    assert clips["segment_id"].is_unique
    sides = ours.groupby("clip_id")["split"].agg(set)
    assert {name: {side} for name, side in zip(clips["clip_id"], clips["split"], strict=True)} == sides.to_dict()


def test_a_split_that_divides_clips_is_refused(store: CropStore, experiment: Experiment) -> None:
    with pytest.raises(ValueError, match="divides clips"):
        systems.span_table(dataclasses.replace(experiment, split="segment"), store, "clip")
    with pytest.raises(ValueError, match="unknown level"):
        systems.span_table(experiment, store, "frame")


@pytest.mark.parametrize("name", ["majority", "landmarks", "lpq_svm", "two_streams"])
def test_a_system_answers_what_microx_answers(
    name: str, store: CropStore, experiment: Experiment, processed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systems, "_TIMED_CLIPS", 2)
    few = store.clips["subject"].isin([f"p{k:02d}" for k in range(12)])
    small = dataclasses.replace(store, clips=store.clips[few].reset_index(drop=True))
    options = {"dimensions": 5} if name == "lpq_svm" else None
    found = systems.run_system(name, experiment, small, options=options)
    for level in ("segment", "clip"):
        rows = systems.span_table(experiment, small, level)
        for side in ("validation", "test"):
            table = found.table(level, side)
            evaluation.check_predictions(table)
            assert list(table.columns) == list(evaluation.COLUMNS)
            wanted = rows[rows["split"] == side]
            assert table["segment_id"].tolist() == wanted["segment_id"].tolist()
            assert table["emotion"].tolist() == wanted["emotion"].tolist()
    assert {"seconds_features", "seconds_training", "milliseconds_per_clip", "parameters", "chosen"} <= set(
        found.timings
    )
    assert found.folder.parent == processed / "baselines"

    def fail(*_: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(systems, "_fit", fail)
    again = systems.run_system(name, experiment, small, options=options)
    pd.testing.assert_frame_equal(again.predictions, found.predictions)


def test_majority_answers_with_training_shares(store: CropStore, experiment: Experiment, processed: Path) -> None:
    clips = store.clips[~((store.clips["subject"] > "p04") & (store.clips["emotion"] == "anger"))]
    small = dataclasses.replace(store, clips=clips.reset_index(drop=True))
    found = systems.run_system("majority", experiment, small)
    rows = systems.span_table(experiment, small, "clip").query("split == 'train'")
    shares = rows["emotion"].value_counts(normalize=True)
    table = found.table("clip")
    for emotion in EMOTIONS:
        np.testing.assert_allclose(table[f"p_{emotion}"], shares.get(emotion, 0.0))


def test_unknown_names_list_the_choices(store: CropStore, experiment: Experiment) -> None:
    with pytest.raises(ValueError, match=r"unknown system 'svm'.*lpq_svm"):
        systems.run_system("svm", experiment, store)
    with pytest.raises(ValueError, match=r"no options \['colour'\].*grid"):
        systems.run_system("lpq_svm", experiment, store, options={"colour": "grey"})


def test_other_options_are_another_result(store: CropStore, experiment: Experiment, processed: Path) -> None:
    first = systems.run_system("majority", experiment, store)
    other = systems.run_system("majority", dataclasses.replace(experiment, seed=1), store)
    assert first.key != other.key
    assert json.loads((first.folder / "timings.json").read_text())["parameters"] == len(EMOTIONS)


# The network


def test_aggregation_is_the_formula_and_forgets_order(rng: np.random.Generator) -> None:
    from microx_utils.rivals.two_streams import Aggregation

    x = rng.normal(size=(2, 5, 4)).astype(np.float32)
    layer = Aggregation(3)
    found = np.asarray(layer(x))
    weights, bias = (np.asarray(w) for w in layer.assign.get_weights())
    centres = np.asarray(layer.centres)
    for clip, row in zip(x, found, strict=True):
        a = np.exp(clip @ weights + bias)
        a /= a.sum(axis=1, keepdims=True)
        v = np.stack([(a[:, k, None] * (clip - centres[k])).sum(axis=0) for k in range(3)])
        v /= np.linalg.norm(v, axis=1, keepdims=True)
        np.testing.assert_allclose(row, v.ravel() / np.linalg.norm(v), atol=1e-5)
    np.testing.assert_allclose(np.asarray(layer(x[:, ::-1])), found, atol=1e-6)


def test_network_takes_any_number_of_parts_and_shares_weights() -> None:
    from microx_utils.rivals.two_streams import build

    options = {**systems.OPTIONS["two_streams"], "size": 16, "filters": (2, 4), "descriptor": 3, "words": 2}
    model = build(options)
    counts = set()
    for parts in (5, 15):
        batch = {
            "spatial": np.zeros((2, parts, 16, 16, 3), np.uint8),
            "temporal": np.zeros((2, parts, 16, 16, 2), np.int8),
        }
        answers = np.asarray(model.predict_on_batch(batch))
        np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
        counts.add(model.count_params())
    assert len(counts) == 1


def test_same_seed_same_numbers(
    store: CropStore, experiment: Experiment, processed: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    few = store.clips["emotion"].isin(EMOTIONS[:3])
    small = dataclasses.replace(store, clips=store.clips[few].reset_index(drop=True))
    options = {"size": 16, "filters": (2, 4), "descriptor": 3, "words": 2}
    runs = [
        systems.run_system("two_streams", experiment, small, options=options, cache=tmp_path_factory.mktemp("runs"))
        for _ in range(2)
    ]
    pd.testing.assert_frame_equal(runs[0].predictions, runs[1].predictions)
