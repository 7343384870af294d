"""The ledger: every claim of the paper, what was found, and the experiment, predictions and cell that it comes from."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from microx_utils import training
from microx_utils.course import paper, records
from microx_utils.course.claims import CLAIMS_FILE, Claim, claim_row, load_claims
from microx_utils.course.outline import Course, duration
from microx_utils.experiments import LATER, Experiment, get_profile, parse_experiment, read_experiments
from microx_utils.rivals import systems
from microx_utils.rivals.systems import Baseline
from microx_utils.support import cache, paths

RECORDED, STALE, COMPUTED, NOT_RUN, NO_NOTEBOOK = "recorded", "stale", "needs no run", "not run yet", "no notebook yet"
"""Status of a ledger's row. Only the first three have a verdict."""

MENTION = re.compile(r"(abstract)|sections? ([IVX]+(?:\.[A-F])?)|(Figure|Table)s? (\d+)")


def describe_inputs(made_from: Any) -> Any:
    """Return what `Lesson.show` and `Lesson.record_claim` were given as `made_from`, as JSON holds it.

    A `training.Run` becomes {"experiment", "seed", "key", "settings"}, in lists and dicts too; `settings` is the hash
    of the experiment as it was. A `Baseline` also has "system": its experiment determined people and segments, and its
    `settings` include the system's. Other values are kept, see `records.plain`.
    """
    if isinstance(made_from, training.Run | Baseline):
        experiment = made_from.experiment
        row = {"experiment": experiment.name, "seed": experiment.seed, "key": made_from.key}
        if isinstance(made_from, Baseline):
            return row | {"system": made_from.name, "settings": system_key(made_from.name, experiment)}
        return row | {"settings": settings_key(experiment)}
    if isinstance(made_from, Mapping):
        return {str(name): describe_inputs(inner) for name, inner in made_from.items()}
    if isinstance(made_from, list | tuple):
        return [describe_inputs(inner) for inner in made_from]
    return records.plain(made_from)


def settings_key(experiment: Experiment) -> str:
    """Return the hash of an experiment's row at a profile's size and of the training code's version."""
    return cache.content_key(experiment=experiment.settings(), code=training.CODE_VERSION)


def system_key(name: str, experiment: Experiment) -> str:
    """Return the hash of a compared system's options, its code's version and the experiment it is run on.

    Options other than `systems.OPTIONS` are in the notebook's code, whose changes are noticed anyway.
    """
    options, code = systems.OPTIONS[name], systems.CODE_VERSION
    return cache.content_key(options=options, code=code, experiment=settings_key(experiment))


def runs_of(inputs: Any) -> list[dict[str, Any]]:
    """Return the described runs and baselines among a row's `inputs`, in their order, each once."""
    if isinstance(inputs, Mapping):
        if "key" in inputs and "experiment" in inputs:
            return [dict(inputs)]
        inputs = list(inputs.values())
    found: list[dict[str, Any]] = []
    for inner in inputs if isinstance(inputs, list) else []:
        found += [run for run in runs_of(inner) if run not in found]
    return found


def origin_key(notebook: str, *, profile: str, data: str, seed: int, inputs: Any) -> str:
    """Return the hash of all that a notebook's row comes from: its code, the profile, data set, seed and inputs.

    Cells with the tag "widget" don't count: they show a widget, and record nothing.
    """
    cells = json.loads((paths.NOTEBOOKS / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    counted = [
        cell
        for cell in cells
        if cell["cell_type"] == "code" and "widget" not in cell.get("metadata", {}).get("tags", [])
    ]
    code = ["".join(cell["source"]) for cell in counted]  # a text or a list of lines
    settings = {name: value for name, value in asdict(get_profile(profile)).items() if LATER.get(name, ...) != value}
    return cache.content_key(code=code, profile=settings, data=data, seed=seed, inputs=inputs)


def why_stale(row: Mapping[str, Any]) -> str:
    """Return what has changed since a row of claims.json was written; "" if nothing has."""
    if not {"seed", "inputs", "data_set", "made_from"} <= row.keys():
        return "recorded by an earlier version of this package"
    notebook = row["notebook"]
    if not (paths.NOTEBOOKS / f"{notebook}.ipynb").is_file():
        return f"notebook {notebook} is gone"
    origin = origin_key(notebook, profile=row["profile"], data=row["data_set"], seed=row["seed"], inputs=row["inputs"])
    if origin != row["made_from"]:
        return f"notebook {notebook[:2]} or its profile has changed since"
    known = read_experiments()
    changes = (_what_changed(run, row["profile"], known) for run in runs_of(row["inputs"]))
    return next(filter(None, changes), "")


def _what_changed(run: Mapping[str, Any], profile: str, known: Mapping[str, Any]) -> str:
    """Return what has changed since a run or a compared system was described; "" if nothing has.

    `known` are the rows of experiments.toml.
    """
    name = run["experiment"]
    if name not in known:
        return f"experiment {name} is gone"
    experiment = parse_experiment(name, known[name], get_profile(profile), seed=run["seed"])
    if "system" not in run:
        return "" if settings_key(experiment) == run["settings"] else f"experiment {name} has changed since"
    if run["system"] not in systems.OPTIONS:
        return f"system {run['system']} is gone"
    same = system_key(run["system"], experiment) == run["settings"]
    return "" if same else f"system {run['system']}, or its experiment {name}, has changed since"


def predictions_path(run: Mapping[str, Any]) -> str:
    """Return where the predictions of a described run or baseline lie below `paths.PROCESSED` (data/processed).

    >>> predictions_path({"experiment": "table6_mouth", "key": "0123456789abcdef"})
    'runs/table6_mouth-0123456789abcdef/predictions.parquet'
    """
    folder, name = ("baselines", run["system"]) if "system" in run else ("runs", run["experiment"])
    return f"{folder}/{name}-{run['key']}/predictions.parquet"


def section_of(source: str) -> str:
    """Return the section of the paper that a claim's source names first, by itself or through a figure or table.

    >>> section_of("Figures 5 and 6, and the authors' code"), section_of("section V.B and Figure 3")
    ('IV.C', 'V.B')
    """
    mention = MENTION.search(source)
    if mention is None:
        raise ValueError(f"source {source!r} names no section, figure or table of the paper")
    abstract, section, kind, number = mention.groups()
    if abstract or section:
        return abstract or section
    return (paper.figure if kind == "Figure" else paper.table)(int(number))["section"]


def read_ledger(rows: Mapping[str, Mapping[str, Any]], course: Course, *, profile: str = "class") -> pd.DataFrame:
    """Return the ledger of some rows of claims.json: every claim of claims.toml, in the order of the paper's sections.

    Parameters
    ----------
    rows
        `records.read_claims` of an output folder.
    course
        Says which notebook records which claim.
    profile
        Whose running times are given for claims that have not been recorded.

    Returns
    -------
    DataFrame
        Indexed by claim. section, statement, source, kind; paper, ours, interval, n, chance, split, data, verdict,
        note (None where it does not apply or is not known); status, one of `RECORDED`, `STALE`, `COMPUTED` (an audit,
        made here from paper.toml), `NOT_RUN`, `NO_NOTEBOOK`, and detail, which explains it; notebook, cell, runs.
        A stale row keeps its old value and verdict.
    """
    order = list(paper.value("sections"))
    records = [_ledger_row(claim, rows.get(name), course, profile) for name, claim in load_claims().items()]
    table = pd.DataFrame(records, dtype=object).set_index("claim")  # dtype: no n becomes a float beside a None
    places = {name: place for place, name in enumerate(table.index)}
    return table.loc[sorted(table.index, key=lambda name: (order.index(table.loc[name, "section"]), places[name]))]


def _ledger_row(claim: Claim, row: Mapping[str, Any] | None, course: Course, profile: str) -> dict[str, Any]:
    home = next((notebook for notebook in course.notebooks if claim.id in notebook.claims), None)
    record: dict[str, Any] = {"claim": claim.id, "section": section_of(claim.source), "statement": claim.statement}
    record |= {"source": claim.source, "kind": claim.kind, "paper": claim.paper}
    record |= dict.fromkeys(("ours", "interval", "n", "chance", "split", "data", "verdict"))
    record |= {"note": "", "cell": None, "runs": [], "notebook": home.id if home else None}
    if claim.kind == "audit":  # what is on disk can only repeat it
        record |= claim_row(claim.id, rendered=False, data="") | {"status": COMPUTED, "detail": ""}
        if row is not None and row["verdict"] == record["verdict"]:
            record |= {"note": row["note"], "cell": row.get("cell")}
    elif row is not None:
        reason = why_stale(row)
        if row["paper"] != records.plain(claim.paper):
            reason = reason or "the paper's value has been corrected since"
        copied = ("ours", "interval", "n", "chance", "split", "data", "verdict", "note", "notebook")
        record |= {key: row[key] for key in copied} | {"cell": row.get("cell"), "runs": runs_of(row.get("inputs"))}
        record |= {"status": STALE if reason else RECORDED, "detail": reason}
    elif home is not None:
        minutes = home.run_minutes.get(profile)
        about = f", about {duration(minutes)}" if minutes else ""
        record |= {"status": NOT_RUN, "detail": f"run notebook {home.number}{about}"}
    else:
        record |= {"status": NO_NOTEBOOK, "detail": f"declared in {CLAIMS_FILE.name}, recorded by none"}
    return record
