"""The package's own architecture, read from its import statements and drawn: which part imports which."""

import ast
import textwrap
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from microx_utils.plots.canvas import draw_arrow, draw_box, figure_of, new_canvas
from microx_utils.plots.style import MUTED, WIDTH
from microx_utils.support import paths

PACKAGE = paths.ROOT / "microx_utils"
PIPELINE = "pipeline"
"""What the drawing calls the modules that lie in the package's own folder."""


@dataclass(frozen=True)
class Part:
    """A module of the package's own folder, or a folder with its modules, and the parts that it imports."""

    name: str
    modules: tuple[str, ...]
    purpose: str
    imports: frozenset[str]


def read_parts(package: Path = PACKAGE) -> dict[str, Part]:
    """Return the parts of a package by name, in alphabetical order; a part of one module has no `modules`.

    Every absolute import statement counts, those inside functions too. What is imported by name at run time, as
    `landmarks` does with a tracker, doesn't. `purpose` is the first line of a part's docstring.
    """
    found = {}
    for place in sorted(package.iterdir()):
        if place.suffix == ".py" and place.stem != "__init__":
            found[place.stem] = [place]
        elif (place / "__init__.py").is_file():
            found[place.name] = sorted(place.rglob("*.py"))  # __init__.py comes first
    parts = {}
    for name, files in found.items():
        trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
        imported = {target for tree in trees for target in _imported(tree, package.name)}
        purpose = (ast.get_docstring(trees[0]) or "").split("\n")[0]
        modules = tuple(file.stem for file in files[1:])
        parts[name] = Part(name, modules, purpose, frozenset(imported & found.keys() - {name}))
    return parts


def _imported(tree: ast.Module, package: str) -> Iterable[str]:
    """Yield the parts of a package that a module's import statements name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == package:
            yield from (each.name for each in node.names)
            continue
        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        yield from (name.split(".")[1] for name in names if name.startswith(f"{package}."))


def layers(pyproject: Path = paths.ROOT / "pyproject.toml") -> list[list[str]]:
    """Return the layers of the package that import-linter enforces, lowest first, each with the names of its parts."""
    contracts = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    rows = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[name.strip().rpartition(".")[2] for name in row.split("|")] for row in reversed(rows)]


def without_implied(imports: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """Return the imports that no chain of other imports implies (the transitive reduction).

    >>> without_implied({"c": ["a", "b"], "b": ["a"], "a": []})
    {'c': {'b'}, 'b': {'a'}, 'a': set()}
    """

    def below(name: str) -> set[str]:
        return {lower for each in imports[name] for lower in {each, *below(each)}}

    return {name: set(own) - {lower for each in own for lower in below(each)} for name, own in imports.items()}


def draw_architecture(
    parts: Mapping[str, Part] | None = None,
    order: Iterable[str] | None = None,
    *,
    title: str = "The package, drawn from its imports",
    caption: str = "An arrow points to what is imported; what a chain of arrows implies is not drawn",
) -> Figure:
    """Draw the pipeline as a row of modules, and each folder as a box one row below the lowest that it imports.

    Parameters
    ----------
    parts
        `read_parts()`, unless given. Imports that a chain of others implies are not drawn.
    order
        The names of the pipeline's modules from left to right, as in `layers()` unless given; other names are skipped.

    Raises
    ------
    ValueError
        Imports run in a circle.
    """
    parts = read_parts() if parts is None else parts
    order = [name for layer in layers() for name in layer] if order is None else order
    core = [name for name in order if name in parts and not parts[name].modules]
    folders = {name: part for name, part in parts.items() if part.modules}
    imports = {name: {PIPELINE if each in core else each for each in part.imports} for name, part in folders.items()}
    imports[PIPELINE] = {each for name in core for each in parts[name].imports} - set(core)
    depth: dict[str, int] = {}
    while len(depth) < len(imports):
        ready = [name for name in imports if name not in depth and imports[name] <= depth.keys()]
        if not ready:
            raise ValueError(f"imports run in a circle among {sorted(imports.keys() - depth.keys())}")
        depth |= {name: 1 + max((depth[each] for each in imports[name]), default=-1) for name in ready}
    rows = [[name for name in imports if depth[name] == row] for row in range(max(depth.values()) + 1)]

    texts = {}
    for row in rows:
        for name in set(row) - {PIPELINE}:
            about = textwrap.fill(folders[name].purpose, 94 // len(row))
            texts[name] = about, textwrap.fill("  ".join(folders[name].modules), 104 // len(row))
    lines = [max("\n".join(texts.get(name, "")).count("\n") + 1 for name in row) for row in rows]
    heights = [1.5 if row == [PIPELINE] else 0.36 + 0.125 * count for row, count in zip(rows, lines, strict=True)]
    gap = 0.28
    y = sum(heights) + gap * (len(rows) - 1) + 0.1
    ax = new_canvas(y + 0.6, title, caption)
    boxes: dict[str, tuple[float, float, float, float]] = {}
    for row, height in zip(rows, heights, strict=True):
        y -= height
        width = (WIDTH - 0.2 - 0.15 * (len(row) - 1)) / len(row)
        for place, name in enumerate(row):
            boxes[name] = x, _, _, _ = 0.1 + place * (width + 0.15), y, width, height
            draw_box(ax, boxes[name], "", "recurrent" if name == PIPELINE else "plain")
            heading = "the pipeline: microx_utils/" if name == PIPELINE else f"{name}/"
            ax.text(x + 0.08, y + height - 0.15, heading, va="center", fontweight="bold")
            if name != PIPELINE:
                about, modules = texts[name]
                ax.text(x + 0.08, y + height - 0.26, about, va="top", fontsize=7.5)
                ax.text(x + 0.08, y + 0.07, modules, va="bottom", fontsize=6.5, color=MUTED)
        y -= gap
    _draw_pipeline(ax, boxes[PIPELINE], {name: parts[name].imports & set(core) for name in core})
    for name, targets in without_implied(imports).items():
        left, bottom, width, height = boxes[name]
        for target in targets:
            x, below, wide, _ = boxes[target]
            low, high = max(left, x), min(left + width, x + wide)
            over = (low + high) / 2  # straight up, where one lies above the other
            start, end = (over, over) if low < high else (left + width - 0.1, x + 0.1) if x > left else (left, x + wide)
            draw_arrow(ax, (start, bottom + height), (end, below), behind=True)
    return figure_of(ax)


def _draw_pipeline(ax: Axes, box: tuple[float, float, float, float], imports: Mapping[str, Iterable[str]]) -> None:
    """Draw the modules in a row, as wide as their names, and an arc from each to those that it imports."""
    left, bottom, width, _ = box
    space = (width - 0.16 - 0.06 * (len(imports) - 1) - 0.1 * len(imports)) / sum(map(len, imports))
    middles, x = {}, left + 0.08
    for name in imports:
        wide = 0.1 + space * len(name)
        draw_box(ax, (x, bottom + 0.1, wide, 0.26), "", "input")
        ax.text(x + wide / 2, bottom + 0.2, name, ha="center", fontsize=7)  # on one baseline
        middles[name] = x + wide / 2
        x += wide + 0.06
    for name, targets in without_implied(imports).items():
        for target in targets:
            start, end = middles[name] - 0.06, middles[target] + 0.06
            bend = 0.25 + 0.12 / (start - end)
            look = {"arrowstyle": "-|>,head_width=0.1,head_length=0.2", "color": "#0077bb", "linewidth": 0.9}
            look |= {"connectionstyle": f"arc3,rad={bend:.3f}", "shrinkA": 0, "shrinkB": 0}
            ax.annotate("", (end, bottom + 0.36), xytext=(start, bottom + 0.36), arrowprops=look)
