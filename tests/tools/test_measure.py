"""The arithmetic of benchmarks, with fake work and a fake clock: turns, medians, ratios. Nothing here is timed."""

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from microx_utils.models import build_compact, build_published
from microx_utils.tools import measure
from microx_utils.tools.flop import layer_flop, step_flop
from microx_utils.tools.measure import PRODUCT, in_turns, middle, rate_row, ratio_row, time_row

TAKEN: dict[str, list[measure.Seconds]] = {
    PRODUCT: [(0.01, 0.02), (0.02, 0.04), (0.01, 0.02)],
    "slow": [(0.2, 0.5), (0.4, 0.5), (0.3, 0.5)],
    "fast": [(0.1, 0.1), (0.1, 0.2), (0.1, 0.3)],
}


def test_every_case_has_its_turn_in_every_round() -> None:
    calls: list[str] = []
    counts = iter(range(100))

    def measured(work: Callable[[], object]) -> measure.Seconds:
        before = len(calls)
        work()
        if len(calls) == before:  # only the matrix product writes nothing down
            calls.append(PRODUCT)
        return float(next(counts)), 0.0

    cases = {name: lambda name=name: calls.append(name) for name in "ab"}
    taken = in_turns(cases, 3, warm_up=1, measure=measured)
    rounds = [calls[start : start + 3] for start in range(0, len(calls), 3)]
    assert [sorted(each) for each in rounds] == [sorted([PRODUCT, "a", "b"])] * 4
    assert {each[0] for each in rounds} == {PRODUCT, "a", "b"}  # another begins each round
    for name, seconds in taken.items():  # the calls are counted, and those of the first round are dropped
        assert [value for value, _ in seconds] == [k for k, call in enumerate(calls) if call == name][1:]


def test_middle_of_even_and_odd_numbers() -> None:
    assert middle([3.0]) == (3, 3, 3)
    assert middle([1, 100, 2, 3]) == pytest.approx((2.5, 1.75, 27.25))  # one bad round moves neither much


def test_times_rates_and_ratios_are_taken_round_by_round() -> None:
    row = time_row("t", TAKEN, "slow", per=10)
    assert (row.unit, row.n) == ("ms", 3)
    assert (row.median, row.low, row.high) == pytest.approx((30, 25, 35))
    assert row.products == pytest.approx((2, 2, 2.5))
    assert time_row("t", TAKEN, "slow", clock=True).median == 500
    rate = rate_row("r", TAKEN, "slow", per=60, unit="frames/s")
    assert (rate.median, rate.low, rate.high) == pytest.approx((200, 175, 250))
    assert rate.products == pytest.approx((20 / 60, 20 / 60, 25 / 60))  # a time still: more is slower
    ratio = ratio_row("f", TAKEN, "slow", "fast")
    assert (ratio.median, ratio.products) == (pytest.approx(3), None)


def test_report_prints_and_hands_over_what_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [time_row("a step", TAKEN, "slow")]
    measure.report("Steps", rows, batch=8)
    assert "Steps (batch 8)" in capsys.readouterr().out
    monkeypatch.setenv(measure.ROWS_VARIABLE, str(tmp_path / "rows.json"))
    measure.report("Steps", rows, batch=8, peak=5)
    entry = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert entry["rows"][0]["median"] == 300
    assert (entry["title"], entry["settings"], entry["peak_memory"]) == ("Steps", {"batch": 8}, 5)
    assert entry["machine"]["processor"] and entry["machine"]["cores"] and entry["commit"]


def test_matrix_product_is_as_large_as_said() -> None:
    product = measure.matrix_product()()
    assert isinstance(product, np.ndarray) and product.shape == (measure.SIDE, measure.SIDE)
    assert measure.PRODUCT_FLOP == 2 * measure.SIDE**2 * measure.SIDE


@pytest.mark.parametrize("build", [build_published, build_compact])
def test_flop_of_a_block_by_hand(build: Callable[..., keras.Model]) -> None:
    model = build(["mouth"], size=9, frames=4, filters=2, dense=5)
    side = 7 if build is build_published else 4  # (9 - 3) / stride + 1
    on_input = 2 * (3 * 3 * 3) * (4 * 2) * side**2 * 4  # multiply and add; kernel, gates, places, frames
    on_state = 2 * (3 * 3 * 2) * (4 * 2) * side**2 * 3  # the first frame has no state
    dense = 2 * (2 * side**2 * 5 + 5 * 7)
    assert layer_flop(model.get_layer("mouth_conv_lstm2d")) == (on_input, on_state)
    assert layer_flop(model.get_layer("mouth_flatten")) == (0, 0)
    assert step_flop(model) == 2 * on_input + 3 * on_state + 3 * dense
