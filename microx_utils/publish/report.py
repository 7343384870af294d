"""The course's result as a paper, in HTML and PDF: what the ledger, figures and reference runs of a run say.

`report.typ` is the paper's text and look; this module gathers what it prints. No number stands in either.
"""

import dataclasses
import importlib.metadata
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from microx_utils.course import claims, ledger, paper, records
from microx_utils.course.gallery import both_values, count_verdicts, ledger_rows, origin_text, verdict_text
from microx_utils.course.outline import Course
from microx_utils.course.reference import FOLDER, read_reference_run, reference_scores
from microx_utils.experiments import get_profile
from microx_utils.labels import CHANCE
from microx_utils.publish import story
from microx_utils.support import cache, paths
from microx_utils.support.errors import DataError

TEMPLATE = Path(__file__).with_name("report.typ")
LOOK = Path(__file__).with_name("report.css")
STORY_PICTURE = "story.png"
INSTALL = "Install it with: pip install -r requirements-book.txt (make report and make book do)."
WIDE = ("figure_07", "figure_08", "figure_09", "figure_10", "figure_15")
"""Figures that take half of a page's width; the others take a third."""
PHOTOS = ("figure_16", "figure_17")
MOST_RUNS = 3
"""Trained networks that a row of a table names; claims.md has them all."""
BEYOND = ("15",)
"""Numbers of the notebooks whose results have a section of their own, if they are recorded."""


def git(*arguments: str) -> str:
    """Return what git says about the checkout; "" if there is no git, no history, or not all of it."""
    program = shutil.which("git")
    if program is None:
        return ""
    shallow = ["rev-parse", "--is-shallow-repository"]
    for command in (shallow, arguments):
        done = subprocess.run([program, "-C", paths.ROOT, *command], capture_output=True, text=True, check=False)
        if done.returncode or (command is shallow and done.stdout.strip() == "true"):
            return ""
    return done.stdout.strip()


def commit_of(folder: Path) -> str:
    """Return the commit that recorded a folder's results: the last to change them or, where git ignores them, today's.

    A trailing "-dirty" says that files had been changed since.
    """
    if folder == paths.REFERENCE:
        return git("log", "-1", "--format=%h", "--", str(folder / "claims.json")) or "not known"
    return git("describe", "--always", "--dirty", "--exclude=*") or "not known"


def figure_number(source: str) -> int | None:
    """Return the first figure that a claim's source names.

    >>> figure_number("Figures 11 to 14"), figure_number("section II")
    (11, None)
    """
    found = re.search(r"Figures? (\d+)", source)
    return int(found[1]) if found else None


def table_number(source: str) -> int | None:
    """Return the first table that a claim's source names."""
    found = re.search(r"Tables? (\d+)", source)
    return int(found[1]) if found else None


def group_of(row: Mapping[str, Any]) -> str:
    """Return the part of the report that a row of the ledger stands in; every row has exactly one."""
    if (row["notebook"] or "")[:2] in BEYOND:
        return "beyond"
    if row["kind"] == "audit":
        return "agreements" if row["verdict"] == claims.CONSISTENT else "contradictions"
    if row["kind"] in ("setting", "structure"):
        return "rebuilt"
    if table_number(row["source"]):
        return f"table {table_number(row['source'])}"
    return "figures" if figure_number(row["source"]) else "others"


def _place(row: Mapping[str, Any]) -> tuple[bool, int]:
    """Return what rows are sorted by: settings come last, then the first figure counts."""
    return row["kind"] == "setting", figure_number(row["source"]) or 0


def claim_line(row: Mapping[str, Any], machines: Mapping[str, str]) -> dict[str, str]:
    """Return a row of the ledger as the report prints it, all in text. `machines`: notebook -> the machine's letter."""
    said, ours = both_values(row)
    if row["kind"] == "audit":
        said, _, ours = said.partition("; elsewhere ")
    measured = [row["data"] if row["data"] != "none needed" else "no data needed"]
    measured += [f"{row['split']} split"] if row["split"] else []
    measured += [f"n = {row['n']:,}"] if row["n"] else []
    measured += [f"chance {story.percent(row['chance'])}"] if row["chance"] else []
    origin = origin_text(row if len(row["runs"]) <= MOST_RUNS else {**row, "runs": []}) if row["notebook"] else ""
    origin += f" · {len(row['runs'])} networks" if len(row["runs"]) > MOST_RUNS else ""
    letter = machines.get(row["notebook"] or "")
    return {
        "id": row["claim"],
        "claim": row["statement"],
        "source": row["source"],
        "paper": said,
        "ours": ours,
        "measured": ", ".join(filter(None, measured)) if row["verdict"] else "",
        "verdict": verdict_text(row),
        "note": row["note"],
        "origin": f"{origin} [{letter}]" if letter and row["verdict"] else origin,
    }


def machine_letters(figures: Mapping[str, Mapping[str, Any]], machines: Mapping[str, Any]) -> dict[str, Any]:
    """Return the machines behind a folder's results, with a letter for each, and the letter of each notebook."""
    letters = {key: chr(ord("A") + place) for place, key in enumerate(sorted(machines))}
    of_notebook: dict[str, set[str]] = {}
    for row in figures.values():
        of_notebook.setdefault(row["notebook"], set()).add(letters[row["machine"]])
    rows = [
        {"letter": letters[key], "system": made["system"], "cores": made["cores"], "python": made["python"]}
        | {"packages": ", ".join(f"{name} {version}" for name, version in made["packages"].items())}
        for key, made in sorted(machines.items())
    ]
    return {"rows": rows, "of": {name: "".join(sorted(found)) for name, found in of_notebook.items()}}


def figure_rows(
    recorded: Mapping[str, Mapping[str, Any]], names: Iterable[str], machines: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the recorded ones of some figures as the report shows them, in the order of `names`."""
    rows = []
    for name in names:
        if name in recorded:
            row = recorded[name]
            origin = f"notebook {row['notebook'][:2]}, {row.get('cell') or 'its cell'} [{machines[row['notebook']]}]"
            caption = re.sub(r"[`*]", "", row["caption"])
            rows.append({"file": row["file"], "alt": row["alt"], "title": row["title"], "paper": row["paper"]})
            rows[-1] |= {"caption": caption, "origin": origin, "wide": name in WIDE, "photo": name in PHOTOS}
    return rows


def reference_rows(folder: Path = FOLDER) -> dict[str, Any]:
    """Return the published network's scores at full size (`data/reference_runs`), and what they were made with."""
    names = sorted(place.parent.name for place in folder.glob("*/settings.json"))
    runs = {name: read_reference_run(name, folder) for name in names}
    scores = reference_scores(runs, samples=get_profile("class").bootstrap, seed=0)
    made = [(run.label, run.settings["software"], run.settings["commit"][:7]) for run in runs.values()]
    rows = [
        {"run": str(name), "split": row["split"], "steps": f"{row['steps']:,}", "n": f"{row['n']:,}"}
        | {"accuracy": story.percent(row["accuracy"]), "uar": story.percent(row["UAR"]), "answers": f"{row['answers']}"}
        | {"interval": f"{story.percent(row['low'])} to {story.percent(row['high'])}"}
        | {"largest": story.percent(row["largest"]), "people": f"{row['subjects']}"}
        for name, row in scores.iterrows()
    ]
    words = split_words(scores)
    return {"rows": rows, "made": ["; ".join(parts) for parts in dict.fromkeys(made)], "words": words}


def split_words(scores: pd.DataFrame) -> list[str]:
    """Say what the split alone changes, for each network of `reference_scores` that was trained with both splits."""
    said = []
    for name in scores.index:
        other = f"{name}_segment_split"
        if other in scores.index:
            strangers, leaked = scores.loc[name], scores.loc[other]
            clear = strangers["high"] < leaked["low"] or leaked["high"] < strangers["low"]
            said.append(
                f"{name}: {story.percent(strangers['accuracy'])} on people it has never seen "
                f"(n = {strangers['n']:,}), {story.percent(leaked['accuracy'])} where segments of one clip stand in "
                f"training and in test (n = {leaked['n']:,}); the intervals {'do not overlap' if clear else 'overlap'}."
            )
    return said


def network_rows(profile: str) -> list[dict[str, str]]:
    """Return the sizes of a run's profile beside those of the published network."""
    names = ("model", "crop_size", "crop_style", "filters", "optimizer", "learning_rate", "pixels", "batch_size")
    sizes = [dataclasses.asdict(get_profile(each)) for each in ("paper", profile)]
    return [{"name": n.replace("_", " "), "paper": str(sizes[0][n]), "ours": str(sizes[1][n])} for n in names]


def gather(folder: Path, course: Course, *, profile: str, data: str, seed: int = 0) -> dict[str, Any]:
    """Return everything that the report prints about the results in a figures folder, as JSON holds it.

    Raises
    ------
    DataError
        Nothing is recorded there.
    """
    recorded, rows = records.read_figures(folder), records.read_claims(folder)
    if not rows or not recorded:
        remedy = f"Run them first: microx figures --profile {profile} --data {data}"
        raise DataError(folder, "has no claims.json or no manifest.json: no notebook has recorded anything", remedy)
    table = ledger.read_ledger(rows, course, profile=profile)
    machines = machine_letters(recorded, records.read_json(folder / "manifest.json")["machines"])
    groups: dict[str, list[dict[str, str]]] = {}
    for row in sorted(ledger_rows(table), key=_place):
        if not (group_of(row) == "beyond" and row["status"] == ledger.NOT_RUN):
            groups.setdefault(group_of(row), []).append(claim_line(row, machines["of"]))
    beyond = [name for notebook in course.notebooks if notebook.number in BEYOND for name in notebook.figures]
    tables = [
        {"number": number, "title": paper.table(number)["title"], "section": paper.table(number)["section"]}
        | {"rows": groups.pop(f"table {number}", [])}
        for number in range(1, len(paper.value("tables")) + 1)
    ]
    rendered = records.is_rendered(data)
    return {
        "title": course.title,
        "data": f"rendered people ({records.data_name(data)})" if rendered else records.data_name(data),
        "rendered": rendered,
        "command": f"microx figures --profile {profile}" + (f" --data {data}" if data != "sample" else ""),
        "profile": profile,
        "seed": seed,
        "chance": story.percent(CHANCE),
        "commit": commit_of(folder),
        "version": importlib.metadata.version("microx-utils"),
        "claims": len(table),
        "counts": [{"verdict": name, "claims": number} for name, number in count_verdicts(table).items()],
        "story": [{"heading": heading, "text": text} for heading, text in story.tell_story(table).items()],
        "story_alt": story.story_alt(table),
        "network": network_rows(profile),
        "tables": tables,
        "groups": {"beyond": [], "rebuilt": [], "figures": [], "others": [], "agreements": []} | groups,
        "figures": figure_rows(recorded, (f"figure_{n:02}" for n in range(1, 18)), machines["of"]),
        "pipeline": figure_rows(recorded, ["extra_pipeline"], machines["of"]),
        "beyond": figure_rows(recorded, beyond, machines["of"]),
        "reference": reference_rows(),
        "code": [{"topic": key, "does": text} for key, text in paper.published_code().items() if isinstance(text, str)],
        "machines": machines["rows"],
    }


def write_report(
    folder: Path, course: Course, target: Path, *, profile: str, data: str, seed: int = 0
) -> tuple[Path, Path]:
    """Write report.html and report.pdf about the results in a figures folder into `target`; return their paths.

    The PDF meets PDF/UA-1: every picture has a description, tables and headings are marked as such.

    Raises
    ------
    DataError
        Nothing is recorded in the folder, or typst is not installed.
    """
    try:
        import typst
    except ImportError as error:
        raise DataError(TEMPLATE, "needs the package typst, which is not installed", INSTALL) from error
    document = gather(folder, course, profile=profile, data=data, seed=seed)
    table = ledger.read_ledger(records.read_claims(folder), course, profile=profile)
    from matplotlib import pyplot

    from microx_utils.plots.style import style

    style()
    with tempfile.TemporaryDirectory(prefix="microx-report-") as folder_of_work:
        work = Path(folder_of_work)
        picture = story.draw_story(table, title="The paper's claims, one square each")
        picture.savefig(work / STORY_PICTURE, dpi=records.DPI, bbox_inches="tight", facecolor="white")
        pyplot.close(picture)
        for row in (*document["figures"], *document["pipeline"], *document["beyond"]):
            shutil.copyfile(folder / row["file"], work / row["file"])
        (work / "report.json").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        for file in (TEMPLATE, LOOK):
            shutil.copyfile(file, work / file.name)
        source = work / TEMPLATE.name
        page = typst.compile(source, format="html", sys_inputs={"html": "yes"}, ignore_system_fonts=True)
        pdf = typst.compile(source, format="pdf", pdf_standards="ua-1", ignore_system_fonts=True)
    for name, content in {"report.html": page, "report.pdf": pdf}.items():
        with cache.atomic_file(target / name) as temporary:
            temporary.write_bytes(content)
    return target / "report.html", target / "report.pdf"
