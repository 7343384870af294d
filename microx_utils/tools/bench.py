"""Run the scripts of benchmarks/, keep what they report, and say what got slower since the last commit."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from microx_utils.course import records, speed
from microx_utils.support import paths
from microx_utils.support.errors import DataError
from microx_utils.tools.measure import ROWS_VARIABLE

USUAL = ("landmarks", "render", "training", "latency", "facs_explorer", "widgets", "notebooks")
"""The benchmarks that run unless some are named, quick ones first."""
ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)  # the matrix product runs on one core


def run_script(name: str, options: Sequence[str] = ()) -> dict[str, Any]:
    """Run a benchmark in a process of its own; return what it reported.

    Raises
    ------
    DataError
        It failed.
    """
    script = paths.ROOT / "benchmarks" / f"{name}.py"
    with tempfile.TemporaryDirectory(prefix="microx-bench-") as folder:
        file = Path(folder) / "rows.json"
        environment = os.environ | ONE_THREAD | {ROWS_VARIABLE: str(file)}
        code = subprocess.run([sys.executable, str(script), *options], env=environment).returncode
        if code or not file.exists():
            raise DataError(script, f"ended with exit code {code}", "Its message is above; run it alone for more.")
        return json.loads(file.read_text(encoding="utf-8"))


def committed_results() -> dict[str, Any]:
    """Return the entries of results.json as last committed; {} if there are none, or git can't tell."""
    place = speed.RESULTS.relative_to(paths.ROOT).as_posix()
    try:
        shown = subprocess.run(["git", "-C", str(paths.ROOT), "show", f"HEAD:{place}"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return json.loads(shown.stdout)["benchmarks"]


def bench(names: Sequence[str], *, profile: str = "smoke", say: Callable[[str], None] = print) -> None:
    """Run benchmarks, put what they report into results.json, and say what got slower.

    `profile` is that of the notebooks. Each is kept as soon as it has run; entries of others stay.

    Raises
    ------
    DataError
        A name is not one of USUAL, or a benchmark fails.
    """
    for name in names:
        if name not in USUAL:
            raise DataError(name, "is no benchmark", f"Choose from {', '.join(USUAL)}.")
    before, measured = committed_results(), {}
    for name in names:
        say(f"benchmark {name}")
        measured[name] = run_script(name, ["--profile", profile] if name == "notebooks" else [])
        with records.updating(speed.RESULTS) as document:
            entries = document.get("benchmarks", {}) | {name: measured[name]}
            document["benchmarks"] = {each: entries[each] for each in USUAL if each in entries}
    say("\nBeside the last committed results:")
    for line in speed.compare(measured, before):
        say(f"  {line}")
