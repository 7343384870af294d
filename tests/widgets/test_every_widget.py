"""Every widget of course.toml has its parts: function, tests, screenshot and place."""

import ast
import importlib
import inspect

import cv2
import nbformat
import pytest

from microx_utils.course.outline import Widget, load_course
from microx_utils.support import paths

COURSE = load_course()


@pytest.fixture(params=COURSE.widgets, ids=lambda widget: widget.id)
def widget(request: pytest.FixtureRequest) -> Widget:
    return request.param


def test_it_is_the_function_that_its_module_is_named_after(widget: Widget) -> None:
    assert inspect.isfunction(getattr(importlib.import_module(f"microx_utils.widgets.{widget.id}"), widget.id))


def test_it_has_a_unit_test_and_a_browser_test_that_takes_its_picture(widget: Widget) -> None:
    assert (paths.ROOT / "tests" / "widgets" / f"test_{widget.id}.py").is_file()
    photographed = f'.screenshot("{widget.id}")'
    texts = [path.read_text(encoding="utf-8") for path in (paths.ROOT / "tests" / "browser").glob("test_*.py")]
    assert sum(photographed in text and f'"{widget.title}"' in text for text in texts) == 1


def test_its_screenshot_is_in_the_gallery(widget: Widget) -> None:
    picture = cv2.imread(str(paths.FIGURES / widget.screenshot))
    assert picture is not None, f"make test-browser SCREENSHOTS=1 writes figures/{widget.screenshot}"
    assert 400 <= picture.shape[1] <= 1280
    assert f"({widget.screenshot})" in (paths.FIGURES / "README.md").read_text(encoding="utf-8"), "run `microx gallery`"


def test_the_notebooks_named_call_it_and_no_others(widget: Widget) -> None:
    """A widget stands as the last expression of its cell; what does not end a cell is not shown."""
    callers = []
    for entry in COURSE.notebooks:
        cells = nbformat.read(paths.NOTEBOOKS / f"{entry.id}.ipynb", as_version=4).cells
        last = [ast.parse(cell.source).body[-1:] for cell in cells if cell.cell_type == "code"]
        if any(isinstance(node, ast.Expr) and _calls(node, widget.id) for (node,) in filter(None, last)):
            callers.append(entry.id)
    assert callers == list(widget.notebooks)


def _calls(node: ast.Expr, name: str) -> bool:
    return isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == name
