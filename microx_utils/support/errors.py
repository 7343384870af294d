"""The error for bad input, which names the file, what is wrong with it and what to do; and TOML files that raise it."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any


class DataError(Exception):
    """A file, folder or table that MicroX was given can't be used.

    Parameters
    ----------
    path
        The file or folder at fault.
    problem
        What was found, and what was expected.
    remedy
        What to do next, as a full sentence.
    """

    def __init__(self, path: str | PathLike[str], problem: str, remedy: str) -> None:
        super().__init__(path, problem, remedy)  # all three, so that the error survives pickling between processes
        self.path, self.problem, self.remedy = path, problem, remedy

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}. {self.remedy}"


@contextmanager
def blamed_on(path: str | PathLike[str]) -> Iterator[None]:
    """Turn a ValueError or KeyError, such as tomllib's, into a DataError about the file whose content is at fault."""
    try:
        yield
    except (ValueError, KeyError) as error:
        problem = f"entry not found: {error.args[0]}" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise DataError(path, problem, "Correct the file, or restore it with git.") from error


def read_tables(path: Path) -> dict[str, dict[str, Any]]:
    """Return the tables of a TOML file that holds nothing else. Raises DataError if it can't be read as that."""
    with blamed_on(path):
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        if loose := [name for name, table in tables.items() if not isinstance(table, dict)]:
            raise ValueError(f"{loose} are in no table: begin one above them, such as [{path.stem}]")
        return tables


def problem_of(error: Exception) -> str:
    """Return what is wrong, for a list that already names the file."""
    return error.problem if isinstance(error, DataError) else str(error)
