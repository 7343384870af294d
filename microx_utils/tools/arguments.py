"""Arguments of the command line: their types, and the options that several commands share."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


def checked(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a type for argparse that reports what a ValueError says; argparse alone would drop it."""

    def converted(text: str) -> Any:
        try:
            return convert(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return converted


def seed(text: str, least: int = 0) -> int:
    """Return a whole number of at least `least`."""
    if not text.isdecimal() or int(text) < least:
        raise ValueError(f"{text!r} is not a whole number of at least {least}")
    return int(text)


def count(text: str) -> int:
    """Return a whole number of at least 1."""
    return seed(text, least=1)


def _profile(text: str) -> str:
    from microx_utils.experiments import get_profile

    return get_profile(text).name


def _tracker(text: str) -> str:
    from microx_utils.landmarks import chosen_tracker

    return chosen_tracker(text)


def actors(text: str) -> tuple[int, ...]:
    """Return the numbers of a list such as "1-3,7"."""
    from microx_utils.tools.fetch import parse_actors

    return parse_actors(text)


class Data(argparse.Action):
    """Joins repeated --data options into the one text that `corpora.data_sources` reads."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        namespace._data = [*getattr(namespace, "_data", []), values]
        namespace.data = ",".join(namespace._data)


_DATA = '"sample" (default), a folder with BAUM-1 and BAUM-2, or a corpus as NAME or NAME=FOLDER; may be repeated'
_TRACKERS = "program that finds the landmarks: mesh, openface or dlib (default: MICROX_LANDMARKS, or else mesh)"
_OUT = "folder for figures/ and build/ (default: MICROX_OUTPUT, or else the checkout)"
_OPTIONS: dict[str, dict[str, Any]] = {
    "--profile": {
        "type": checked(_profile),
        "default": "class",
        "metavar": "NAME",
        "help": "size of the run: smoke, class (default) or paper",
    },
    "--data": {"action": Data, "default": "sample", "metavar": "WHICH", "help": _DATA},
    "--landmarks": {"type": checked(_tracker), "metavar": "TRACKER", "help": _TRACKERS},
    "--jobs": {"type": checked(count), "metavar": "N", "help": "number of processes (default: one per core)"},
    "--out": {"type": Path, "metavar": "FOLDER", "help": _OUT},
    "--scheduler": {"metavar": "ADDRESS", "help": "Dask cluster, such as tcp://host:8786 (default: this machine)"},
}
"""Options that several commands share."""
RUN = ("--profile", "--data", "--landmarks")
"""Options of every command that runs something on data."""


def add_command(
    group: Any, name: str, function: Callable[[argparse.Namespace], int], text: str, *options: str
) -> argparse.ArgumentParser:
    """Add a command to a group of commands, with options of `_OPTIONS`."""
    command = group.add_parser(name, help=text, description=function.__doc__)
    command.set_defaults(function=function)
    for option in options:
        command.add_argument(option, **_OPTIONS[option])
    return command
