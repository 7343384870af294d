"""The generated pages: equal inputs make equal pages, and the committed ones are what the manifest makes."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from record_rows import ROW, claim, drawing

from microx_utils.course import gallery, ledger, records
from microx_utils.course.claims import load_claims
from microx_utils.course.outline import Widget, load_course
from microx_utils.support import paths
from microx_utils.support.errors import DataError

COURSE = load_course()
RUN = {"experiment": "table1_microx", "seed": 0, "key": "0123456789abcdef", "settings": "ffff"}
ORIGIN = {"notebook": "06_evaluation", "profile": "smoke", "seed": 0, "data_set": "sample", "made_from": ""}


@pytest.fixture(autouse=True)
def current(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Take rows as they are; test_ledger tests what makes them stale."""
    if "committed" not in request.node.name:
        monkeypatch.setattr(ledger, "why_stale", lambda row: "")


def record(folder: Path, name: str = "table_1_accuracy", **changes: object) -> None:
    records.record_claim(folder, name, claim(**ORIGIN, inputs=RUN, cell="cell-62", **changes))


def test_gallery_shows_picture_alt_caption_and_origin(tmp_path: Path) -> None:
    records.record_figure(tmp_path, "figure_09", drawing(), ROW | {"cell": "cell-24", "inputs": RUN})
    records.record_figure(tmp_path, "extra_undeclared", drawing(), ROW | {"inputs": None})
    page = gallery.gallery(tmp_path, COURSE)
    assert page == gallery.gallery(tmp_path, COURSE)
    assert "![Three lines over seven classes (example).](figure_09.png)" in page
    assert "Happy is easiest." in page
    assert "extra_undeclared" not in page
    file = "data/processed/runs/table1_microx-0123456789abcdef/predictions.parquet"
    assert f"Drawn by cell `cell-24` from `{file}`." in page
    assert "(claims.md)" in page


def test_gallery_shows_the_widgets_whose_screenshots_are_there(tmp_path: Path) -> None:
    shown, missing = (
        Widget(name, f"The {name}", ("01_dataset_exploration", "02_openface_preprocessing"), f"What {name} shows.")
        for name in ("browser", "lab")
    )
    course = replace(COURSE, widgets=(shown, missing))
    assert "Widgets" not in gallery.gallery(tmp_path, course)
    (tmp_path / "widgets").mkdir()
    (tmp_path / shown.screenshot).write_bytes(b"")
    page = gallery.gallery(tmp_path, course)
    assert "### The browser\n\n![What browser shows.](widgets/browser.png)\n\nIn [01 · Exploring the data](" in page
    assert "02_openface_preprocessing.ipynb)." in page
    assert "The lab" not in page


def test_claims_page_has_a_row_for_every_claim_and_leads_to_its_predictions(tmp_path: Path) -> None:
    record(tmp_path)
    page = gallery.claims_page(tmp_path, COURSE)
    assert page == gallery.claims_page(tmp_path, COURSE)
    for name in load_claims():
        assert page.count(f"`{name}` |") + page.count(f"`{name}`, ") >= 1, name
    (row,) = [line for line in page.splitlines() if "score `table_1_accuracy`" in line]
    assert "| 0.552 | 0.600 (0.550 to 0.650) | 1,234 | 0.143 | subject | rendered: sample |" in row
    assert row.endswith("| [06 · Evaluation](../notebooks/06_evaluation.ipynb), `cell-62`, `table1_microx-012345` |")
    assert "| `table1_microx` | 0 | `data/processed/runs/table1_microx-0123456789abcdef/predictions.parquet` |" in page


def test_page_equals_what_is_recorded(tmp_path: Path) -> None:
    """Another value in claims.json is another value in the page, and in nothing else of it."""
    pages = []
    for ours in (0.6, 0.7123):
        record(tmp_path, ours=ours)
        pages.append(gallery.claims_page(tmp_path, COURSE).splitlines())
    changed = [(old, new) for old, new in zip(*pages, strict=True) if old != new]
    ((old, new),) = changed
    assert old.replace("0.600", "0.712") == new


def test_pages_before_the_first_run_invent_nothing(tmp_path: Path) -> None:
    page = gallery.claims_page(tmp_path, COURSE)
    (row,) = [line for line in page.splitlines() if "score `table_1_accuracy`" in line]
    assert "| 0.552 | – | – | – | – | – | not run yet: run notebook 06" in row
    assert "No recorded claim names a trained network." in page
    table = gallery.tables_table(ledger.read_ledger({}, COURSE), COURSE)
    assert "| Table 1 | Accuracy on the test set | 0.552 | not run yet: run notebook 06" in table


def test_stale_rows_say_so_and_are_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(tmp_path)
    before = gallery.count_verdicts(ledger.read_ledger(records.read_claims(tmp_path), COURSE))
    monkeypatch.setattr(ledger, "why_stale", lambda row: "notebook 06 has changed")
    table = ledger.read_ledger(records.read_claims(tmp_path), COURSE)
    after = gallery.count_verdicts(table)
    assert before["cannot be tested on rendered data"] == 1
    assert after["stale"] == 1
    assert "cannot be tested on rendered data" not in after
    assert "0.600 (0.550 to 0.650) (stale: notebook 06 has changed)" in gallery.tables_table(table, COURSE)
    assert sum(after.values()) == len(load_claims())


def test_cells_of_tables_are_escaped(tmp_path: Path) -> None:
    record(tmp_path, note="one | two")
    assert "one \\| two" in gallery.claims_page(tmp_path, COURSE)


BEGIN, END = "<!-- paper-vs-ours:begin -->", "<!-- paper-vs-ours:end -->"


def test_readme_keeps_its_text_around_the_tables(tmp_path: Path) -> None:
    readme, out = tmp_path / "README.md", tmp_path / "out"
    others = "\n\n".join(
        f"<!-- {name}:begin -->\nold\n<!-- {name}:end -->" for name in ("notebooks", "start-anywhere", "speed")
    )
    readme.write_text(f"# Top\n\n{BEGIN}\nold\n{END}\n\n{others}\n\nBottom\n", encoding="utf-8")
    record(out)
    changed = gallery.save_gallery(out, COURSE, readme=readme)
    assert changed == [out / "README.md", out / "claims.md", readme]
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"# Top\n\n{BEGIN}\n| the paper's")
    assert text.endswith("<!-- speed:end -->\n\nBottom\n")
    assert "[![Open in Binder](" in text
    assert "[06 · Evaluation](notebooks/06_evaluation.ipynb)" in text
    assert "(figures/claims.md)" in text
    assert "\nold\n" not in text
    assert gallery.save_gallery(out, COURSE, readme=readme) == []


@pytest.mark.parametrize(
    "text",
    [
        "no markers",
        BEGIN,
        f"{END} {BEGIN}",
        f"{BEGIN} {BEGIN} {END}",
    ],
)
def test_readme_without_a_place_for_the_table(text: str) -> None:
    with pytest.raises(DataError, match="markers for the paper-vs-ours table"):
        gallery.between_markers(text, "table", path=Path("README.md"))


def test_committed_pages_are_what_the_manifest_makes() -> None:
    """Reference figures, gallery, ledger and README agree, byte for byte, with the committed manifest and claims."""
    assert (paths.FIGURES / "README.md").read_text(encoding="utf-8") == gallery.gallery(paths.FIGURES, COURSE)
    assert (paths.FIGURES / "claims.md").read_text(encoding="utf-8") == gallery.claims_page(paths.FIGURES, COURSE)
    rows = records.read_figures(paths.FIGURES)
    assert set(rows) == {name for notebook in COURSE.notebooks for name in notebook.figures}
    assert set(records.read_claims(paths.FIGURES)) == {name for each in COURSE.notebooks for name in each.claims}
    for name, row in rows.items():
        assert (row["profile"], row["data"], row["seed"]) == ("class", "sample", 0), name
        digest = hashlib.sha256((paths.FIGURES / row["file"]).read_bytes()).hexdigest()
        assert digest == row["sha256"], name
    readme = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    assert "TIME_" not in readme  # no measurement left to fill in
    assert readme == gallery.fill_readme(paths.ROOT / "README.md", paths.FIGURES, COURSE)


def test_committed_claims_are_current() -> None:
    """Nothing in figures/claims.json was recorded by other code, or from other experiments, than the committed."""
    table = ledger.read_ledger(records.read_claims(paths.FIGURES), COURSE)
    assert table.loc[table["status"] == ledger.STALE, "detail"].to_dict() == {}
