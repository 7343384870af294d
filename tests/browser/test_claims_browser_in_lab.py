"""The claims browser in a browser: filters leave the claims that fit, and a link leads to the cell."""

import re
from collections.abc import Callable

import pytest
from notebook_page import NotebookPage, WidgetOnPage

from microx_utils.course.claims import load_claims

pytestmark = pytest.mark.browser


@pytest.fixture
def claims(open_notebook: Callable[[str], NotebookPage]) -> WidgetOnPage:
    open_notebook("03_segments_and_splits")  # so that there are claims whose cell is known
    widget = open_notebook("18_claims_report").widget("Claims browser")
    widget.choose("in the paper", "all")
    widget.choose("notebook", "all")
    widget.root.get_by_role("textbox").fill("")
    widget.notebook.settle()
    return widget


def rows(widget: WidgetOnPage) -> list[str]:
    shown = widget.root.locator("tbody tr").all_inner_texts()
    assert f"{len(shown)} of {len(load_claims())} claims" in widget.text()
    return shown


def test_filters_leave_what_fits(claims: WidgetOnPage) -> None:
    assert len(rows(claims)) == len(load_claims())
    claims.choose("in the paper", "Table 6")
    six = rows(claims)
    assert 0 < len(six) < len(load_claims()) and all("Table" in text and "6" in text for text in six)
    claims.root.get_by_role("textbox").fill("MOUTH")
    claims.notebook.settle()
    assert 0 < len(rows(claims)) < len(six)
    assert all("mouth" in text.lower() for text in rows(claims))


def test_a_link_opens_the_notebook_and_then_goes_to_the_cell(claims: WidgetOnPage) -> None:
    claims.choose("notebook", "03_segments_and_splits")
    link, page = claims.root.get_by_role("link").first, claims.page
    (cell,) = re.findall(r"#cell-id=(.+)$", link.get_attribute("href") or "")
    link.click()
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.context?.path === '03_segments_and_splits.ipynb'", timeout=120_000
    )
    page.wait_for_function(  # cells below the page are laid out when there is time for it
        """(cell) => {
            window.opened = window.jupyterapp.shell.currentWidget;
            return window.opened.content.widgets.find((widget) => widget.model.id === cell)?.isAttached;
        }""",
        arg=cell,
        timeout=60_000,
    )
    page.evaluate(
        """async () => {
            await window.opened.sessionContext.ready;
            await window.jupyterapp.commands.execute("docmanager:open", { path: "18_claims_report.ipynb" });
        }"""
    )
    link.click()  # JupyterLab goes to a cell only in a notebook that is open already
    page.wait_for_function(
        """(cell) => {
            const found = window.opened.content.widgets.find((widget) => widget.model.id === cell);
            const top = found?.isVisible ? found.node.getBoundingClientRect().top : -1;
            return 0 < top && top < window.innerHeight;
        }""",
        arg=cell,
        timeout=60_000,
    )
    page.evaluate(
        "() => void window.jupyterapp.commands.execute('docmanager:open', { path: '18_claims_report.ipynb' })"
    )


def test_looks(claims: WidgetOnPage) -> None:
    claims.screenshot("claims_browser")
