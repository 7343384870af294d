"""Run one function over many inputs: in processes or on a cluster with a progress bar, or in threads.

Work on a cluster reads and writes files: every machine must see the data and data/processed under the same paths.
"""

import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from tqdm import tqdm

from microx_utils.support import lost_clips
from microx_utils.support.errors import DataError

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")
R = TypeVar("R")

PATIENCE = 60.0
"""Seconds without a result before a cluster is asked whether it has workers left; two times none is a failure."""

IN_PROCESS_VARIABLE = "MICROX_IN_PROCESS"
"""The environment variable that keeps a single job in this process, for a debugger and for tests, unprotected."""

_CLUSTER: ContextVar["Client | None"] = ContextVar("cluster", default=None)


@contextmanager
def cluster(scheduler: str | None) -> Iterator[None]:
    """Let `run_parallel` use the Dask cluster with its scheduler at this address; None is this machine's processors.

    Raises
    ------
    DataError
        The extra `dask` is not installed, nothing answers at the address, or the cluster loses its workers or
        its scheduler.
    """
    if scheduler is None:
        yield
        return
    try:
        from distributed import Client
        from distributed.client import ClosedClientError
        from distributed.comm import CommClosedError, get_address_host_port
        from distributed.scheduler import KilledWorker, NoWorkerError
    except ImportError as error:
        raise DataError(scheduler, "needs the optional extra dask", 'Install it: pip install -e ".[dask]".') from error
    try:
        host, port = get_address_host_port(scheduler)
        socket.create_connection((host, port), timeout=10).close()  # a Client that fails tries on for 20 s
        client = Client(scheduler, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        remedy = "Start one with `dask scheduler`, its workers with `dask worker ADDRESS`, and give tcp://HOST:8786."
        raise DataError(scheduler, f"no Dask scheduler answers ({error})", remedy) from error
    with client:
        if not client.nthreads():
            raise DataError(scheduler, "the scheduler has no workers", f"Start some: dask worker {scheduler}.")
        chosen = _CLUSTER.set(client)
        try:
            yield
        except (KilledWorker, NoWorkerError, CancelledError, ClosedClientError, CommClosedError) as error:
            # without its scheduler a client cancels its calls, or is closed, whichever is noticed first
            lost = "workers" if isinstance(error, KilledWorker | NoWorkerError) else "scheduler"
            remedy = "Read the logs of scheduler and workers, restart them and repeat the command: results are kept."
            raise DataError(
                scheduler, f"the cluster lost its {lost} ({type(error).__name__}: {error})", remedy
            ) from error
        finally:
            _CLUSTER.reset(chosen)


def run_parallel(
    function: Callable[..., Any],
    calls: Sequence[tuple],
    *,
    desc: str,
    unit: str = "clip",
    jobs: int | None = None,
    lost: Callable[[str], Any] | None = None,
) -> list[Any]:
    """Return `[function(*call) for call in calls]`, computed by `jobs` processes (None: one per core).

    Inside `cluster`, all of its workers compute, whatever `jobs` says. The first exception that a call raises ends the
    run and is raised here.

    Parameters
    ----------
    lost
        For calls whose first argument is a clip's path. A call whose process dies, as damaged input may crash a
        decoder, or takes longer than `lost_clips.allowed_seconds`, has the result `lost(problem)`; its clip is
        remembered and passed over by later runs. Even a single job then has a process of its own. Without `lost`, a
        process that dies ends the run with a DataError, and a single job or call runs in this process.
    """
    known = [lost_clips.remembered(str(call[0])) if lost else "" for call in calls]
    todo = [call for call, problem in zip(calls, known, strict=True) if not problem]
    client = _CLUSTER.get()
    jobs = min(jobs or os.cpu_count() or 1, len(todo))
    protected = jobs > 1 or (lost is not None and not os.environ.get(IN_PROCESS_VARIABLE))
    with tqdm(total=len(calls), initial=len(calls) - len(todo), desc=desc, unit=unit, mininterval=1.0) as bar:
        if client is not None:
            arriving: Iterator[Any] = iter(_run_on_cluster(client, function, todo, bar, lost))
        elif protected and todo:
            arriving = _run_in_processes(function, todo, jobs, lost, desc)
        else:
            arriving = (function(*call) for call in todo)
        results = []
        for problem in known:
            results.append(lost(problem) if lost and problem else next(arriving))
            if client is None and not problem:
                bar.update()
        next(arriving, None)  # lets it end
        return results


def _run_in_processes(
    function: Callable[..., Any], calls: Sequence[tuple], jobs: int, lost: Callable[[str], Any] | None, desc: str
) -> Iterator[Any]:
    """Yield the calls' results in order, as they arrive."""
    limits = [lost_clips.allowed_seconds(str(call[0])) if lost else None for call in calls]
    todo = [delayed(lost_clips.watched)(function, *pair) for pair in zip(limits, calls, strict=True)]
    pool = {"n_jobs": max(jobs, 2)}  # joblib would run a single job in this process
    done = 0
    try:
        while done < len(todo):
            try:
                for result in Parallel(**pool, return_as="generator")(todo[done : None if jobs > 1 else done + 1]):
                    yield result
                    done += 1
            except BrokenProcessPool:
                if lost is None:
                    problem = "a process died: memory ran out, or a library crashed"
                    raise DataError(desc, problem, "Close other programs, or use fewer processes.") from None
                for k in range(done, min(done + 2 * jobs, len(todo))):  # one at a time, to find which one it was
                    yield _alone(todo[k], pool, calls[k], limits[k], lost)
                    done += 1
    except KeyboardInterrupt:  # joblib would wait for what the workers still do
        get_reusable_executor(reuse=True).shutdown(wait=False, kill_workers=True)
        raise


def _alone(todo: Any, pool: dict[str, int], call: tuple, limit: float | None, lost: Callable[[str], Any]) -> Any:
    """Return a call's result, or `lost(problem)` if its process dies again."""
    try:
        return Parallel(**pool)([todo])[0]
    except BrokenProcessPool as error:
        late = limit is not None and "EXIT(1)" in str(error)  # how `watched` ends a process; a crash is a signal
        problem = lost_clips.TOO_LONG.format(minutes=limit / 60) if late and limit else lost_clips.CRASHED
        lost_clips.remember(str(call[0]), problem)
        return lost(problem)


def _run_on_cluster(
    client: "Client",
    function: Callable[..., Any],
    calls: Sequence[tuple],
    bar: tqdm,
    lost: Callable[[str], Any] | None,
) -> list[Any]:
    """Compute on a cluster. joblib's Dask backend is no use: it waits forever for a call that killed its worker."""
    from distributed.scheduler import KilledWorker, NoWorkerError

    results: list[Any] = [None] * len(calls)
    finished: SimpleQueue[Any] = SimpleQueue()
    waiting: dict[Any, tuple[int, Any]] = {}
    for place, call in enumerate(calls):
        submitted = client.submit(function, *call, pure=False)
        submitted.add_done_callback(finished.put)
        waiting[submitted.key] = place, submitted
    try:
        while waiting:
            future = None
            looks = 0
            while True:
                try:
                    future = future or finished.get(timeout=PATIENCE)
                    result = future.result(timeout=PATIENCE)  # fetched from its worker; raises what the call raised
                    break
                except KilledWorker:
                    if lost is None or future is None:
                        raise
                    lost_clips.remember(str(calls[waiting[future.key][0]][0]), lost_clips.CRASHED)
                    result = lost(lost_clips.CRASHED)
                    break
                except (Empty, TimeoutError):
                    if future is not None and future.status == "error":
                        raise
                    looks = 0 if _has_workers(client) else looks + 1
                    if looks == 2:  # the first time, a worker may just have been restarting
                        raise NoWorkerError(next(iter(waiting)), 2 * PATIENCE) from None
            place, _ = waiting.pop(future.key)  # without this reference the worker frees its result as well
            results[place] = result
            bar.update()
        return results
    finally:
        client.cancel([future for _, future in waiting.values()])


def _has_workers(client: "Client") -> bool:
    from distributed.client import ClosedClientError

    try:
        return bool(client.nthreads())
    except OSError as error:
        raise ClosedClientError(str(error)) from error


def start_each(function: Callable[[T], R], items: Sequence[T], jobs: int) -> list[Future[R]]:
    """Call `function` for every item in order, in `jobs` threads; return the futures of the results, in order.

    The threads are daemons, so an interrupted program ends at once, and processes that watch it, such as Jupyter's
    kernels, end with it. An exception is kept in the item's future; after it no further item is started.
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
