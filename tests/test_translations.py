"""Translated notebooks in lang/: other words, the same code cells, ids and tags, in the same order."""

from pathlib import Path

import nbformat
import pytest

from microx_utils.support import paths

LANG = paths.ROOT / "lang"
TRANSLATIONS = sorted(LANG.glob("*/*.ipynb"))


def drifted(original: nbformat.NotebookNode, translated: nbformat.NotebookNode) -> list[str]:
    """Return the ids of cells that a translation lacks, has in addition, or has with other code or tags."""

    def essence(notebook: nbformat.NotebookNode) -> list[tuple[str, str, tuple[str, ...], str]]:
        return [
            (cell.id, cell.cell_type, tuple(cell.metadata.get("tags", [])), cell.source * (cell.cell_type == "code"))
            for cell in notebook.cells
        ]

    ours, theirs = essence(original), essence(translated)
    if [cell[0] for cell in ours] != [cell[0] for cell in theirs]:
        here, there = {cell[0] for cell in ours}, {cell[0] for cell in theirs}
        return sorted(here ^ there) or ["the order of the cells"]
    return [one[0] for one, other in zip(ours, theirs, strict=True) if one != other]


@pytest.mark.parametrize("path", TRANSLATIONS, ids=lambda path: f"{path.parent.name}-{path.stem[:2]}")
def test_a_translation_changes_words_alone(path: Path) -> None:
    original = nbformat.read(paths.NOTEBOOKS / path.name, as_version=4)
    assert drifted(original, nbformat.read(path, as_version=4)) == [], f"bring {path.name} in line with notebooks/"


def test_drift_is_named_by_its_cell() -> None:
    original = nbformat.read(paths.NOTEBOOKS / "03_segments_and_splits.ipynb", as_version=4)

    def changed() -> nbformat.NotebookNode:
        return nbformat.from_dict(original)

    words = changed()
    for cell in words.cells:
        if cell.cell_type == "markdown":
            cell.source = "In anderen Worten."
    assert drifted(original, words) == []
    code = changed()
    next(cell for cell in code.cells if cell.id == "cell-07").source += "\nprint()"
    assert drifted(original, code) == ["cell-07"]
    tags = changed()
    next(cell for cell in tags.cells if cell.id == "cell-21").metadata.tags = []
    assert drifted(original, tags) == ["cell-21"]
    gone = changed()
    gone.cells = [cell for cell in gone.cells if cell.id != "cell-10"]
    assert drifted(original, gone) == ["cell-10"]
    order = changed()
    order.cells.append(order.cells.pop(1))
    assert drifted(original, order) == ["the order of the cells"]
