"""The answer of the course: every claim is in it once, and the words change with the ledger."""

import re
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.patches import Rectangle

from microx_utils.course import claims, gallery, ledger
from microx_utils.course.outline import load_course
from microx_utils.publish import story


def having(**rows: dict[str, Any]) -> pd.DataFrame:
    """The ledger of a course that has recorded nothing, with some rows changed."""
    records = gallery.ledger_rows(ledger.read_ledger({}, load_course()))
    for record in records:
        if record["claim"] in rows:
            record |= {"status": ledger.RECORDED} | rows[record["claim"]]
    return pd.DataFrame(records, dtype=object).set_index("claim")


SCORE = {"ours": 0.4, "interval": [0.25, 0.5], "n": 321, "split": "subject", "chance": 1 / 7, "data": "BAUM"}


def test_every_verdict_belongs_to_one_group() -> None:
    assert sorted(name for names in story.GROUPS.values() for name in names) == sorted(gallery.STANDINGS)


def test_before_anything_is_recorded_only_the_paper_is_compared_with_itself() -> None:
    told = story.tell_story(having())
    audits = having().query("kind == 'audit'")
    agree = int((audits["verdict"] == claims.CONSISTENT).sum())
    assert told["What held"].startswith("No claim has been put to a test")
    assert f"of {len(audits)} places where the paper can be compared with itself, {agree} agree" in told["What held"]
    assert f"in {len(audits) - agree} places the paper contradicts itself" in told["What did not"]
    assert "MicroX itself" not in " ".join(told.values())
    assert sum(story.group_counts(having())["no verdict yet"].values()) == len(having()) - len(audits)


def test_what_was_reproduced_and_what_differs_is_quoted() -> None:
    table = having(
        network_parameters={"verdict": claims.REPRODUCED},
        table_1_accuracy=SCORE | {"verdict": claims.DIFFERS},
    )
    told = story.tell_story(table)
    statement = re.escape(str(table.loc["network_parameters", "statement"]))
    assert re.search(f"Of 2 claims that could be decided, 1 held: “{statement}”", told["What held"])
    assert "differs from “Accuracy on the test set”" in told["What did not"]
    last = told["What the paper's numbers can't tell"]
    assert "±12.5 points" in last  # half of 0.25 to 0.5
    assert "40.0 % of 321 test segments (95 % interval 25.0 % to 50.0 %; BAUM; subject split; chance 14.3 %)" in last
    assert "rendered" not in last


def test_rendered_people_are_said_to_settle_nothing() -> None:
    table = having(table_1_accuracy=SCORE | {"verdict": claims.UNTESTABLE, "data": "rendered: sample"})
    told = story.tell_story(table)["What the paper's numbers can't tell"]
    assert told.startswith("1 claim is about the paper's own faces")
    assert "rendered: sample" in told


def test_a_score_of_one_person_has_no_interval() -> None:
    table = having(table_1_accuracy=SCORE | {"verdict": claims.UNSETTLED, "interval": None})
    assert "(no interval; BAUM;" in story.own_accuracy(table)


def test_people_count_as_unseen_only_where_the_split_says_so() -> None:
    table = having(table_1_accuracy=SCORE | {"verdict": claims.DIFFERS, "split": "segment"})
    assert "never seen" not in story.own_accuracy(table)


@pytest.mark.parametrize("changes", [{}, {"network_parameters": {"verdict": claims.REPRODUCED}}])
def test_the_picture_has_a_square_for_every_claim(changes: dict[str, dict[str, object]]) -> None:
    mpl.use("agg")
    table = having(**changes)
    fig = story.draw_story(table, title="The answer")
    assert sum(isinstance(patch, Rectangle) for patch in fig.axes[0].patches) == len(table)
    assert f"{len(table)} claims" in story.story_alt(table)
    pyplot.close(fig)
