"""The drawing of the package: read from its imports, in the order that the contract on imports enforces."""

from pathlib import Path

import pytest
from figure_checks import check_text, drawn, styled, texts

from microx_utils.course.architecture import draw_architecture, layers, read_parts
from microx_utils.support import paths

PACKAGE = paths.ROOT / "microx_utils"
ORDER = [name for layer in layers() for name in layer]


def make_package(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / "pack" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "pack"


def test_every_kind_of_import_is_found(tmp_path: Path) -> None:
    files = {
        "__init__.py": "from pack import top",
        "low.py": '"""Lowest."""',
        "middle.py": "from pack import low as other\nimport numpy.low",
        "top.py": "def late():\n    import pack.room.inner",
        "room/__init__.py": '"""A room.\n\nMore of it.\n"""',
        "room/inner.py": "from pack.middle import something\nfrom pack.room import outer\nfrom .outer import low",
        "room/outer.py": "",
        "data/numbers.py": "from pack import low",  # no package: it has no __init__.py
    }
    parts = read_parts(make_package(tmp_path, files))
    imports = {name: set(part.imports) for name, part in parts.items()}
    assert imports == {"low": set(), "middle": {"low"}, "top": {"room"}, "room": {"middle"}}
    assert parts["room"].modules == ("inner", "outer")
    assert (parts["low"].purpose, parts["room"].purpose, parts["top"].purpose) == ("Lowest.", "A room.", "")


def test_our_parts_are_those_of_the_contract_and_import_downwards() -> None:
    parts = read_parts()
    assert sorted(parts) == sorted(ORDER)
    level = {name: place for place, layer in enumerate(layers()) for name in layer}
    upwards = [(name, each) for name, part in parts.items() for each in part.imports if level[each] >= level[name]]
    assert upwards == []
    assert all(part.purpose for part in parts.values())


def test_drawing_names_every_part() -> None:
    parts = read_parts()
    with styled():
        figure = drawn(draw_architecture())
        check_text(figure)
        written = " ".join(texts(figure))
    assert [name for name in [*parts, *parts["faces"].modules] if name not in written] == []


def test_drawing_shows_an_import_and_not_what_it_implies(tmp_path: Path) -> None:
    def arrows(source: str) -> int:
        files = {"low.py": "", "room/__init__.py": "import pack.low", "room/one.py": "", "over/two.py": source}
        parts = read_parts(make_package(tmp_path, files | {"over/__init__.py": ""}))
        with styled():
            figure = drawn(draw_architecture(parts, ["low"]))
            return sum(getattr(each, "arrow_patch", None) is not None for each in figure.axes[0].texts)

    assert arrows("") == 1
    assert arrows("from pack import low, room") == 2  # low is implied


def test_a_pipeline_that_imports_what_imports_it_is_refused(tmp_path: Path) -> None:
    files = {"low.py": "import pack.room", "room/__init__.py": "import pack.low", "room/one.py": ""}
    parts = read_parts(make_package(tmp_path, files))
    with styled(), pytest.raises(ValueError, match="circle"):
        draw_architecture(parts, ["low"])


def test_modules_stay_short_and_the_pipeline_is_read_in_an_hour() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {path.name: count for path, count in lines.items() if count > 400} == {}
    assert sum(count for path, count in lines.items() if path.parent == PACKAGE) <= 3000
