"""The exercises, in the smoke profile: each solution is right, each blank unanswered, and wrong answers are recognised.

Only the cells that an exercise needs are run (`solve_exercises`), so this takes seconds for most notebooks.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from solve_exercises import WRONG_ANSWERS, Answered, Exercise, exercises_of

from microx_utils.course.exercises import STRICT, save_exercises
from microx_utils.course.outline import load_course
from microx_utils.course.runner import run_notebook
from microx_utils.support import paths

EXERCISES = [exercise for entry in load_course().notebooks for exercise in exercises_of(entry.id)]


@pytest.fixture(params=EXERCISES, ids=lambda exercise: f"{exercise.notebook}-{exercise.name}")
def exercise(request: pytest.FixtureRequest) -> Exercise:
    return request.param


def test_wrong_answers_belong_to_notebooks() -> None:
    assert {path.stem for path in WRONG_ANSWERS.glob("*.toml")} <= {entry.id for entry in load_course().notebooks}


def test_checks_have_names_of_their_own() -> None:
    twice = [name for name, count in Counter((each.notebook, each.name) for each in EXERCISES).items() if count > 1]
    assert not twice, "wrong answers are listed by the name of the check"


def test_there_are_two_wrong_answers(exercise: Exercise) -> None:
    assert len(exercise.wrong) >= 2, f"add plausible ones to tests/wrong_answers/{exercise.notebook}.toml"


@pytest.fixture(scope="module")
def answered(processed: Path) -> list[Answered]:
    """What the checks say to every answer."""
    environment = os.environ | {"MICROX_PROCESSED": str(processed), "MPLBACKEND": "agg", STRICT: ""}
    outcome = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("solve_exercises.py"))],
        cwd=paths.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=1400,
    )
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    return [Answered(**row) for row in json.loads(outcome.stdout)]


@pytest.mark.notebooks
@pytest.mark.timeout(1500)
def test_each_answer_gets_its_verdict(answered: list[Answered], exercise: Exercise) -> None:
    mine = {row.answer: row for row in answered if (row.notebook, row.exercise) == (exercise.notebook, exercise.name)}
    assert mine.keys() == {"blank", "right", *exercise.wrong}
    assert mine["blank"].state == "unanswered"
    assert mine["right"].state == "right", mine["right"].message
    for says in exercise.wrong:
        assert mine[says].state == "wrong", f"{says}: {mine[says].message}"
        assert says in mine[says].message


@pytest.mark.notebooks
def test_a_students_notebook_runs_unanswered(processed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exercises wait for answers, and nothing is recorded among the complete notebooks' figures and claims."""
    monkeypatch.setenv("MICROX_PROCESSED", str(processed))
    claims = paths.FIGURES / "claims.json"
    before = claims.read_bytes()
    executed = tmp_path / "out.ipynb"
    parameters = {"profile": "smoke", "data": "sample", "seed": 0}
    save_exercises(load_course(), target=tmp_path / "exercises")
    source = tmp_path / "exercises" / "00_start_here.ipynb"
    assert run_notebook(source, executed, parameters, strict=False) is None
    cells = nbformat.read(executed, as_version=4).cells
    said = [cell.outputs[0].data["text/plain"] for cell in cells if "check" in cell.metadata.get("tags", [])]
    assert said and all(text.startswith("Not answered yet.") for text in said)
    assert (paths.FIGURES / "runs" / "exercises-smoke-sample" / "extra_pipeline.png").is_file()
    assert claims.read_bytes() == before
