"""Processor time and memory of every notebook in `microx figures`, with empty caches and again.

    python benchmarks/notebooks.py [--profile smoke] [--only 03,06]

`--profile class` takes about an hour. Times are those that the run itself notes in times.json, over all cores: by the
clock they would say what else the machine did. Caches and figures go to a temporary folder.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from microx_utils.course.outline import load_course
from microx_utils.course.records import read_json, run_name
from microx_utils.tools.measure import PRODUCT, Row, in_turns, report


def run(folder: Path, options: list[str]) -> None:
    """Run `microx figures` with caches and figures in a folder."""
    kept = {"MICROX_PROCESSED": str(folder / "processed"), "MICROX_OUTPUT": str(folder / "output")}
    command = [sys.executable, "-m", "microx_utils.tools.cli", "figures", *options]
    subprocess.run(command, env=os.environ | kept, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="smoke", help="smoke (default) or class")
    parser.add_argument("--only", default="", metavar="03,06", help="only these notebooks")
    arguments = parser.parse_args()
    product = sorted(seconds for seconds, _ in in_turns({}, 15)[PRODUCT])[7]
    options = ["--profile", arguments.profile, *(["--only", arguments.only] if arguments.only else [])]
    used: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="microx-bench-") as name:
        for state in ("cold", "warm"):
            run(Path(name), options)
            file = Path(name) / "output" / "build" / "notebooks" / run_name(arguments.profile, "sample") / "times.json"
            used[state] = read_json(file)["notebooks"]
    rows, memory = [], {}
    for notebook in load_course().select(arguments.only or None):
        memory[notebook.id] = max(used[state][notebook.id]["peak_memory"] for state in used)
        for state, rows_of in used.items():
            seconds = rows_of[notebook.id]["processor_seconds"]
            rows.append(Row(f"{notebook.id}, {state}", "s", seconds, seconds, seconds, 1, (seconds / product,) * 3))
    for state in used:
        seconds = sum(row.median for row in rows if row.name.endswith(f", {state}"))
        rows.append(Row(f"all of them, {state}", "s", seconds, seconds, seconds, 1, (seconds / product,) * 3))
    memory["all of them"] = max(memory.values())
    settings = {"profile": arguments.profile, "only": arguments.only or "all"}
    report(f"Notebooks, profile `{arguments.profile}`", rows, peak=memory["all of them"], **settings, memory=memory)


if __name__ == "__main__":
    main()
