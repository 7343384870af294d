"""The search for a cheap MicroX: who is held out, what a variant sees and is, and how one is chosen."""

from dataclasses import replace
from pathlib import Path

import accuracy_cost
import keras
import numpy as np
import pandas as pd
import pytest
from accuracy_cost import STOCK, chosen, divisions, predictions, reduced, scores, seen
from tiny_run import fake_store, tiny
from variants import SeparableConvLSTM2D, Variant, network, variants_of

from microx_utils.batches import batches, split_table
from microx_utils.models import FastConvLSTM2D
from microx_utils.support import paths
from microx_utils.training import build


def test_no_test_person_is_in_a_fold_and_everyone_else_is_held_out_once() -> None:
    table = split_table(tiny(), fake_store())
    tested = set(table.query("split == 'test'")["split_group"])
    folds = divisions(table, 3)
    held = [set(rows.query("split == 'validation'")["split_group"]) for rows in folds]
    for rows, people in zip(folds, held, strict=True):
        assert set(rows["split"]) == {"train", "validation"}
        assert not tested & set(rows["split_group"])
        assert not people & set(rows.query("split == 'train'")["split_group"])
    assert sorted(person for people in held for person in people) == sorted(set(table["split_group"]) - tested)


def test_crops_are_averaged_to_the_size(rng: np.random.Generator) -> None:
    crops = rng.integers(0, 256, (2, 3, 8, 8, 3), dtype=np.uint8)
    small = reduced(crops, 4)
    assert small.shape == (2, 3, 4, 4, 3)
    assert small[1, 2, 0, 0] == pytest.approx(crops[1, 2, :2, :2].mean(axis=(0, 1)), abs=0.51)
    assert reduced(crops, 8) is crops


def test_a_variant_sees_every_second_frame_reduced_and_augmented_only_by_a_generator() -> None:
    store, experiment = fake_store(), tiny(augment=True)
    rows = split_table(experiment, store).head(5)
    (plain, labels), *_ = batches(rows, store, experiment, size=5)
    variant = Variant(experiment, size=4, every=2)
    ((inputs, found),) = seen(rows, store, variant, 5)
    assert (found == labels).all()
    for name, crops in inputs.items():
        np.testing.assert_array_equal(crops, reduced(plain[name][:, ::2], 4))
    ((moved, _),) = seen(rows, store, variant, 5, np.random.default_rng(0))
    assert any((moved[name] != inputs[name]).any() for name in inputs)


def test_the_profiles_variant_is_the_profiles_network() -> None:
    experiment = tiny(pool=2)
    mine, theirs = network(variants_of(experiment)[accuracy_cost.BASE]), build(experiment)
    assert [each.shape for each in mine.get_weights()] == [each.shape for each in theirs.get_weights()]


def test_shared_components_have_one_conv_lstm() -> None:
    variant = variants_of(tiny(components=("nose", "mouth")))["shared"]
    both, apart = network(variant), network(replace(variant, shared=False))
    kinds = [[type(layer) for layer in model.layers].count(FastConvLSTM2D) for model in (both, apart)]
    assert kinds == [1, 2]


def test_a_separable_recurrence_is_the_whole_one_with_a_product_for_its_kernel(rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 4, 7, 6, 3)).astype("float32")
    parts, whole = SeparableConvLSTM2D(3), FastConvLSTM2D(3)
    parts(x), whole(x)
    whole.kernel.assign(parts.kernel)
    whole.recurrent_kernel.assign(parts.depthwise * parts.pointwise)  # (3, 3, F, 1) * (1, 1, F, 4F)
    mine, theirs = (keras.ops.convert_to_numpy(layer(x)) for layer in (parts, whole))
    np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_the_lowest_loss_is_chosen_among_the_cheap() -> None:
    cost = {"dear": 11.0, "good": 10.0, "cheap": 1.0, STOCK: 100.0}
    assert chosen({"dear": 1.0, "good": 1.2, "cheap": 1.5}, cost) == "good"
    with pytest.raises(ValueError, match=f"none of .*'dear'.* a tenth of the {STOCK}"):
        chosen({"dear": 1.0}, cost)


def test_trainings_are_kept_and_pooled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "PROCESSED", tmp_path)
    experiment, store = tiny(epochs=1), fake_store()
    table = split_table(experiment, store)
    folds, some = divisions(table, 2), {"a": Variant(experiment, experiment.crop_size)}
    first = predictions(some, folds, "validation", store, seeds=1, jobs=1)["a"]
    rest = table[table["split"] != "test"]
    assert sorted(first["segment_id"]) == sorted("0:" + rest["segment_id"])
    assert scores(first, first)["difference"] == 0

    def refuse(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(accuracy_cost, "train", refuse)
    pd.testing.assert_frame_equal(predictions(some, folds, "validation", store, seeds=1, jobs=1)["a"], first)
