"""The ledger: every claim has a row, a section and a status; rows of other code, profiles or experiments are stale."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from microx_utils import training
from microx_utils.course import ledger, paper, records
from microx_utils.course.claims import (
    CONSISTENT,
    CONTRADICTED,
    UNTESTABLE,
    claim_row,
    load_claims,
)
from microx_utils.course.outline import load_course
from microx_utils.experiments import get_profile, load_experiment
from microx_utils.rivals import systems
from microx_utils.rivals.systems import Baseline
from microx_utils.support import paths

SMOKE = get_profile("smoke")
COURSE = load_course()


@pytest.fixture(autouse=True)
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one notebook in it."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(paths, "NOTEBOOKS", folder)
    write_notebook(folder, "x = 1")
    return folder


def write_notebook(folder: Path, code: str, prose: str = "Text.") -> None:
    cells = [{"cell_type": "markdown", "source": prose}, {"cell_type": "code", "source": code}]
    (folder / "06_evaluation.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")


def run(tmp_path: Path, **changes: Any) -> training.Run:
    experiment = replace(load_experiment("table1_microx", SMOKE), **changes)
    return training.Run(experiment, "0123456789abcdef", tmp_path, pd.DataFrame(), pd.DataFrame(), {})


def recorded(made_from: Any = None, **changes: Any) -> dict[str, Any]:
    """A row as `record_claim` writes it."""
    inputs = ledger.describe_inputs(made_from)
    origin = {"notebook": "06_evaluation", "profile": "smoke", "seed": 0, "inputs": inputs, "data_set": "sample"}
    key = ledger.origin_key("06_evaluation", profile="smoke", data="sample", seed=0, inputs=inputs)
    score: dict[str, Any] = {"interval": (0.3, 0.5), "n": 411, "chance": 1 / 7, "split": "subject"}
    row = claim_row("table_1_accuracy", 0.4, rendered=True, data="sample", **score)
    return records.plain({**origin, "made_from": key, "cell": "cell-62", **row, **changes})


def ledger_row(rows: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    return {str(key): value for key, value in ledger.read_ledger(rows, COURSE).to_dict("index")[name].items()}


def test_runs_are_described_wherever_they_stand(tmp_path: Path) -> None:
    made_from = {"both": [run(tmp_path), run(tmp_path, seed=1)], "again": run(tmp_path), "store": "ffff"}
    described = ledger.describe_inputs(made_from)
    assert described["store"] == "ffff"
    found = ledger.runs_of(described)
    assert [(each["experiment"], each["seed"], each["key"]) for each in found] == [
        ("table1_microx", 0, "0123456789abcdef"),
        ("table1_microx", 1, "0123456789abcdef"),
    ]
    assert json.dumps(described)
    assert ledger.runs_of("0123456789abcdef") == ledger.runs_of(None) == []


def test_a_row_is_stale_when_its_notebooks_code_changes_and_not_its_prose(notebooks: Path) -> None:
    row = recorded()
    assert ledger.why_stale(row) == ""
    write_notebook(notebooks, "x = 1", prose="Other text.")
    assert ledger.why_stale(row) == ""
    write_notebook(notebooks, "x = 2")
    assert ledger.why_stale(row) == "notebook 06 or its profile has changed since"
    (notebooks / "06_evaluation.ipynb").unlink()
    assert ledger.why_stale(row) == "notebook 06_evaluation is gone"


def test_a_row_that_does_not_say_where_it_comes_from_is_stale() -> None:
    row = recorded()
    del row["seed"]
    assert ledger.why_stale(row) == "recorded by an earlier version of this package"


def test_a_row_is_stale_when_its_experiment_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ledger.why_stale(recorded(run(tmp_path))) == ""
    assert ledger.why_stale(recorded([run(tmp_path, epochs=9)])) == "experiment table1_microx has changed since"
    assert ledger.why_stale(recorded(run(tmp_path, name="gone"))) == "experiment gone is gone"
    row = recorded(run(tmp_path))
    monkeypatch.setattr(training, "CODE_VERSION", training.CODE_VERSION + 1)
    assert ledger.why_stale(row) == "experiment table1_microx has changed since"


def test_every_claim_has_a_section_of_the_paper_and_one_row() -> None:
    table = ledger.read_ledger({}, COURSE)
    assert sorted(table.index) == sorted(load_claims())
    places = [list(paper.value("sections")).index(section) for section in table["section"]]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("source", "section"),
    [("Table 1", "V.B"), ("abstract and Table 5", "abstract"), ("sections III.B and VII", "III.B"), ("section V", "V")],
)
def test_section_of_a_source(source: str, section: str) -> None:
    assert ledger.section_of(source) == section


def test_source_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="names no section"):
        ledger.section_of("the authors' code")


def test_without_any_run_audits_are_there_and_the_rest_says_what_to_run() -> None:
    table = ledger.read_ledger({}, COURSE, profile="class")
    audits = table[table["kind"] == "audit"]
    assert set(audits["status"]) == {ledger.COMPUTED}
    assert set(audits["verdict"]) == {CONSISTENT, CONTRADICTED}
    others = table[table["kind"] != "audit"]
    assert set(others["status"]) <= {ledger.NOT_RUN, ledger.NO_NOTEBOOK}
    assert others[["ours", "verdict", "n", "interval"]].isna().all(axis=None)
    assert ledger_row({}, "table_1_accuracy")["detail"].startswith("run notebook 06")


def test_recorded_and_stale_rows(tmp_path: Path, notebooks: Path) -> None:
    rows = {"table_1_accuracy": recorded(run(tmp_path))}
    row = ledger_row(rows, "table_1_accuracy")
    assert (row["status"], row["verdict"], row["ours"], row["n"]) == (ledger.RECORDED, UNTESTABLE, 0.4, 411)
    assert (row["notebook"], row["cell"], row["runs"][0]["experiment"]) == ("06_evaluation", "cell-62", "table1_microx")
    corrected = {"table_1_accuracy": recorded(paper=0.9)}
    assert ledger_row(corrected, "table_1_accuracy")["detail"].startswith("the paper's value")
    write_notebook(notebooks, "x = 2")
    row = ledger_row(rows, "table_1_accuracy")
    assert (row["status"], row["ours"]) == (ledger.STALE, 0.4)


def test_an_audit_on_disk_can_only_add_its_note() -> None:
    said = claim_row("figure_10_diagonal", rendered=True, data="sample", note="another run of the model")
    origin = {"notebook": "06_evaluation", "cell": "cell-62"}
    row = ledger_row({"figure_10_diagonal": origin | said | {"ours": 99}}, "figure_10_diagonal")
    assert (row["ours"], row["note"], row["cell"]) == (0.4336, "another run of the model", "cell-62")
    wrong = {"figure_10_diagonal": origin | said | {"verdict": CONSISTENT}}
    row = ledger_row(wrong, "figure_10_diagonal")
    assert (row["verdict"], row["note"]) == (CONTRADICTED, "")


def test_a_baseline_is_described_and_has_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = load_experiment("table1_microx", SMOKE)
    baseline = Baseline("two_streams", experiment, "0123456789abcdef", tmp_path, pd.DataFrame(), {})
    described = ledger.describe_inputs([baseline])
    (found,) = ledger.runs_of(described)
    assert (found["system"], found["experiment"], found["seed"]) == ("two_streams", "table1_microx", 0)
    assert ledger.predictions_path(described[0]) == "baselines/two_streams-0123456789abcdef/predictions.parquet"
    row = recorded(baseline)
    assert ledger.why_stale(row) == ""
    other = replace(baseline, experiment=replace(experiment, patience=99))
    changed = "system two_streams, or its experiment table1_microx, has changed since"
    assert ledger.why_stale(recorded(other)) == changed
    with monkeypatch.context() as patched:
        patched.setitem(systems.OPTIONS["two_streams"], "words", 9)
        assert ledger.why_stale(row) == changed
    with monkeypatch.context() as patched:
        patched.delitem(systems.OPTIONS, "two_streams")
        assert ledger.why_stale(row) == "system two_streams is gone"
    monkeypatch.setattr(systems, "CODE_VERSION", systems.CODE_VERSION + 1)
    assert ledger.why_stale(row) == changed
