"""What the scripts of `benchmarks/` share: work timed in turns, medians and spread, and where it was measured.

Other programs on a machine slow everything down, and a faster machine speeds everything up. So the cases of a benchmark
are called in turns, once each in a round, beside a matrix product of a known number of operations; what is compared
from one run to another is the time in matrix products of the same round.
"""

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from microx_utils.course.records import machine
from microx_utils.support import paths
from microx_utils.support.usage import peak_memory

ROWS_VARIABLE = "MICROX_BENCH_ROWS"
"""Names the file to which `report` writes, for `microx bench`."""
SIDE = 512
PRODUCT_FLOP = 2 * SIDE**3
"""Multiplications and additions of one matrix product."""
PRODUCT = "matrix product"
"""The name of the case that `in_turns` adds."""

Seconds = tuple[float, float]
"""Of one call: processor time over all cores, and by the clock."""


@dataclass(frozen=True)
class Row:
    """One line of a benchmark: the median over its rounds, the quartiles around it, and the number of rounds.

    `products` are the same three numbers in matrix products of the same round, where more is always slower; None for
    what is not a time, such as a ratio.
    """

    name: str
    unit: str
    median: float
    low: float
    high: float
    n: int
    products: tuple[float, float, float] | None = None


def timed(work: Callable[[], object]) -> Seconds:
    """Return processor and clock seconds of one call."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.process_time() - processor, time.perf_counter() - clock


def in_turns(
    cases: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    warm_up: int = 1,
    measure: Callable[[Callable[[], object]], Seconds] = timed,
) -> dict[str, list[Seconds]]:
    """Call every case once in each round, a matrix product among them; return what each call took, by case.

    In `warm_up` rounds before, cases compile and fill caches. Each round starts with another case, so that none always
    follows the same one.
    """
    calls = {PRODUCT: matrix_product(), **cases}
    names = list(calls)
    taken: dict[str, list[Seconds]] = {name: [] for name in names}
    for turn in range(-warm_up, rounds):
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            seconds = measure(calls[name])
            if turn >= 0:
                taken[name].append(seconds)
    return taken


def matrix_product() -> Callable[[], object]:
    """Return a function that multiplies two float32 matrices of SIDE x SIDE; on one core, if NumPy may use only one."""
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(SIDE, SIDE)).astype(np.float32) for _ in range(2))
    return lambda: a @ b


def middle(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the median and the quartiles below and above it.

    >>> middle([4, 1, 2, 3, 5])
    (3.0, 2.0, 4.0)
    """
    low, median, high = np.percentile(values, [25, 50, 75])
    return float(median), float(low), float(high)


def time_row(
    name: str, taken: Mapping[str, Sequence[Seconds]], case: str, *, per: float = 1, clock: bool = False
) -> Row:
    """Return the milliseconds of a case for one of `per` things, of processor time unless `clock`."""
    return _row(name, "ms", [1000 * second / per for second in _column(taken[case], clock)], taken, case, per, clock)


def rate_row(name: str, taken: Mapping[str, Sequence[Seconds]], case: str, *, per: float, unit: str) -> Row:
    """Return how many of a case's `per` things are done in a second of processor time."""
    rates = [per / max(second, 1e-9) for second in _column(taken[case], False)]
    return _row(name, unit, rates, taken, case, per, False)


def ratio_row(name: str, taken: Mapping[str, Sequence[Seconds]], slow: str, fast: str, *, per: float = 1) -> Row:
    """Return how many times the processor time of `fast` the case `slow` took, round by round.

    `per` is the number of things that `slow` did for each of `fast`.
    """
    pairs = zip(_column(taken[slow], False), _column(taken[fast], False), strict=True)
    return Row(name, "times", *middle([a / max(b, 1e-9) / per for a, b in pairs]), len(taken[slow]))


def _column(seconds: Sequence[Seconds], clock: bool) -> list[float]:
    return [pair[clock] for pair in seconds]


def _row(
    name: str,
    unit: str,
    values: Sequence[float],
    taken: Mapping[str, Sequence[Seconds]],
    case: str,
    per: float,
    clock: bool,
) -> Row:
    pairs = zip(_column(taken[case], clock), _column(taken[PRODUCT], clock), strict=True)
    products = middle([mine / per / max(product, 1e-9) for mine, product in pairs])
    return Row(name, unit, *middle(values), len(values), products)


def processor() -> str:
    """Return the processor's model, as the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def commit(digits: int = 7) -> str:
    """Return the code's commit, with a plus sign if files differ from it; "unknown" outside a git checkout."""
    git = ["git", "-C", str(paths.ROOT)]
    try:
        name = [*git, "rev-parse", f"--short={digits}", "HEAD"]
        head = subprocess.run(name, capture_output=True, text=True, check=True)
        changes = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + "+" * bool(changes.stdout.strip())


def report(
    title: str,
    rows: Sequence[Row],
    *,
    peak: float | None = None,
    memory: Mapping[str, float] | None = None,
    **settings: Any,
) -> None:
    """Print a benchmark's rows; `microx bench` gets them with their settings, machine, commit and memory.

    `peak` is the memory that this process held at most, unless given, and `memory` that of parts by name; bytes.
    """
    print(f"{title} ({', '.join(f'{name} {value}' for name, value in settings.items())})")
    for row in rows:
        print(f"  {row.name:52} {row.median:10.4g} {row.unit:10} {row.low:.4g} to {row.high:.4g}, n {row.n}")
    if file := os.environ.get(ROWS_VARIABLE):
        document = {
            "title": title,
            "settings": settings,
            "rows": [asdict(row) for row in rows],
            "peak_memory": peak_memory() if peak is None else peak,
            "memory": memory or {},
            "machine": machine() | {"processor": processor()},
            "commit": commit(),
        }
        Path(file).write_text(json.dumps(document), encoding="utf-8")
