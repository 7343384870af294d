"""Run one function over many inputs: in processes or on a cluster with a progress bar, or in threads.

What runs on a cluster works on files: every machine has to see the data and data/processed under the same paths.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from joblib import Parallel, delayed, parallel_config
from tqdm import tqdm

from microx_utils.errors import DataError

T = TypeVar("T")
R = TypeVar("R")

_CLUSTER: ContextVar[str] = ContextVar("cluster", default="")


@contextmanager
def cluster(scheduler: str | None) -> Iterator[None]:
    """Let `run_parallel` use the Dask cluster whose scheduler is at an address; with None, this machine's processors.

    Raises
    ------
    DataError
        The extra `dask` is not installed, or nothing answers at the address.
    """
    if scheduler is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise DataError(scheduler, "needs the optional extra dask", 'Install it: pip install -e ".[dask]".') from error
    try:
        client = Client(scheduler, timeout=10, set_as_default=True)
    except (OSError, ValueError) as error:
        remedy = "Start one with `dask scheduler`, its workers with `dask worker ADDRESS`, and give tcp://HOST:8786."
        raise DataError(scheduler, f"no Dask scheduler answers ({error})", remedy) from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise DataError(scheduler, "the scheduler has no workers", f"Start some: dask worker {scheduler}.")
        chosen = _CLUSTER.set(scheduler)
        try:
            with parallel_config(backend="dask"):
                yield
        finally:
            _CLUSTER.reset(chosen)


def run_parallel(
    function: Callable[..., Any], calls: Sequence[tuple], *, desc: str, unit: str = "clip", jobs: int | None = None
) -> list[Any]:
    """Return `[function(*call) for call in calls]`, computed by `jobs` processes (None: one for each processor).

    Inside `cluster` its workers compute, all of them, whatever `jobs` says. The first exception that a call raises ends
    the run and is raised here.
    """
    jobs = -1 if _CLUSTER.get() and calls else min(jobs or os.cpu_count() or 1, len(calls))
    bar = tqdm(total=len(calls), desc=desc, unit=unit, mininterval=1.0)
    if 0 <= jobs <= 1:
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
