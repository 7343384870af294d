"""Runs: what is trained on what, the cache, and that a killed run loses nothing."""

import dataclasses
import json
import os
import platform
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_run import TINY, fake_store, tiny

from microx_utils import batches as inputs
from microx_utils import training
from microx_utils.batches import model_inputs
from microx_utils.components import COMPONENTS
from microx_utils.crops import CropStore
from microx_utils.experiments import Experiment
from microx_utils.labels import EMOTIONS
from microx_utils.segments import make_segments, split_segments
from microx_utils.support.errors import DataError
from microx_utils.training import train


@pytest.fixture(scope="module")
def store() -> CropStore:
    return fake_store()


@pytest.fixture(scope="module")
def finished(store: CropStore, tmp_path_factory: pytest.TempPathFactory) -> training.Run:
    return train(TINY, store, cache=tmp_path_factory.mktemp("runs"), progress=False)


def probabilities(predictions: pd.DataFrame) -> np.ndarray:
    return predictions[[f"p_{emotion}" for emotion in EMOTIONS]].to_numpy()


def test_run_learns_and_predicts_held_out_people(finished: training.Run, store: CropStore) -> None:
    assert list(finished.history)[:6] == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"]
    assert finished.history["epoch"].tolist() == [1, 2, 3, 4]
    assert finished.history["loss"].iloc[-1] < finished.history["loss"].iloc[0]
    table = finished.predictions
    np.testing.assert_allclose(probabilities(table).sum(1), 1, rtol=1e-5)
    assert table["segment_id"].is_unique
    assert set(table["split"]) == {"validation", "test"}
    people = table.groupby("split")["subject"].agg(set)
    trained = training_people(store, TINY)
    assert not people["test"] & people["validation"]
    assert not trained & (people["test"] | people["validation"])
    assert trained | people["test"] | people["validation"] == set(store.clips["subject"])
    sizes = finished.timings["segments"]
    assert sum(sizes.values()) == 2 * len(store.clips)
    assert sizes["test"] + sizes["validation"] == len(table)


def test_saved_model_is_the_one_that_predicted(finished: training.Run, store: CropStore) -> None:
    table = finished.predictions[finished.predictions["split"] == "test"].head(5)
    model = finished.load_model()
    clip_first = dict(zip(store.clips["clip_id"], store.clips["first"], strict=True))
    pairs = zip(table["clip_id"], table["segment_id"], strict=True)
    first = [clip_first[clip] + 3 * int(str(segment)[-2:]) for clip, segment in pairs]
    crops = np.stack([store.crops[f : f + 3] for f in first])
    found = model.predict(model_inputs(crops, TINY), verbose=0)
    np.testing.assert_allclose(found, probabilities(table), atol=1e-6)


def test_predictions_are_of_the_epoch_with_the_best_validation_loss(finished: training.Run) -> None:
    table = finished.predictions[finished.predictions["split"] == "validation"]
    truth = [EMOTIONS.index(emotion) for emotion in table["emotion"]]
    p = probabilities(table)[np.arange(len(table)), truth]
    best = finished.history["val_loss"].min()
    assert -np.log(p).mean() == pytest.approx(best, rel=1e-4)
    assert finished.timings["best_epoch"] == 1 + int(np.argmin(finished.history["val_loss"]))


def test_second_call_reads_the_cache(finished: training.Run, store: CropStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_train", lambda *_, **__: pytest.fail("trained again"))
    again = train(TINY, store, cache=finished.folder.parent, progress=False)
    pd.testing.assert_frame_equal(again.predictions, finished.predictions)
    assert again.key == finished.key
    assert not list(finished.folder.parent.glob("*.partial"))
    assert json.loads((again.folder / "experiment.json").read_text())["components"] == ["nose", "mouth"]


def test_same_seed_same_numbers_other_seed_others(finished: training.Run, store: CropStore, tmp_path: Path) -> None:
    again = train(TINY, store, cache=tmp_path, progress=False)
    pd.testing.assert_frame_equal(again.predictions, finished.predictions, check_exact=True)
    other = train(tiny(seed=1), store, cache=tmp_path, progress=False)
    assert other.key != finished.key
    assert other.history["loss"].tolist() != finished.history["loss"].tolist()


def training_people(store: CropStore, experiment: Experiment) -> set[str]:
    """Return whom an experiment trains on, from its own settings: a run keeps no rows of its training side."""
    segments = make_segments(
        store.clips, length=experiment.frames, step=experiment.step, max_segments=experiment.max_segments
    )
    sides = split_segments(segments, by=experiment.split, seed=experiment.seed)
    return set(segments.loc[sides == "train", "subject"])


class Killed(Exception):
    pass


def test_a_killed_run_goes_on_to_the_same_numbers(finished: training.Run, store: CropStore, tmp_path: Path) -> None:
    def kill(row: dict[str, float]) -> None:
        if row["epoch"] == 2:
            raise Killed

    with pytest.raises(Killed):
        train(TINY, store, cache=tmp_path, progress=False, on_epoch=kill)
    assert not (tmp_path / finished.folder.name).exists()  # nothing half-written under the final name
    trained: list[float] = []
    resumed = train(TINY, store, cache=tmp_path, progress=False, on_epoch=lambda row: trained.append(row["epoch"]))
    assert trained == [3, 4]
    columns = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
    pd.testing.assert_frame_equal(resumed.history[columns], finished.history[columns], check_exact=True)
    pd.testing.assert_frame_equal(resumed.predictions, finished.predictions, check_exact=True)


def test_a_kill_while_the_checkpoint_is_written_loses_one_epoch(
    finished: training.Run, store: CropStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, count = os.replace, []

    def dies(source, target) -> None:
        count.append(target)
        if len(count) == 4:  # the second epoch's model is in place, its state.json is not
            raise Killed
        rename(source, target)

    monkeypatch.setattr(os, "replace", dies)
    with pytest.raises(Killed):
        train(TINY, store, cache=tmp_path, progress=False)
    monkeypatch.undo()
    resumed = train(TINY, store, cache=tmp_path, progress=False)
    pd.testing.assert_frame_equal(resumed.predictions, finished.predictions, check_exact=True)


def test_resumed_runs_keep_the_optimizer(finished: training.Run, store: CropStore, tmp_path: Path) -> None:
    """Saved and loaded between two runs, Adam with its moments: the same as one run (section V.A)."""
    two = train(tiny(runs=2), store, cache=tmp_path, progress=False)
    assert two.history["run"].tolist() == [1, 1, 2, 2]
    assert two.history["loss"].tolist() == finished.history["loss"].tolist()


def test_early_stopping_waits_for_its_patience(store: CropStore, tmp_path: Path) -> None:
    stopped = train(tiny(learning_rate=3.0, epochs=12, patience=2), store, cache=tmp_path, progress=False)
    best = stopped.timings["best_epoch"]
    assert len(stopped.history) == best + 2 < 12
    table = stopped.predictions[stopped.predictions["split"] == "validation"]
    truth = [EMOTIONS.index(emotion) for emotion in table["emotion"]]
    p = np.maximum(probabilities(table)[np.arange(len(table)), truth], np.finfo(np.float32).tiny).astype(float)
    assert -np.log(p).mean() == pytest.approx(stopped.history["val_loss"].min(), rel=1e-4)  # not of the last epoch
    assert stopped.history["val_loss"].iloc[-1] > 1.01 * stopped.history["val_loss"].min()


def test_a_diverged_run_says_so(store: CropStore, tmp_path: Path) -> None:
    wild = tiny(optimizer="sgd", learning_rate=1e30, pixels="raw")
    with pytest.raises(FloatingPointError, match="the loss became nan in epoch"):
        train(wild, store, cache=tmp_path, progress=False)


def test_a_validation_loss_that_is_no_number_is_not_the_best(
    store: CropStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    original = keras.Model.predict_on_batch
    monkeypatch.setattr(keras.Model, "predict_on_batch", lambda model, batch: original(model, batch) * np.nan)
    with pytest.raises(FloatingPointError, match="the validation loss became nan in epoch 1"):
        train(TINY, store, cache=tmp_path, progress=False)


def test_segment_split_leaks_and_subject_split_does_not(store: CropStore, tmp_path: Path) -> None:
    shared: dict[str, set[str]] = {}
    for rule in ("segment", "subject"):
        experiment = tiny(split=rule, epochs=1)
        predictions = train(experiment, store, cache=tmp_path, progress=False).predictions
        tested = set(predictions.loc[predictions["split"] == "test", "subject"])
        assert tested
        shared[rule] = training_people(store, experiment) & tested
    assert shared == {"segment": set(store.clips["subject"]), "subject": set()}


def test_test_data_never_reaches_fit(store: CropStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    original = inputs.batches

    def spy(segments, *arguments, **keywords):
        seen.append("+".join(sorted(set(segments["split"]))))
        return original(segments, *arguments, **keywords)

    monkeypatch.setattr(training, "batches", spy)
    train(tiny(epochs=2), store, cache=tmp_path, progress=False)
    assert seen == ["train", "validation"] * 2 + ["validation", "test"]


def test_crops_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="its crops are 9 px aligned, the experiment needs 8 px aligned"):
        train(TINY, fake_store(size=9), cache=tmp_path)


def test_the_key_holds_crops_split_and_code(store: CropStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_train", lambda *_, **__: None)
    monkeypatch.setattr(training, "open_run", lambda experiment, key, folder: key)
    fewer = dataclasses.replace(store, clips=store.clips.iloc[:-7])
    keys = [
        train(TINY, store, cache=tmp_path),
        train(TINY, dataclasses.replace(store, key="other"), cache=tmp_path),
        train(TINY, fewer, cache=tmp_path),
        train(tiny(seed=1), store, cache=tmp_path),
        train(tiny(patience=3), store, cache=tmp_path),
    ]
    monkeypatch.setattr(training, "CODE_VERSION", -1)
    keys.append(train(TINY, store, cache=tmp_path))
    assert len(set(map(str, keys))) == len(keys)


def test_predict_gives_what_the_run_gave(finished: training.Run, store: CropStore, tmp_path: Path) -> None:
    segments = inputs.split_table(TINY, store)
    asked = segments[segments["split"] == "test"]
    expected = finished.predictions[finished.predictions["split"] == "test"].reset_index(drop=True)
    found = training.predict(finished, store, asked, cache=tmp_path)
    assert found["segment_id"].tolist() == expected["segment_id"].tolist()
    np.testing.assert_allclose(probabilities(found), probabilities(expected), atol=1e-6)
    everyone = training.predict(finished, store, inputs.segment_table(TINY, store), cache=tmp_path)
    assert len(everyone) == len(segments)
    assert set(everyone["split"]) == {"test"}


def test_predict_is_cached_by_what_is_asked(
    finished: training.Run, store: CropStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments = inputs.segment_table(TINY, store).head(20)
    plain = training.predict(finished, store, segments, cache=tmp_path)
    hidden = training.predict(finished, store, segments, hide=["mouth"], cache=tmp_path)
    assert (probabilities(plain) != probabilities(hidden)).any()
    monkeypatch.setattr(training, "_probabilities", lambda *_, **__: pytest.fail("predicted again"))
    again = training.predict(finished, store, segments, hide=["mouth"], cache=tmp_path)
    pd.testing.assert_frame_equal(again, hidden)


def test_a_hidden_component_changes_nothing_by_what_it_showed(
    finished: training.Run, store: CropStore, tmp_path: Path
) -> None:
    """Noise in place of the mouth, in all frames but those whose mean colour is taken: the same answers."""
    segments = inputs.segment_table(TINY, store).head(10)
    other = store.crops.copy()
    later = np.setdiff1d(np.arange(len(other)), segments["first"])
    other[later, COMPONENTS.index("mouth")] = 7
    stores = [store, dataclasses.replace(store, crops=other, key="other")]
    one, two = (training.predict(finished, each, segments, hide=["mouth"], cache=tmp_path) for each in stores)
    np.testing.assert_array_equal(probabilities(one), probabilities(two))


@pytest.mark.parametrize("n", [5, 64, 70])  # fewer than a batch of 64, just one, and one with a rest
def test_answers_do_not_depend_on_how_full_the_last_batch_is(finished: training.Run, store: CropStore, n: int) -> None:
    segments = inputs.segment_table(TINY, store)
    segments = segments.iloc[np.arange(n) % len(segments)]
    model = finished.load_model()
    found = training._probabilities(model, segments, store, TINY)
    crops = inputs.segment_crops(store, segments, TINY.frames)
    expected = model.predict(inputs.model_inputs(crops, TINY), verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_network_is_compiled_once_for_all_batches(finished: training.Run, store: CropStore) -> None:
    segments = inputs.segment_table(TINY, store)
    segments = segments.iloc[np.arange(70) % len(segments)]
    model = finished.load_model()
    for n in (70, 5):
        training._probabilities(model, segments.head(n), store, TINY)
    assert model.predict_function.experimental_get_tracing_count() == 1


def test_the_validation_loss_is_that_of_keras(finished: training.Run, store: CropStore) -> None:
    segments = inputs.split_table(TINY, store)
    held_out = segments[segments["split"] == "validation"]
    crops = inputs.segment_crops(store, held_out, TINY.frames)
    labels = held_out["emotion"].map(EMOTIONS.index).to_numpy()
    model = training.compile_model(finished.load_model(), TINY)
    expected = model.evaluate(inputs.model_inputs(crops, TINY), labels, verbose=0, return_dict=True)
    kept = finished.history.set_index("epoch").loc[finished.timings["best_epoch"]]
    assert kept["val_loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert kept["val_accuracy"] == pytest.approx(expected["accuracy"])


def test_predict_refuses_what_it_cannot_do(finished: training.Run, store: CropStore, tmp_path: Path) -> None:
    segments = inputs.segment_table(TINY, store)
    with pytest.raises(ValueError, match=r"can't hide \['full_face'\]; tiny sees \['nose', 'mouth'\]"):
        training.predict(finished, store, segments, hide=["full_face"], cache=tmp_path)
    with pytest.raises(ValueError, match="no segments to predict"):
        training.predict(finished, store, segments.head(0), cache=tmp_path)


def test_two_trainings_never_run_at_once(store: CropStore, tmp_path: Path) -> None:
    from filelock import FileLock, Timeout

    held = []
    lock = tmp_path / f".training-{platform.node()}.lock"  # of this machine: a cluster's others train meanwhile

    def look(row: dict[str, float]) -> None:
        with pytest.raises(Timeout):
            FileLock(lock).acquire(timeout=0)
        held.append(row["epoch"])

    train(tiny(epochs=1), store, cache=tmp_path, progress=False, on_epoch=look)
    assert held == [1]
    with FileLock(lock).acquire(timeout=0):
        pass


def test_a_given_division_is_trained_on_and_has_a_key_of_its_own(
    finished: training.Run, store: CropStore, tmp_path: Path
) -> None:
    usual = inputs.split_table(TINY, store)
    other = usual.assign(split=usual["split"].map({"train": "train", "validation": "test", "test": "validation"}))
    run = train(TINY, store, other, cache=tmp_path, progress=False)
    assert run.key != finished.key
    wanted = other.loc[other["split"] == "test", "segment_id"]
    assert run.predictions.query("split == 'test'")["segment_id"].tolist() == wanted.tolist()
    assert train(TINY, store, usual, cache=finished.folder.parent, progress=False).key == finished.key


@pytest.mark.parametrize(
    ("count", "epoch_steps", "length"), [(40, None, 32), (16, None, 16), (9, None, 9), (40, 7, 112)]
)
def test_an_epoch_is_one_pass_or_a_number_of_steps(count: int, epoch_steps: int | None, length: int) -> None:
    experiment = dataclasses.replace(TINY, epoch_steps=epoch_steps)
    order, _ = training.start_epoch(training.build(experiment), count, experiment, 3)
    assert len(order) == length  # 16 a batch
    seen = np.bincount(order, minlength=count)
    assert seen.max() - seen.min() <= 1  # no segment is seen again before all others were
    again, _ = training.start_epoch(training.build(experiment), count, experiment, 3)
    np.testing.assert_array_equal(order, again)
