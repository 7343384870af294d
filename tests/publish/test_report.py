"""The report: every claim once, every number from the ledger, every picture described; on any corpus."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from record_rows import ROW, drawing
from tiny_corpus import write_tiny_corpus

from microx_utils.course import claims, ledger, records
from microx_utils.course.outline import load_course
from microx_utils.publish import report
from microx_utils.support import paths
from microx_utils.support.errors import DataError

COURSE = load_course()
SAMPLE: dict[str, Any] = {"profile": "class", "data": "sample"}


def all_lines(document: dict[str, Any]) -> list[dict[str, str]]:
    tables = [line for table in document["tables"] for line in table["rows"]]
    return tables + [line for lines in document["groups"].values() for line in lines]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return report.gather(paths.REFERENCE, COURSE, **SAMPLE)


def test_every_claim_stands_in_the_report_once(document: dict[str, Any]) -> None:
    table = ledger.read_ledger(records.read_claims(paths.REFERENCE), COURSE)
    waiting = table[table["notebook"].fillna("").str[:2].isin(report.BEYOND) & (table["status"] == ledger.NOT_RUN)]
    assert sorted(line["id"] for line in all_lines(document)) == sorted(table.index.difference(waiting.index))


def test_every_score_says_what_it_was_measured_on(document: dict[str, Any]) -> None:
    table = ledger.read_ledger(records.read_claims(paths.REFERENCE), COURSE)
    lines = {line["id"]: line for line in all_lines(document)}
    scores = table[(table["kind"] == "score") & (table["status"] == ledger.RECORDED)]
    assert len(scores) > 10
    for name, row in scores.iterrows():
        line = lines[str(name)]
        assert line["ours"].startswith(f"{row['ours']:.3f} ({row['interval'][0]:.3f} to {row['interval'][1]:.3f}")
        for part in (row["data"], f"{row['split']} split", f"n = {row['n']:,}", "chance 14.3 %"):
            assert part in line["measured"]
        assert re.search(r"\[[A-Z]+\]$", line["origin"]), "the machine"


def test_all_figures_of_the_paper_are_shown_with_their_origin(document: dict[str, Any]) -> None:
    assert [row["file"] for row in document["figures"]] == [f"figure_{n:02}.png" for n in range(1, 18)]
    assert all(len(row["alt"]) >= records.SHORTEST_ALT and "notebook" in row["origin"] for row in document["figures"])


def test_the_template_holds_no_result() -> None:
    """Its digits are lengths, the 95 % of an interval, and numbers of sections and tables of the paper."""
    _, prose = report.TEMPLATE.read_text("utf-8").split("#let body = [")
    numbers = re.findall(r"\d+(?:\.\d+)? %|\bn = \d|\b0\.\d+(?!fr)", prose)
    assert set(numbers) == {"95 %"}, numbers


def test_a_changed_ledger_changes_the_report(tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    shutil.copytree(paths.REFERENCE, folder)
    with records.updating(folder / "claims.json") as rows:
        rows["claims"]["table_1_accuracy"] |= {"ours": 0.4321, "interval": [0.41, 0.45]}
        del rows["claims"]["table_6_mouth"]
    lines = {line["id"]: line for line in all_lines(report.gather(folder, COURSE, **SAMPLE))}
    assert lines["table_1_accuracy"]["ours"] == "0.432 (0.410 to 0.450)"
    assert lines["table_6_mouth"]["verdict"].startswith(ledger.NOT_RUN)
    assert lines["table_6_mouth"]["measured"] == ""


def test_nothing_recorded_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="microx figures --profile smoke --data RAVDESS"):
        report.gather(tmp_path, COURSE, profile="smoke", data="RAVDESS")


def test_the_network_of_notebook_15_has_a_section_once_it_is_recorded(document: dict[str, Any]) -> None:
    row: dict[str, Any] = {"notebook": "15_robust", "kind": "score", "source": "Table 3", "verdict": "reproduced"}
    assert report.group_of(row) == "beyond"
    assert report.group_of(row | {"notebook": "09_real_life_and_masks"}) == "table 3"


def test_both_splits_are_compared_and_overlap_is_computed() -> None:
    import pandas as pd

    rows = {"accuracy": [0.3, 0.6], "low": [0.2, 0.5], "high": [0.4, 0.7], "n": [10, 12]}
    scores = pd.DataFrame(rows, index=["net", "net_segment_split"])
    (said,) = report.split_words(scores)
    assert "30.0 %" in said and "60.0 %" in said and said.endswith("do not overlap.")
    (said,) = report.split_words(scores.assign(high=[0.55, 0.7]))
    assert said.endswith("intervals overlap.")


# Below here the paper itself is made.

Made = tuple[str, Path]


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Made]:
    """Write a report; return its HTML and the path of its PDF."""
    pytest.importorskip("typst", reason="no typst: pip install -r requirements-book.txt")

    def written(folder: Path, **which: Any) -> Made:
        page, pdf = report.write_report(folder, COURSE, tmp_path_factory.mktemp("report"), **which)
        return page.read_text(encoding="utf-8"), pdf

    return written


@pytest.fixture(scope="module")
def paper_of_the_sample(write: Callable[..., Made]) -> Made:
    return write(paths.REFERENCE, **SAMPLE)


def test_html_has_every_number_and_a_description_of_every_picture(
    paper_of_the_sample: Made, document: dict[str, Any]
) -> None:
    page, _ = paper_of_the_sample
    text = re.sub(r"[\u200b\xad]", "", re.sub(r"<[^>]+>", "", re.sub(r"base64,[^\"]+", "", page)))
    for line in all_lines(document):
        assert line["ours"].replace("<", "&lt;") in text, line
    pictures = re.findall(r"<img[^>]*>", page)
    assert len(pictures) >= 19
    assert all(re.search(r'alt="[^"]{20,}"', picture) for picture in pictures)
    assert page.count("<h1") == 1
    assert 'lang="en' in page and "rendered people" in text


def test_pdf_is_eight_pages_and_tagged(paper_of_the_sample: Made) -> None:
    _, pdf = paper_of_the_sample
    content = pdf.read_bytes()
    assert content.startswith(b"%PDF") and b"/MarkInfo" in content and b"pdfuaid" in content
    program = shutil.which("pdfinfo")
    if program is None:
        pytest.skip("no pdfinfo to count pages (apt-get install poppler-utils)")
    about = subprocess.run([program, pdf], capture_output=True, text=True, check=True).stdout
    (pages,) = re.findall(r"Pages: +(\d+)", about)
    assert 6 <= int(pages) <= 9  # a longer remark may start another


def test_equal_results_make_equal_files(paper_of_the_sample: Made, write: Callable[..., Made]) -> None:
    again, pdf = write(paths.REFERENCE, **SAMPLE)
    assert (again, pdf.read_bytes()) == (paper_of_the_sample[0], paper_of_the_sample[1].read_bytes())


def test_the_same_command_reports_a_corpus_of_ones_own(tmp_path: Path, write: Callable[..., Made]) -> None:
    data = write_tiny_corpus(tmp_path)
    folder, name = tmp_path / "figures", records.data_name(data)
    origin: dict[str, Any] = {
        "notebook": "06_evaluation",
        "profile": "smoke",
        "seed": 0,
        "data_set": name,
        "inputs": None,
    }
    origin |= {"made_from": ledger.origin_key("06_evaluation", profile="smoke", data=name, seed=0, inputs=None)}
    measured: dict[str, Any] = {"interval": (0.5, 0.6), "n": 40, "chance": 1 / 7, "split": "subject"}
    row = claims.claim_row("table_1_accuracy", 0.55, rendered=False, data=name, **measured)
    records.record_claim(folder, "table_1_accuracy", origin | {"cell": "cell-62"} | row)
    records.record_figure(folder, "figure_09", drawing(), ROW | {"cell": "cell-24"})
    page, _ = write(folder, profile="smoke", data=data)
    text = re.sub(r"<[^>]+>", "", re.sub(r"base64,[^\"]+", "", page))
    assert name in text and "microx figures --profile smoke --data RAVDESS=" in text
    assert "0.550 (0.500 to 0.600)" in text and "reproduced" in text
    assert "The data are not the paper’s" in text and "Rendered people are not people" not in text
    assert str(paths.ROOT) not in text
    json.dumps(report.gather(folder, COURSE, profile="smoke", data=data))
