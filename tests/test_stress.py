"""`make stress` itself: a few trials of the quick kinds, and that it notices what it is there for."""

from pathlib import Path

import numpy as np
import pytest
import stress
import stress_tables
from stress import Kind, WrongResult
from stress_tables import TABLE_KINDS, LandmarkTables

from microx_utils.landmarks import read_openface_csv
from microx_utils.support.errors import DataError


@pytest.mark.parametrize("kind", TABLE_KINDS, ids=[kind.name for kind in TABLE_KINDS])
def test_harmed_tables_are_read_as_they_are_or_refused(kind: Kind) -> None:
    tally = stress.run_kind(kind, 20221122, range(20), progress=False)
    assert tally.failures == []
    assert tally.survived == tally.tried == 20
    assert len(tally.outcomes) > 1  # some are read, others aren't


def test_a_reader_that_shifts_its_rows_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def shifted(path: Path):
        table = read_openface_csv(path)
        return table if path.name == "good.csv" else table.assign(x_3=np.roll(table["x_3"], 1))

    monkeypatch.setattr(stress_tables, "read_openface_csv", shifted)
    monkeypatch.setattr(stress_tables, "read_finished_csv", lambda path, _: shifted(path))
    tally = stress.run_kind(LandmarkTables(), 1, range(40), progress=False)
    assert tally.failures
    assert all(failure.startswith("silently wrong: 8 rows") for _, failure in tally.failures)
    said = stress.report({"landmark table": tally}, seed=1)
    assert f'--seed 1 --only "landmark table" --trial {tally.failures[0][0]}' in said


class Failing:
    name, share, longest = "failing", 1.0, 30.0

    def __init__(self, error: Exception) -> None:
        self.error = error

    def prepare(self, folder: Path) -> None:
        pass

    def attempt(self, rng: np.random.Generator, folder: Path) -> str:
        (folder / "clip.csv").touch()
        raise self.error


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (DataError("somewhere/clip.csv", "is cut short", "Copy it again."), ""),
        (DataError("somewhere/clip.csv", "is cut short", ""), "an error without a remedy"),
        (DataError("another.csv", "is cut short", "Copy it again."), "an error that names no file of the trial"),
        (KeyError("x_0"), "KeyError in test_stress.py"),
        (WrongResult("3 rows of 4"), "silently wrong: 3 rows of 4"),
    ],
)
def test_an_error_survives_only_with_a_file_and_a_remedy(error: Exception, failure: str, tmp_path: Path) -> None:
    outcome, found = stress.run_trial(Failing(error), 0, 0, tmp_path)
    assert found.startswith(failure)
    assert (outcome == "refused") == (failure == "")


def test_a_trial_that_takes_too_long_fails(tmp_path: Path) -> None:
    slow = Failing(DataError("clip.csv", "is bad", "Mend it."))
    slow.longest = -1.0
    assert "took 0 s" in stress.run_trial(slow, 0, 0, tmp_path)[1]


def test_the_command_ends_with_a_table_and_repeats_a_trial(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stress, "every_kind", lambda: TABLE_KINDS)
    monkeypatch.setattr(stress.os, "nice", lambda _: 0)
    assert stress.main(["--times", "20", "--seed", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["kind", "tried", "survived", "how"]
    assert [line.split("  ")[0] for line in lines[1:]] == [*(kind.name for kind in TABLE_KINDS), "all"]
    assert stress.main(["--only", "labels.csv", "--trial", "3", "--seed", "4"]) == 0
    assert "labels.csv      1         1" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        stress.main(["--only", "weather"])
