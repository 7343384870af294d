"""A question in a browser: nothing is said before a choice; each choice, by mouse or key, gets its explanation."""

from collections.abc import Callable

import pytest
from notebook_page import NotebookPage, WidgetOnPage

from microx_utils.widgets.predict_choice import read_questions

pytestmark = pytest.mark.browser
ASKED = read_questions("06_evaluation")["lazy_model"]


@pytest.fixture
def question(open_notebook: Callable[[str], NotebookPage]) -> WidgetOnPage:
    return open_notebook("06_evaluation").widget("Predict")


def test_each_choice_gets_its_explanation(question: WidgetOnPage) -> None:
    assert "Choose one, then read on." in question.text()
    group = question.root.get_by_role("group", name=ASKED["question"])
    assert group.get_by_role("radio", checked=True).count() == 0
    for option, says in ASKED["options"].items():
        group.get_by_role("radio", name=option, exact=True).check()
        question.notebook.settle()
        assert question.root.get_by_role("status").inner_text().endswith(says)
        assert ("Right." in question.text()) == (option == ASKED["answer"])


def test_arrow_keys_go_from_option_to_option(question: WidgetOnPage) -> None:
    first, second = question.root.get_by_role("radio").all()[:2]
    first.check()
    first.press("ArrowDown")
    question.notebook.settle()
    assert second.is_checked()
    assert question.root.get_by_role("status").inner_text().endswith(list(ASKED["options"].values())[1])


def test_looks(question: WidgetOnPage) -> None:
    question.root.get_by_role("radio", name=ASKED["answer"]).check()
    question.notebook.settle()
    question.screenshot("predict_choice")
