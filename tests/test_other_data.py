"""The notebooks on another corpus and with another tracker: they run, and what they say agrees with their numbers."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tiny_corpus import CODES, write_tiny_corpus

from microx_utils.course import records
from microx_utils.course.claims import DIFFERS, REPRODUCED, UNSETTLED
from microx_utils.course.outline import load_course
from microx_utils.labels import EMOTIONS
from microx_utils.support import paths

pytestmark = [pytest.mark.notebooks, pytest.mark.timeout(2500)]

FAKE = Path(__file__).with_name("fake_openface.py")
OF_THE_SAMPLE = {"figure_01", "extra_found_and_true", "extra_mask_pair"}
"""Figures that show the rendered sample, or a rendered face, whatever the data are."""


@dataclass(frozen=True)
class Ran:
    """What `microx figures` said, and where it left figures, claims and the executed notebooks."""

    outcome: subprocess.CompletedProcess[str]
    figures: Path
    notebooks: Path

    def cells(self, notebook: str) -> dict[str, str]:
        """Return cell id -> its text and all that it put out as text."""
        cells = json.loads((self.notebooks / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
        return {cell["id"]: "\n".join(["".join(cell["source"]), *shown(cell)]) for cell in cells}


def shown(cell: dict[str, Any]) -> list[str]:
    """Return what a cell put out, as text."""
    return [as_text(output) for output in cell.get("outputs", [])]


def as_text(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    return "".join(data.get("text/markdown") or data.get("text/plain") or output.get("text") or [])


def run_figures(data: str, processed: Path, *options: str, **environment: str) -> Iterator[Ran]:
    """Run notebooks in the smoke profile, and remove afterwards what they left in the checkout."""
    name = records.run_name("smoke", data) + ("-openface" if "openface" in options else "")
    left = Ran(
        subprocess.run(
            [sys.executable, "-m", "microx_utils.tools.cli", "figures", "--profile", "smoke", "--data", data, *options],
            cwd=paths.ROOT,
            env=os.environ | {"MICROX_PROCESSED": str(processed)} | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=2400,
        ),
        paths.FIGURES / "runs" / name,
        paths.BUILD / "notebooks" / name,
    )
    yield left
    shutil.rmtree(left.figures, ignore_errors=True)
    shutil.rmtree(left.notebooks, ignore_errors=True)


@pytest.fixture(scope="module")
def tiny(processed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """Every notebook on five people of two classes."""
    yield from run_figures(write_tiny_corpus(tmp_path_factory.mktemp("tiny")), processed)


@pytest.fixture(scope="module")
def with_openface(processed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """Notebook 02 on the sample, with a stand-in for OpenFace that loses masked faces and follows nothing."""
    program = tmp_path_factory.mktemp("bin") / "FeatureExtraction"
    words = shlex.join([sys.executable, "-S", "-E", str(FAKE)])
    program.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    options = ("--only", "02", "--landmarks", "openface")
    yield from run_figures("sample", processed, *options, OPENFACE_BIN=str(program))


def test_every_notebook_runs_on_five_people_of_two_classes(tiny: Ran) -> None:
    said = f"{tiny.outcome.stdout}\n{tiny.outcome.stderr}"
    assert tiny.outcome.returncode == 0, said
    rows = records.read_json(tiny.notebooks / "times.json")["notebooks"]
    assert {name: row["ok"] for name, row in rows.items()} == {book.id: True for book in load_course().notebooks}, said


def test_no_picture_is_said_to_show_a_label_that_the_data_lack(tiny: Ran) -> None:
    absent = "|".join(emotion for emotion in EMOTIONS if emotion not in CODES)
    for name, row in records.read_figures(tiny.figures).items():
        if name not in OF_THE_SAMPLE:
            assert not re.search(rf"\blabelled ({absent})\b|\bsurprised\b", f"{row['title']} {row['alt']}"), name


def test_a_test_of_one_person_settles_no_score_and_says_why(tiny: Ran) -> None:
    """Of five people one is tested, so no score has an interval."""
    cells = tiny.cells("06_evaluation")
    assert re.search(r"subjects +1\n", cells["cell-07b"] + "\n")
    assert "all rows are of one subject" in cells["cell-17"] and "NaN" in cells["cell-17"]
    assert "no interval" in cells["cell-25"]
    scores = [row for row in records.read_claims(tiny.figures).values() if row["kind"] == "score"]
    alone = [row for row in scores if row["interval"] is None]
    assert alone and {row["verdict"] for row in alone} == {UNSETTLED}
    assert {row["verdict"] for row in scores if row["interval"]} <= {REPRODUCED, DIFFERS}
    assert "NaN" not in (tiny.figures / "claims.json").read_text(encoding="utf-8")


def test_checks_say_no_interval_instead_of_nan(tiny: Ran) -> None:
    said = [text for book in load_course().notebooks for text in tiny.cells(book.id).values() if "\nRight. " in text]
    assert len(said) > 10
    assert not [text for text in said if re.search(r"\bnan\b", text.partition("\nRight. ")[2])]


def test_what_is_said_of_a_mask_agrees_with_the_table(with_openface: Ran) -> None:
    said = f"{with_openface.outcome.stdout}\n{with_openface.outcome.stderr}"
    assert with_openface.outcome.returncode == 0, said
    cells = with_openface.cells("02_openface_preprocessing")
    (found,) = re.findall(r"^found .*", cells["cell-51a"], re.MULTILINE)  # of each tracker, with and without a mask
    (sentence,) = re.findall(r"`openface`: .*", cells["cell-51b"])
    (masked,) = re.findall(r"in (\d+) % of the frames with a mask, in 100 % without", sentence)
    assert f"{int(masked) / 100:.2f}" in found.split() and int(masked) < 90
    assert "It notices the mask" in sentence


def test_the_papers_tracker_is_not_called_another(with_openface: Ran) -> None:
    note = records.read_claims(with_openface.figures)["eyebrow_landmarks_least_accurate"]["note"]
    assert "the paper's tracker;" in note and "another tracker" not in note
