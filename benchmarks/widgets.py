"""Time from a control's change to the new picture as PNG bytes, for every widget of course.toml, in its notebook.

    python benchmarks/widgets.py [clip_browser ...] [--rounds 15]

Each notebook runs in the smoke profile up to the widget's cell; then one control after the other goes through its
values. Times are of the kernel's side, and of processor time over all cores: the browser takes a few milliseconds more.
The goal is 150 ms for what follows a slider while it is dragged; one marked "on release" draws only when it is let go.
"""

import argparse
import ast
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import numpy as np

from microx_utils.course.outline import Widget, load_course
from microx_utils.course.runner import run_notebook
from microx_utils.support import paths
from microx_utils.tools.measure import PRODUCT, matrix_product, report, time_row, timed
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
    """Return for each control of a widget the seconds that its changes took, and a matrix product after each.

    Raises
    ------
    RuntimeError
        A change ended in an error, which would be quick.
    """
    rows, multiply = [], matrix_product()
    for control in live.controls.values():
        values, times, products = values_of(control, changes), [], []
        for place in range(changes if len(values) > 1 else 0):
            value = values[place % len(values)]
            if value == control.value or (hasattr(control, "max") and value > control.max):
                continue
            times.append(timed(lambda control=control, value=value: setattr(control, "value", value)))
            products.append(timed(multiply))
            if live.problem.value:
                raise RuntimeError(f"{live.title}: {control.description} = {value}: {live.problem.value}")
        drags = getattr(control, "continuous_update", None)
        when = {True: "while dragging", False: "on release", None: "when chosen"}[drags]
        rows.append({"control": control.description, "drawn": when, "times": times, "products": products})
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


def times_of(widget: Widget, changes: int) -> tuple[list[dict[str, Any]], int]:
    """Run a widget's notebook up to it; return what `measure` found, and the kernel's peak memory, bytes."""
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "given.ipynb", Path(name) / "executed.ipynb"
        nbformat.write(up_to(widget, changes), source)
        failure = run_notebook(source, target, {"profile": "smoke", "data": "sample", "seed": 0})
        if failure:
            raise RuntimeError(f"{widget.id}: {failure.traceback}")
        executed = nbformat.read(target, as_version=4)
    printed = next(output.text for output in executed.cells[-1].outputs if output.get("name") == "stdout")
    return json.loads(printed), executed.metadata["papermill"].get("peak_memory", 0)


def main() -> None:
    widgets = {widget.id: widget for widget in load_course().widgets}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("widgets", nargs="*", choices=[*widgets, []], metavar="WIDGET", help="all, unless named")
    parser.add_argument("--rounds", type=int, default=15, help="changes of each control (default 15)")
    arguments = parser.parse_args()
    rows, peak = [], 0
    for name in arguments.widgets or widgets:
        print(f"{name} ...", file=sys.stderr, flush=True)
        found, memory = times_of(widgets[name], arguments.rounds)
        peak = max(peak, memory)
        for each in found:
            taken = {"change": each["times"], PRODUCT: each["products"]}
            row = time_row(f"{name}: {each['control']}, {each['drawn']}", taken, "change")
            rows.append(row)
            if row.median > GOAL and each["drawn"] == "while dragging":
                print(f"{row.name}: {row.median:.0f} ms is over the goal of {GOAL} ms")
    report("Widgets, a control's change to the new picture", rows, peak=peak, profile="smoke", changes=arguments.rounds)


if __name__ == "__main__":
    main()
