"""Time from a control's change to the new picture as PNG bytes, for every widget of course.toml, in its notebook.

    python benchmarks/widgets.py [clip_browser ...] [--changes 30]

Each notebook runs in the smoke profile up to the widget's cell; then one control after the other goes through its
values. Times are of the kernel's side: the browser takes a few milliseconds more. The goal is 150 ms for what follows a
slider while it is dragged; one marked "on release" draws only when it is let go.
"""

import argparse
import ast
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd

from microx_utils.course.outline import Widget, load_course
from microx_utils.course.runner import run_notebook
from microx_utils.support import paths
from microx_utils.widgets.facs_explorer import Sides
from microx_utils.widgets.live import Live

GOAL = 150


def values_of(control: Any, count: int) -> list[Any]:
    """Return what a slider, a menu or a tick box can be set to, at most `count` of a slider; [] for other controls.

    The two sides of an action unit are moved as one.
    """
    if isinstance(control, Sides):
        return [(float(value), float(value)) for value in np.linspace(0, 1, count)]
    if hasattr(control, "step") and hasattr(control, "max"):
        steps = np.linspace(0, (control.max - control.min) / control.step, count).round()
        return [type(control.value)(control.min + control.step * step) for step in dict.fromkeys(steps.tolist())]
    if isinstance(control.value, bool):
        return [not control.value, control.value]
    return [value for _, value in getattr(control, "_options_full", [])]


def measure(live: Live, changes: int) -> list[dict[str, Any]]:
    """Return for each control of a widget the milliseconds that its changes took.

    Raises
    ------
    RuntimeError
        A change ended in an error, which would be quick.
    """
    rows = []
    for control in live.controls.values():
        values, times = values_of(control, changes), []
        for place in range(changes if len(values) > 1 else 0):
            value = values[place % len(values)]
            if value == control.value or (hasattr(control, "max") and value > control.max):
                continue
            start = time.perf_counter()
            control.value = value
            times.append(1000 * (time.perf_counter() - start))
            if live.problem.value:
                raise RuntimeError(f"{live.title}: {control.description} = {value}: {live.problem.value}")
        drags = getattr(control, "continuous_update", None)
        when = {True: "while dragging", False: "on release", None: "when chosen"}[drags]
        rows.append({"control": control.description, "drawn": when, "times": times})
    return [row for row in rows if row["times"]]


def up_to(widget: Widget, changes: int) -> nbformat.NotebookNode:
    """Return the first notebook of a widget up to the cell that shows it, which measures it instead."""
    notebook = nbformat.read(paths.NOTEBOOKS / f"{widget.notebooks[0]}.ipynb", as_version=4)
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and f"{widget.id}(" in cell.source:
            *before, last = ast.parse(cell.source).body
            here = str(Path(__file__).parent)
            lines = [*map(ast.unparse, before), f"import json, sys; sys.path.insert(0, {here!r})"]
            lines += ["from widgets import measure", f"print(json.dumps(measure({ast.unparse(last)}, {changes})))"]
            cell.source = "\n".join(lines)
            return nbformat.from_dict({**notebook, "cells": notebook.cells[: place + 1]})
    raise ValueError(f"{widget.notebooks[0]} does not call {widget.id}")


def times_of(widget: Widget, changes: int) -> list[dict[str, Any]]:
    """Run a widget's notebook up to it; return what `measure` found."""
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "given.ipynb", Path(name) / "executed.ipynb"
        nbformat.write(up_to(widget, changes), source)
        failure = run_notebook(source, target, {"profile": "smoke", "data": "sample", "seed": 0})
        if failure:
            raise RuntimeError(f"{widget.id}: {failure.traceback}")
        outputs = nbformat.read(target, as_version=4).cells[-1].outputs
    return json.loads(next(output.text for output in outputs if output.get("name") == "stdout"))


def main() -> None:
    widgets = {widget.id: widget for widget in load_course().widgets}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("widgets", nargs="*", choices=[*widgets, []], metavar="WIDGET", help="all, unless named")
    parser.add_argument("--changes", type=int, default=30)
    arguments = parser.parse_args()
    rows = []
    for name in arguments.widgets or widgets:
        print(f"{name} ...", file=sys.stderr, flush=True)
        for row in times_of(widgets[name], arguments.changes):
            median, slow = np.percentile(row["times"], [50, 95]).round(1)
            late = "over the goal" if median > GOAL and row["drawn"] == "while dragging" else ""
            names = {"widget": name, "control": row["control"], "drawn": row["drawn"], "changes": len(row["times"])}
            rows.append(names | {"median ms": median, "95 % ms": slow, "": late})
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
