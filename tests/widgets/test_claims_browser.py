"""The claims browser: each filter alone and together, and links that lead to the recording cell."""

import pandas as pd
import pytest

from microx_utils.course.claims import CONTRADICTED
from microx_utils.course.gallery import standing
from microx_utils.course.ledger import COMPUTED, NOT_RUN, read_ledger
from microx_utils.course.outline import load_course
from microx_utils.course.records import read_claims
from microx_utils.support.paths import FIGURES
from microx_utils.widgets.claims_browser import cell_link, cited, claims_browser, claims_html, filter_claims, places


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return read_ledger(read_claims(FIGURES), load_course())


def test_without_filters_nothing_is_left_out(table: pd.DataFrame) -> None:
    assert len(filter_claims(table)) == len(table)


def test_each_filter_keeps_just_what_fits(table: pd.DataFrame) -> None:
    broken = filter_claims(table, verdict=CONTRADICTED)
    assert len(broken) and (standing(broken) == CONTRADICTED).all()
    six = filter_claims(table, place="Table 6")
    assert {"table_6_mouth", "table_5_parts_below_single_parts"} <= set(six.index) < set(table.index)
    assert (filter_claims(table, place="section VII")["section"] == "VII").all()
    assert set(filter_claims(table, notebook="12_facial_features")["notebook"]) == {"12_facial_features"}
    assert "table_6_mouth" in filter_claims(table, words="Mouth TABLE").index
    assert filter_claims(table, words="mouth .*").empty  # words, not patterns


def test_filters_add_up(table: pd.DataFrame) -> None:
    both = filter_claims(table, verdict=CONTRADICTED, place="Figure 10")
    assert 0 < len(both) < len(filter_claims(table, place="Figure 10"))


def test_every_place_in_the_menu_has_a_claim(table: pd.DataFrame) -> None:
    menu = places(table)
    assert menu.index("Table 1") < menu.index("Table 6") < menu.index("Figure 3") < menu.index("Figure 15")
    assert all(len(filter_claims(table, place=place)) for place in menu)
    assert cited("the authors' code") == []


def test_a_link_leads_to_the_cell_beside_this_notebook() -> None:
    assert 'href="06_evaluation.ipynb#cell-id=cell-62"' in cell_link({"notebook": "06_evaluation", "cell": "cell-62"})
    assert 'href="06_evaluation.ipynb"' in cell_link({"notebook": "06_evaluation", "cell": None})
    assert cell_link({"notebook": None, "cell": None}) == "–"


def test_what_comes_from_files_is_escaped(table: pd.DataFrame) -> None:
    row = table[table["status"] == COMPUTED].iloc[:1].assign(statement="<b>bold</b>", note="a & b")
    shown = claims_html(row, 9)
    assert "<b>" not in shown and "&lt;b&gt;bold" in shown and "a &amp; b" in shown
    assert "1 of 9 claims" in shown


def test_a_claim_without_a_value_says_why(table: pd.DataFrame) -> None:
    fresh = read_ledger({}, load_course())
    shown = claims_html(filter_claims(fresh, notebook="12_facial_features"), len(fresh))
    assert NOT_RUN in shown and "run notebook 12" in shown


def test_the_menus_filter_what_is_shown(table: pd.DataFrame) -> None:
    live = claims_browser(table)
    assert f"{len(table)} of {len(table)} claims" in live.views["claims"].value
    live.controls["place"].value = "Table 6"
    live.controls["words"].value = "mouth"
    n = len(filter_claims(table, place="Table 6", words="mouth"))
    assert f"{n} of {len(table)} claims" in live.views["claims"].value and n > 0
