"""The component picker in a browser: ticks by mouse and key change the numbers and the matrix."""

import re
from collections.abc import Callable

import pytest
from notebook_page import NotebookPage, WidgetOnPage

pytestmark = pytest.mark.browser
NUMBERS = re.compile(r"(\d+\.\d)% \((\d+\.\d)% to (\d+\.\d)%\)")


@pytest.fixture
def picker(open_notebook: Callable[[str], NotebookPage]) -> WidgetOnPage:
    widget = open_notebook("12_facial_features").widget("Component picker")
    for name in ("left eyebrow", "right eyebrow"):
        widget.tick(name, ticked=False)
    for name in ("full face", "left eye", "right eye", "nose", "mouth"):
        widget.tick(name)
    return widget


def test_accuracies_lie_in_their_intervals(picker: WidgetOnPage) -> None:
    found = NUMBERS.findall(picker.text())
    assert len(found) == 2  # the fused, and the paper's five
    assert all(float(low) <= float(value) <= float(high) for value, low, high in found)
    assert "subject split, n = " in picker.text() and "chance 14.3 %" in picker.text()


def test_ticks_change_the_numbers_and_all_seven_have_a_network(picker: WidgetOnPage) -> None:
    reference = NUMBERS.findall(picker.text())[-1]
    for name in ("left eyebrow", "right eyebrow"):
        picker.tick(name)
    found = NUMBERS.findall(picker.text())
    assert len(found) == 3 and found[-1] == reference
    assert "one network trained on them together" in picker.text()


def test_counts_add_up_for_any_set_and_a_box_is_ticked_by_key(picker: WidgetOnPage) -> None:
    def total() -> int:
        cells = picker.root.locator("td[title]").all_inner_texts()
        assert len(cells) == 49
        return sum(map(int, cells))

    before = total()
    for name in ("full face", "left eye", "right eye", "nose"):
        picker.tick(name, ticked=False)
    assert total() == before
    picker.root.get_by_role("checkbox", name="mouth").press("Space")
    picker.notebook.settle()
    assert "Tick one component or more." in picker.text()


def test_in_notebook_11_there_are_the_papers_five(open_notebook: Callable[[str], NotebookPage]) -> None:
    picker = open_notebook("11_microx_vs_full_face").widget("Component picker")
    assert picker.root.get_by_role("checkbox").count() == 5
    picker.tick("full face", ticked=False)
    assert len(NUMBERS.findall(picker.text())) == 3  # there is a network of the four parts
    picker.tick("full face")


def test_looks(picker: WidgetOnPage) -> None:
    picker.screenshot("component_picker")
