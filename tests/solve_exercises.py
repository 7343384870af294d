"""Run only those cells of notebooks that their exercises need, then blank, right and wrong answers to each.

By hand: `MICROX_PROCESSED=/tmp/cache python tests/solve_exercises.py 00 06`.
"""

import ast
import builtins
import contextlib
import json
import symtable
import sys
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from microx_utils.course.exercises import BEGIN, blank_answer, fill_in, tags
from microx_utils.course.outline import load_course
from microx_utils.support import paths

WRONG_ANSWERS = Path(__file__).with_name("wrong_answers")
GIVEN = {"profile": "smoke", "data": "sample", "seed": 0}


@dataclass(frozen=True)
class Exercise:
    """A solution cell and its check, and the wrong answers to it by what the check must say to them."""

    notebook: str
    name: str
    solution: NotebookNode
    check: NotebookNode
    wrong: dict[str, str]


@dataclass(frozen=True)
class Answered:
    """A check's verdict on one answer: "blank", "right", or what it must say about a wrong one."""

    notebook: str
    exercise: str
    answer: str
    state: str
    message: str


@dataclass
class Names:
    """What a cell reads, what it makes, and what it changes in place."""

    read: set[str] = field(default_factory=set)
    made: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)


def names_of(source: str) -> Names:
    """Return the names that a cell reads, makes and changes."""
    found = Names()
    scopes = [symtable.symtable(source, "cell", "exec")]
    for scope in scopes:
        scopes += scope.get_children()
        for symbol in scope.get_symbols():
            if scope is scopes[0] and (symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()):
                found.made.add(symbol.get_name())
            if symbol.is_referenced() and (scope is scopes[0] or symbol.is_global()):
                found.read.add(symbol.get_name())
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.changed.add(_root(node))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            found.changed.add(_root(node.value.func))  # table.insert(...), model.compile(...)
    return found


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def exercises_of(notebook: str) -> list[Exercise]:
    """Return a notebook's exercises that ask for code, in their order."""
    cells = read_cells(notebook)
    path = WRONG_ANSWERS / f"{notebook}.toml"
    wrong = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    found = []
    for place, cell in enumerate(cells):
        if "solution" in tags(cell) and BEGIN in cell.source:
            check = next(each for each in cells[place + 1 :] if "check" in tags(each))
            name = check_name(check.source)
            found.append(Exercise(notebook, name, cell, check, wrong.pop(name, {})))
    if wrong:
        raise ValueError(f"{path.name}: {notebook} has no exercise {list(wrong)}")
    return found


def check_name(source: str) -> str:
    """Return the name of the function that a check cell calls, such as "fear_scores"."""
    last = ast.parse(source).body[-1]
    if not (isinstance(last, ast.Expr) and isinstance(last.value, ast.Call)):
        raise ValueError(f"a check cell ends in the call of its check, not in {ast.unparse(last)!r}")
    return ast.unparse(last.value.func).removeprefix("checks.")


def read_cells(notebook: str) -> list[NotebookNode]:
    """Return a notebook's cells."""
    return nbformat.read(paths.NOTEBOOKS / f"{notebook}.ipynb", as_version=4).cells


def needed_cells(cells: list[NotebookNode], exercises: list[Exercise]) -> set[str]:
    """Return the ids of the cells, exercises aside, that make what the exercises' cells and wrong answers read."""
    mine = {each.id for exercise in exercises for each in (exercise.solution, exercise.check)}
    wanted: set[str] = set()
    chosen: set[str] = set()
    imported = {name for cell in cells if cell.cell_type == "code" for name in _imports(cell.source)}
    for cell in reversed([cell for cell in cells if cell.cell_type == "code"]):
        names = names_of(cell.source)
        if cell.id in mine:
            wanted |= names.read
            codes = [code for each in exercises if each.solution.id == cell.id for code in each.wrong.values()]
            wanted |= {name for code in codes for name in names_of("def f():\n" + _indented(code)).read}
        elif wanted & (names.made | names.changed - imported - {"lesson"}):
            chosen.add(cell.id)
            wanted = (wanted - names.made) | names.read
    return chosen


def _indented(code: str) -> str:
    return "\n".join(f"    {line}" for line in code.splitlines())


def _imports(source: str) -> set[str]:
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {(alias.asname or alias.name).split(".")[0] for node in nodes for alias in node.names}


def evaluate(source: str, namespace: dict[str, Any], name: str) -> Any:
    """Run a cell, and return the value of its last line, if that is an expression."""
    tree = ast.parse(source, filename=name)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), namespace)
    return eval(compile(ast.Expression(last.value), name, "eval"), namespace) if isinstance(last, ast.Expr) else None


def answer_all(notebook: str) -> list[Answered]:
    """Return what a notebook's checks say to no answer, to the right one and to each wrong one."""
    cells, exercises = read_cells(notebook), exercises_of(notebook)
    chosen = needed_cells(cells, exercises)
    by_solution = {each.solution.id: each for each in exercises}
    namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins, "display": lambda *shown: None}
    answered = []
    for cell in cells:
        if "parameters" in tags(cell):
            namespace |= GIVEN
        elif cell.id in chosen:
            print(f"{notebook} {cell.id}", file=sys.stderr, flush=True)
            evaluate(cell.source, namespace, f"{notebook} {cell.id}")
        elif cell.id in by_solution:
            each = by_solution[cell.id]
            answers = {"blank": blank_answer(cell.source, each.check.source), "right": cell.source}
            answers |= {says: fill_in(cell.source, code) for says, code in each.wrong.items()}
            for what, source in answers.items():
                print(f"{notebook} {each.name}: {what}", file=sys.stderr, flush=True)
                tried = dict(namespace)
                evaluate(source, tried, f"{each.name}, {what}")
                verdict = evaluate(each.check.source, tried, f"check of {each.name}")
                answered.append(Answered(notebook, each.name, what, verdict.state, verdict.message))
    return answered


if __name__ == "__main__":
    chosen_notebooks = load_course().select(",".join(sys.argv[1:]) or None)
    with contextlib.redirect_stdout(sys.stderr):  # what the cells print
        rows = [row for entry in chosen_notebooks for row in answer_all(entry.id)]
    print(json.dumps([asdict(row) for row in rows], indent=1))
