"""Run one function over many inputs in several processes, with one progress bar."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from joblib import Parallel, delayed
from tqdm import tqdm


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
