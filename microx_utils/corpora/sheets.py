"""Annotation sheets as people keep them: the table may begin anywhere near the top of any sheet, with merged cells."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from openpyxl import load_workbook

from microx_utils.support.errors import DataError
from microx_utils.support.names import folded

SEARCHED_ROWS = 20
"""How far down a sheet its table's line of names is looked for."""
MOST_CELLS = 5_000_000
"""Even a table in whole columns of a sheet has fewer; each costs time and memory."""


def read_sheet(path: Path, wanted: Sequence[str]) -> pd.DataFrame:
    """Return the table of an Excel workbook whose line of names holds all of `wanted`, in any case.

    The first such sheet counts. A merged cell's value holds for each of its rows and columns.

    Returns
    -------
    DataFrame
        One row per line below the names, dtype object. Columns are called as in `wanted`, the others as in the sheet.

    Raises
    ------
    DataError
        The workbook can't be opened, a sheet spans too many cells, or none has such a line.
    """
    try:
        book = load_workbook(path, data_only=True)
    except Exception as error:
        problem = f"not readable as an Excel sheet ({error})"
        raise DataError(path, problem, "Copy it again from the archive.") from error
    names = {folded(name): name for name in wanted}
    seen = []
    for sheet in book.worksheets:
        if sheet.max_row * sheet.max_column > MOST_CELLS:
            problem = f"its sheet {sheet.title!r} spans {sheet.max_row:,} rows and {sheet.max_column:,} columns"
            raise DataError(path, problem, "Delete the rows and columns outside of its table, a stray cell perhaps.")
        rows = _filled(sheet)
        for place, row in enumerate(rows[:SEARCHED_ROWS]):
            columns = [names.get(folded(cell), str(cell).strip()) for cell in row]
            if all(columns.count(name) == 1 for name in wanted):
                return pd.DataFrame(rows[place + 1 :], columns=columns, dtype=object)
        seen.append(f"{sheet.title!r} begins with {_words(rows)}")
    problem = f"has no row with the names {list(wanted)} near its top: sheet {'; sheet '.join(seen)}"
    raise DataError(path, problem, "Use the sheet of the archive, with its line of names.")


def _filled(sheet: Any) -> list[list[Any]]:
    """Return a sheet's values, merged cells filled with their value."""
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    for merged in sheet.merged_cells.ranges:
        value = sheet.cell(merged.min_row, merged.min_col).value
        for row in rows[merged.min_row - 1 : merged.max_row]:
            row[merged.min_col - 1 : merged.max_col] = [value] * (merged.max_col - merged.min_col + 1)
    return rows


def _words(rows: Iterable[Sequence[Any]]) -> str:
    first = next((row for row in rows if any(cell is not None for cell in row)), [])
    return str([cell for cell in first if cell is not None][:8]) if first else "nothing"
