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
    """A widget stands as the last expression of its cell; what does not end a cell is not shown.

    The cell has the tag "widget", so that a change of it leaves the figures of its notebook as they are.
    """
    callers, untagged = [], []
    for entry in COURSE.notebooks:
        cells = nbformat.read(paths.NOTEBOOKS / f"{entry.id}.ipynb", as_version=4).cells
        for cell in (cell for cell in cells if cell.cell_type == "code"):
            last = ast.parse(cell.source).body[-1:]
            if last and isinstance(last[0], ast.Expr) and _calls(last[0], widget.id):
                callers.append(entry.id)
                untagged += [cell.id] if "widget" not in cell.metadata.get("tags", []) else []
    assert list(dict.fromkeys(callers)) == list(widget.notebooks)
    assert not untagged


def _calls(node: ast.Expr, name: str) -> bool:
    return isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == name


def test_the_outline_lists_every_widget() -> None:
    """A module with a function of its own name is a widget."""
    names = [path.stem for path in (paths.ROOT / "microx_utils" / "widgets").glob("*.py")]
    modules = {name: importlib.import_module(f"microx_utils.widgets.{name}") for name in names if name != "__init__"}
    found = {name for name, module in modules.items() if inspect.isfunction(getattr(module, name, None))}
    assert found == {widget.id for widget in COURSE.widgets}
