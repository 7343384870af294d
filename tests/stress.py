"""Harm files and kill runs, thousands of times: nothing may come out wrong without a word.

    make stress [TIMES=5000] [SEED=0] [ONLY="landmark table"]
    python tests/stress.py --times 5000 --seed 0 [--only KIND] [--trial N]

Each trial takes a good input or a finished result, harms it at random and has the project read it. It survives if the
result is that of the unharmed input, or what the harmed file now plainly says, or if it is refused by an error that
names the file and a remedy, left out with a reason, or made again. Anything else fails: a wrong result without a word,
an error that doesn't say what to do, and what takes too long. A failure prints the command that repeats its trial.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from tqdm import tqdm

from microx_utils.support.errors import DataError

SHOWN = 10
"""Failures of a kind that are printed in full."""


class WrongResult(Exception):
    """A result is wrong, and nothing said so."""


class Kind(Protocol):
    """One kind of input or result, and one way to harm it.

    Attributes
    ----------
    name
        As in the table and for --only.
    share
        Of all trials.
    longest
        Seconds that a trial may take, on a busy machine.
    """

    name: str
    share: float
    longest: float

    def prepare(self, folder: Path) -> None:
        """Make what all trials need, in a folder that they leave alone."""

    def attempt(self, rng: np.random.Generator, folder: Path) -> str:
        """Do one trial in an empty folder, and return in a word how it was survived.

        Raises WrongResult for a wrong result, and whatever the project raises.
        """


@dataclass
class Tally:
    """What became of the trials of one kind."""

    tried: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)

    @property
    def survived(self) -> int:
        return self.tried - len(self.failures)


def fault_of(error: Exception, folder: Path) -> str:
    """Return what is wrong about an error itself: "" if it names a file and a remedy."""
    if not isinstance(error, DataError):
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} in {Path(where.filename).name}, line {where.lineno}: {str(error)[:300]}"
    if not error.remedy.strip() or not error.problem.strip():
        return f"an error without a remedy: {error}"
    named = [path.name for path in folder.rglob("*") if path.name in str(error.path)]
    return "" if named or str(folder) in str(error.path) else f"an error that names no file of the trial: {error}"


def run_trial(kind: Kind, seed: int, number: int, folder: Path) -> tuple[str, str]:
    """Return (outcome, failure) of one trial; one of them is empty."""
    rng = np.random.default_rng([seed, *kind.name.encode(), number])
    started = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome, failure = kind.attempt(rng, folder), ""
    except WrongResult as error:
        outcome, failure = "", f"silently wrong: {error}"
    except Exception as error:  # noqa: BLE001 - whatever the project raises is looked at
        failure = fault_of(error, folder)
        outcome = "" if failure else "refused"
    seconds = time.monotonic() - started
    if seconds > kind.longest:
        outcome, failure = "", failure or f"took {seconds:.0f} s"
    return outcome, failure


def run_kind(kind: Kind, seed: int, numbers: Sequence[int], *, progress: bool = True) -> Tally:
    """Do the trials with these numbers, each in a folder of its own."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="microx-stress-") as name:
        kind.prepare(Path(name))
        for number in tqdm(numbers, desc=kind.name, unit="trial", disable=not progress, mininterval=5.0):
            folder = Path(name, f"trial-{number}")
            folder.mkdir()
            outcome, failure = run_trial(kind, seed, number, folder)
            tally.tried += 1
            if failure:
                tally.failures.append((number, failure))
            else:
                tally.outcomes[outcome] += 1
            shutil.rmtree(folder, ignore_errors=True)
    return tally


def report(tallies: dict[str, Tally], seed: int) -> str:
    """Return the failures with the commands that repeat them, and the table of tried and survived."""
    lines = []
    for name, tally in tallies.items():
        for number, failure in tally.failures[:SHOWN]:
            lines.append(f'{failure}\n  again: python tests/stress.py --seed {seed} --only "{name}" --trial {number}')
        if len(tally.failures) > SHOWN:
            lines.append(f"... and {len(tally.failures) - SHOWN} more of {name}")
    rows = [("kind", "tried", "survived", "how")]
    for name, tally in tallies.items():
        how = ", ".join(f"{outcome} {count:,}" for outcome, count in tally.outcomes.most_common())
        rows.append((name, f"{tally.tried:,}", f"{tally.survived:,}", how))
    tried, survived = (sum(getattr(tally, what) for tally in tallies.values()) for what in ("tried", "survived"))
    rows.append(("all", f"{tried:,}", f"{survived:,}", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines += [f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}  {d}".rstrip() for a, b, c, d in rows]
    return "\n".join(lines)


def every_kind() -> list[Kind]:
    """Return all kinds, the quick ones first."""
    from stress_kept import KEPT_KINDS
    from stress_tables import TABLE_KINDS
    from stress_videos import VIDEO_KINDS

    return [*TABLE_KINDS, *VIDEO_KINDS, *KEPT_KINDS]


def main(argv: list[str] | None = None) -> int:
    """Run the trials and print the table; return 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5000, help="trials of all kinds together (default: 5000)")
    parser.add_argument("--seed", type=int, default=0, help="of all randomness (default: 0)")
    parser.add_argument("--only", metavar="KIND", help="one kind, which then gets all trials")
    parser.add_argument("--trial", type=int, metavar="N", help="repeat one trial of that kind")
    arguments = parser.parse_args(argv)
    kinds = [kind for kind in every_kind() if arguments.only in (None, "", kind.name)]
    if not kinds:
        parser.error(f"no kind {arguments.only!r}; choose from {[kind.name for kind in every_kind()]}")
    if arguments.trial is not None and len(kinds) > 1:
        parser.error("--trial needs --only KIND")
    if hasattr(os, "nice"):
        os.nice(10)  # for minutes, beside whatever else goes on
    total = sum(kind.share for kind in kinds)
    tallies = {}
    for kind in kinds:
        count = max(1, round(arguments.times * kind.share / total))
        numbers = range(count) if arguments.trial is None else [arguments.trial]
        tallies[kind.name] = run_kind(kind, arguments.seed, numbers)
    print(report(tallies, arguments.seed))
    return int(any(tally.failures for tally in tallies.values()))


if __name__ == "__main__":
    import stress  # the modules of the kinds import it by this name

    sys.exit(stress.main())
