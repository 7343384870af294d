"""The training dashboard: what its runs measure, that it stops and goes on, and that the kernel answers meanwhile."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure
from tiny_run import fake_store, tiny

from microx_utils.batches import split_table
from microx_utils.crops import CropStore
from microx_utils.experiments import Experiment
from microx_utils.models import FastConvLSTM2D
from microx_utils.widgets.training_dashboard import (
    BINS,
    Dashboard,
    Trial,
    draw_trials,
    fresh_weights,
    gate_histogram,
    pick_segments,
    table_of,
    train_epochs,
)

DIVERGES = 1e38
"""A learning rate whose first step makes weights that are too large for 32 bits."""


@pytest.fixture(scope="module")
def store() -> CropStore:
    return fake_store()


def trial(experiment: Experiment, store: CropStore, *, number: int = 1) -> Trial:
    made = Trial(number, experiment)
    for row, gates in train_epochs(experiment, store, pick_segments(experiment, store), fresh_weights(experiment)):
        made.add(row, gates)
    return made


@pytest.fixture(scope="module")
def scaled(store: CropStore) -> Trial:
    return trial(tiny(), store)


@pytest.fixture(scope="module")
def raw(store: CropStore) -> Trial:
    return trial(tiny(pixels="raw"), store, number=2)


def test_no_test_person_is_seen(store: CropStore) -> None:
    sides = pick_segments(tiny(), store, most=20)
    assert {side: len(rows) for side, rows in sides.items()} == {"train": 20, "validation": 20}
    table = split_table(tiny(), store)
    for side, rows in sides.items():
        assert set(rows["split"]) == {side}
        assert not set(rows["split_group"]) & set(table["split_group"][table["split"] == "test"])
    assert pick_segments(tiny(), store, most=20)["train"].equals(sides["train"])


def test_a_run_learns_and_can_be_repeated(scaled: Trial, store: CropStore) -> None:
    history = scaled.history
    assert history.index.tolist() == [0, 1, 2, 3, 4]
    assert history["loss"].isna().tolist() == [True, False, False, False, False]
    assert history["val_loss"].iloc[0] == pytest.approx(np.log(7), abs=0.5)
    assert history["loss"].iloc[-1] < history["loss"].iloc[1]
    assert (history["low"] <= history["val_accuracy"]).all() and (history["val_accuracy"] <= history["high"]).all()
    assert trial(tiny(), store).history.equals(history)
    assert not trial(tiny(seed=1), store).history.equals(history)


def test_whatever_else_the_kernel_draws_a_run_stays_the_same(scaled: Trial, store: CropStore) -> None:
    """Other threads use Python's random numbers, too, and Keras's."""
    weights = fresh_weights(tiny())
    again = Trial(1, tiny())
    for row, gates in train_epochs(tiny(), store, pick_segments(tiny(), store), weights):
        again.add(row, gates)
        keras.utils.set_random_seed(len(again.rows))
    assert again.history.equals(scaled.history)
    random.seed(1)
    row, _ = next(train_epochs(tiny(), store, pick_segments(tiny(), store), weights))
    assert row["val_loss"] == scaled.history["val_loss"].iloc[0]


def test_raw_pixels_saturate_the_gates(scaled: Trial, raw: Trial) -> None:
    assert raw.history["saturated"].min() > 0.8
    assert scaled.history["saturated"].max() < 0.2
    for gates in (*raw.gates, *scaled.gates):
        assert gates.shape == (20,) and gates.sum() == pytest.approx(1)


def test_gate_values_are_counted_where_they_lie() -> None:
    """Without weights the biases alone decide: i is open, f half open, o shut; u does not count."""
    layer = FastConvLSTM2D(2)
    layer.build((None, 3, 6, 6, 1))
    layer.set_weights([0 * w for w in layer.get_weights()[:2]] + [np.repeat([9.0, 0.1, 9.0, -9.0], 2)])
    shares = gate_histogram([layer], np.ones((4, 3, 6, 6, 1), np.float32))
    assert {BINS[k].round(2): share for k, share in enumerate(shares) if share} == {
        0.0: pytest.approx(1 / 3),
        0.5: pytest.approx(1 / 3),
        0.95: pytest.approx(1 / 3),
    }


def test_a_stopped_run_yields_no_half_epoch(store: CropStore) -> None:
    asked = []

    def soon() -> bool:
        asked.append(1)
        return len(asked) > 5

    sides = pick_segments(tiny(), store)
    batches = len(sides["train"]) // tiny().batch_size
    rows = list(train_epochs(tiny(epochs=50), store, sides, fresh_weights(tiny()), stopped=soon))
    assert len(asked) == 6 and len(rows) == 1 + 5 // batches


def test_a_run_that_diverges_says_so(store: CropStore) -> None:
    experiment = tiny(optimizer="sgd", learning_rate=DIVERGES)
    with pytest.raises(FloatingPointError, match=r"epoch 1 .* Lower the learning rate"):
        list(train_epochs(experiment, store, pick_segments(experiment, store), fresh_weights(experiment)))


def test_the_published_layer_has_no_gates_to_read(store: CropStore) -> None:
    with pytest.raises(ValueError, match="use the compact model"):
        published = tiny(model="published")
        next(train_epochs(published, store, pick_segments(published, store), fresh_weights(published)))


def test_every_run_has_its_curves_and_its_settings_in_the_legend(scaled: Trial, raw: Trial) -> None:
    figure = draw_trials([scaled, raw], caption="rendered")
    assert isinstance(figure, Figure)
    losses, accuracies, saturated, values, _ = figure.axes
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "1: scaled, adam 0.01",
        "2: raw, adam 0.01",
    ]
    for panel, columns in ((losses, ["loss", "val_loss"]), (accuracies, ["accuracy", "val_accuracy"])):
        drawn = [line.get_ydata() for line in panel.get_lines()[:4]]
        for own, number in ((scaled, 0), (raw, 2)):
            for column, line in zip(columns, drawn[number : number + 2], strict=True):
                np.testing.assert_array_equal(np.asarray(line, float), own.history[column])
    assert losses.get_ylim()[1] <= 4
    np.testing.assert_array_equal(saturated.get_lines()[1].get_ydata(), raw.history["saturated"])
    assert values.get_title("left") == "Gate values in run 2"


def test_the_table_says_where_each_run_stands(scaled: Trial, raw: Trial) -> None:
    shown = table_of([scaled, raw], n=32)
    last = scaled.history.iloc[-1]
    assert f"<td>{last['val_accuracy']:.1%} ({last['low']:.0%} to {last['high']:.0%})</td>" in shown
    assert "n = 32" in shown and "chance is 14.3%" in shown and shown.count("<tr>") == 3


@pytest.fixture(scope="module")
def built(store: CropStore) -> Dashboard:
    return Dashboard(tiny(), store, data="fake", first_epochs=1, epochs=3, most=64)


@pytest.fixture
def dashboard(built: Dashboard) -> Dashboard:
    """As built: with the two first runs."""
    built.trials, built.started, built.experiment = built.trials[:2], 2, replace(built.experiment, epochs=3)
    first = built.trials[0].experiment
    for name, control in built.settings.items():
        control.value = getattr(first, name)
    return built


def run(dashboard: Dashboard, meanwhile: Callable[[], None] = lambda: None) -> int:
    """Press Start and wait; return how often the loop came round meanwhile, as it must for a kernel to answer."""

    async def pressed() -> int:
        dashboard.buttons["start"].click()
        rounds = 0
        assert dashboard.task is not None
        while not dashboard.task.done():
            await asyncio.sleep(0.005)
            meanwhile()
            rounds += 1
        await dashboard.task
        return rounds

    return asyncio.run(pressed())


def test_start_trains_with_the_chosen_settings_while_the_kernel_answers(dashboard: Dashboard) -> None:
    before = dashboard.live.views["charts"].png
    assert [made.label for made in dashboard.trials] == ["1: scaled, adam 0.01", "2: raw, adam 0.01"]
    dashboard.settings["learning_rate"].value = 0.001
    dashboard.settings["pixels"].value = "raw"
    states = set()

    def look() -> None:
        states.add((dashboard.buttons["start"].disabled, dashboard.buttons["stop"].disabled))

    assert run(dashboard, look) > 10
    assert (True, False) in states
    assert (dashboard.buttons["start"].disabled, dashboard.buttons["stop"].disabled) == (False, True)
    assert dashboard.trials[-1].label == "3: raw, adam 0.001"
    assert len(dashboard.trials[-1].rows) == 4
    assert dashboard.live.views["charts"].png != before
    assert "3: raw, adam 0.001" in dashboard.live.views["runs"].value
    assert "done after epoch 3" in dashboard.live.views["state"].value
    first = dashboard.trials[:2]
    dashboard.buttons["clear"].click()
    assert [made.number for made in dashboard.trials] == [3]
    dashboard.trials = first


def test_stop_ends_a_run_early(dashboard: Dashboard) -> None:
    dashboard.experiment = replace(dashboard.experiment, epochs=10_000)

    def stop() -> None:
        if len(dashboard.trials) > 2 and len(dashboard.trials[-1].rows) > 2:
            dashboard.buttons["stop"].click()

    run(dashboard, stop)
    assert 2 < len(dashboard.trials[-1].rows) < 1000
    assert "stopped after epoch" in dashboard.live.views["state"].value
    run_again = len(dashboard.trials)
    dashboard.experiment = replace(dashboard.experiment, epochs=1)
    run(dashboard)
    assert len(dashboard.trials) == run_again + 1, "a stopped dashboard starts again"


def test_an_error_is_shown_in_place_and_start_works_again(dashboard: Dashboard) -> None:
    rate = dashboard.settings["learning_rate"]
    rate.options = [*rate.options, ("too high", DIVERGES)]
    rate.value, dashboard.settings["optimizer"].value = DIVERGES, "sgd"
    run(dashboard)
    assert "FloatingPointError" in dashboard.live.problem.value and 'role="alert"' in dashboard.live.problem.value
    assert "failed after epoch 0" in dashboard.live.views["state"].value
    assert not dashboard.buttons["start"].disabled
    rate.value = 0.01
    run(dashboard)
    assert dashboard.live.problem.value == ""


def test_the_oldest_run_makes_room(dashboard: Dashboard) -> None:
    dashboard.experiment = replace(dashboard.experiment, epochs=1)
    first = dashboard.trials
    dashboard.trials = 3 * first
    run(dashboard)
    assert [made.number for made in dashboard.trials] == [2, 1, 2, 1, 2, 3]
    dashboard.trials = first


def test_a_still_has_the_two_first_runs(dashboard: Dashboard) -> None:
    still = dashboard.live._repr_mimebundle_()["text/html"]
    assert "1: scaled, adam 0.01" in still and "2: raw, adam 0.01" in still
    assert 'alt="Curves of 2 runs by epoch; run 2: raw' in still
