"""Run one function over many inputs: in processes with a progress bar, or in threads that an interrupt ends."""

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from joblib import Parallel, delayed
from tqdm import tqdm

T = TypeVar("T")
R = TypeVar("R")


def run_parallel(
    function: Callable[..., Any], calls: Sequence[tuple], *, desc: str, unit: str = "clip", jobs: int | None = None
) -> list[Any]:
    """Return `[function(*call) for call in calls]`, computed by `jobs` processes (None: one for each processor).

    The first exception that a call raises ends the run and is raised here.
    """
    jobs = min(jobs or os.cpu_count() or 1, len(calls))
    bar = tqdm(total=len(calls), desc=desc, unit=unit, mininterval=1.0)
    if jobs <= 1:
        results = []
        with bar:
            for call in calls:
                results.append(function(*call))
                bar.update()
        return results
    # a generator, so that the bar moves as results arrive
    arriving = Parallel(n_jobs=jobs, return_as="generator")(delayed(function)(*call) for call in calls)
    results = []
    with bar:
        for result in arriving:
            results.append(result)
            bar.update()
    return results


def start_each(function: Callable[[T], R], items: Sequence[T], jobs: int) -> list[Future[R]]:
    """Call `function` for every item in order, in `jobs` threads; return the results to come, in order.

    Nothing waits for these threads, so an interrupted program ends at once, and processes that watch it, such as
    Jupyter's kernels, end with it. An exception is kept in the item's result; after it no further item is begun.
    """
    futures: list[Future[R]] = [Future() for _ in items]
    waiting = deque(zip(items, futures, strict=True))

    def work() -> None:
        while waiting:
            try:
                item, future = waiting.popleft()
            except IndexError:  # another thread was faster
                return
            try:
                future.set_result(function(item))
            except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
                waiting.clear()
                future.set_exception(error)

    for _ in range(min(jobs, len(items))):
        threading.Thread(target=work, daemon=True).start()
    return futures
