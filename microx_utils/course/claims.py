"""The paper's claims (claims.toml) and the verdict on each: what a run found beside what the paper says."""

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from microx_utils.course import paper
from microx_utils.course.audits import AUDITS, Audit

CLAIMS_FILE = Path(__file__).with_name("claims.toml")

REPRODUCED = "reproduced"
DIFFERS = "differs"
UNSETTLED = "not settled: all that was tested is of one person"
UNTESTABLE = "cannot be tested on rendered data"
CONTRADICTED = "contradicted by the paper itself"
CONSISTENT = "consistent within the paper"
ADOPTED = "adopted: a setting taken from the paper"
NOT_ADOPTED = "not adopted: this profile sets it otherwise"
VERDICTS = (REPRODUCED, DIFFERS, UNSETTLED, UNTESTABLE, CONTRADICTED, CONSISTENT, ADOPTED, NOT_ADOPTED)

KINDS = ("score", "reading", "structure", "setting", "audit")


@dataclass(frozen=True)
class Claim:
    """One claim: `paper` is the paper's value, looked up in paper.toml (None for an audit, see `audit`)."""

    id: str
    statement: str
    source: str
    kind: str
    paper: Any


@cache
def load_claims(path: Path = CLAIMS_FILE) -> dict[str, Claim]:
    """Return every declared claim by id, in the file's order.

    Raises
    ------
    ValueError
        A claim's kind is unknown, its value is missing, or an audit has no function.
    """
    claims = {}
    for name, row in tomllib.loads(path.read_text(encoding="utf-8")).items():
        kind = row["kind"]
        if kind not in KINDS:
            raise ValueError(f"claim {name!r}: kind is {kind!r}; choose from {KINDS}")
        if kind == "audit" and name not in AUDITS:
            raise ValueError(f"claim {name!r} is an audit without a function; known are {sorted(AUDITS)}")
        if kind != "audit" and ("paper" in row) == ("value" in row):
            raise ValueError(f"claim {name!r}: give either `paper` (keys of paper.toml) or `value`")
        said = paper.value(*row["paper"]) if "paper" in row else row.get("value")
        claims[name] = Claim(name, row["statement"], row["source"], kind, said)
    return claims


def get_claim(name: str) -> Claim:
    """Return a claim by id."""
    if name not in load_claims():
        raise ValueError(f"unknown claim {name!r}; choose from {list(load_claims())}")
    return load_claims()[name]


def audit(name: str) -> Audit:
    """Return both sides of an audit, computed from paper.toml.

    >>> audit("blocks_against_inputs")
    Audit(stated=6, found=5, tolerance=0.0, at_least=False)
    """
    if name not in AUDITS:
        raise ValueError(f"unknown audit {name!r}; choose from {sorted(AUDITS)}")
    return AUDITS[name]()


def verdict(claim: Claim, ours: Any, *, rendered: bool, interval: tuple[float, float] | None = None) -> str:
    """Return one of VERDICTS.

    Parameters
    ----------
    claim
        A score is reproduced if the paper's value lies in our interval; a reading or a structure if it is equal.
        A setting is adopted or not. An audit looks at paper.toml only.
    ours
        Our value; ignored for an audit.
    rendered
        True if the data are rendered people. Scores and readings then say nothing about the paper's real faces.
    interval
        Lower and upper end of ours, NaN where one person was tested; a score on real data needs it.
    """
    if claim.kind == "audit":
        return CONSISTENT if audit(claim.id).holds else CONTRADICTED
    if claim.kind == "setting":
        return ADOPTED if ours == claim.paper else NOT_ADOPTED
    if rendered and claim.kind != "structure":
        return UNTESTABLE
    if claim.kind != "score":
        return REPRODUCED if ours == claim.paper else DIFFERS
    if interval is None:
        raise ValueError(f"claim {claim.id!r} is a score: give its interval")
    if any(map(math.isnan, interval)):
        return UNSETTLED
    return REPRODUCED if interval[0] <= claim.paper <= interval[1] else DIFFERS


def claim_row(
    name: str,
    ours: Any = None,
    *,
    rendered: bool,
    data: str,
    interval: tuple[float, float] | None = None,
    n: int | None = None,
    chance: float | None = None,
    split: str | None = None,
    note: str = "",
) -> dict[str, Any]:
    """Return the row of claims.json for what a run found: claim, both values, verdict and what qualifies ours.

    Parameters
    ----------
    ours
        Our value; left out for an audit, whose two sides come from paper.toml.
    data
        What the value was measured on, in words.
    interval, n, chance, split
        95 % interval (low, high), number of test segments, accuracy of a guess, and the split rule ("subject"). A score
        needs all four; an interval of NaN (one person was tested) is kept as None.

    Raises
    ------
    ValueError
        The claim is unknown, a score lacks one of its qualifiers, or an audit is given a value.
    """
    claim = get_claim(name)
    if claim.kind == "audit":
        if ours is not None:
            raise ValueError(f"claim {name!r} is an audit: both its values come from paper.toml, leave `ours` out")
        ours = audit(name).found
    elif ours is None:
        raise ValueError(f"claim {name!r} needs our value")
    known = None if interval is None or any(map(math.isnan, interval)) else list(interval)
    qualifiers = {"interval": interval, "n": n, "chance": chance, "split": split}
    missing = [key for key, value in qualifiers.items() if value is None]
    if claim.kind == "score" and missing:
        raise ValueError(f"claim {name!r} is a score and misses {missing}; a score without them can't be read")
    if known and not known[0] <= known[1]:
        raise ValueError(f"claim {name!r}: interval {interval} runs backwards")
    on_data = claim.kind in ("score", "reading")
    return qualifiers | {
        "interval": known,
        "statement": claim.statement,
        "source": claim.source,
        "kind": claim.kind,
        "paper": audit(name).stated if claim.kind == "audit" else claim.paper,
        "ours": ours,
        "data": ("rendered: " if rendered else "") + data if on_data else "none needed",
        "verdict": verdict(claim, ours, rendered=rendered, interval=interval),
        "note": note,
    }
