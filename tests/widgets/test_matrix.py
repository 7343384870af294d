"""Matrices of counts: what each cell says and how dark it is, as buttons and as a table."""

import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from microx_utils.plots.style import INK
from microx_utils.widgets.matrix import Matrix, matrix_cells, matrix_html

NAMES = ["sad", "<b>"]


@pytest.fixture
def counts() -> pd.DataFrame:
    return pd.DataFrame([[9, 1], [0, 0]], NAMES, NAMES)


def test_a_cell_says_what_it_counts(counts: pd.DataFrame) -> None:
    cells = matrix_cells(counts, unit="clips")
    assert (cells["rows"], cells["columns"]) == (NAMES, NAMES)
    assert cells["cells"][0][0]["says"] == "labelled sad, answered sad: 9 of 10 clips (90%)"
    assert cells["cells"][1][0]["says"] == "labelled <b>, answered sad: 0 of 0 clips (0%)"
    assert [[at["text"] for at in line] for line in cells["cells"]] == [["9", "1"], ["0", "0"]]


def test_a_cell_is_as_dark_as_its_share_of_the_row(counts: pd.DataFrame) -> None:
    (dark, pale), (empty, _) = matrix_cells(counts)["cells"]
    light = [sum(to_rgb(at["fill"])) for at in (dark, pale, empty)]
    assert light[0] < light[1] < light[2]
    assert (dark["ink"], pale["ink"]) == ("white", INK)


def test_a_cell_that_can_hold_nothing_is_no_button(counts: pd.DataFrame) -> None:
    possible = pd.DataFrame([[True, False], [True, True]], NAMES, NAMES)
    cell = matrix_cells(counts, row="first", column="second", possible=possible)["cells"][0][1]
    assert (cell["text"], cell["possible"], cell["says"]) == ("–", False, "first sad, second <b>: impossible")


def test_the_table_is_escaped_and_complete(counts: pd.DataFrame) -> None:
    shown = matrix_html(matrix_cells(counts))
    assert "<b>" not in shown
    assert shown.count("<td") == 4 and shown.count('scope="row"') == 2 and shown.count('scope="col"') == 2
    assert 'title="labelled sad, answered &lt;b&gt;: 1 of 10 segments (10%)"' in shown


def test_a_click_arrives_as_row_and_column(counts: pd.DataFrame) -> None:
    matrix = Matrix(cells=matrix_cells(counts))
    seen = []
    matrix.observe(lambda change: seen.append(change["new"]), "value")
    matrix.set_state({"value": [1, 0]})  # what the front end sends
    assert seen == [[1, 0]]
