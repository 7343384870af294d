"""The confusion explorer in a browser: cells by mouse and key, the clips behind them, frames, second choices."""

import re
from collections.abc import Callable

import pytest
from notebook_page import NotebookPage, WidgetOnPage

from microx_utils.labels import EMOTIONS

pytestmark = pytest.mark.browser
TITLE = "Confusion explorer"


@pytest.fixture
def explorer(open_notebook: Callable[[str], NotebookPage]) -> WidgetOnPage:
    widget = open_notebook("06_evaluation").widget(TITLE)
    widget.choose("matrix of", "label and answer")
    widget.choose("count", "segments")
    widget.choose("emotions", "all seven")
    return widget


def counts_of(widget: WidgetOnPage) -> dict[tuple[str, str], int]:
    """What the buttons say: (label, answer) -> count; the shown number is the one that is read aloud."""
    found = {}
    for button in widget.root.get_by_role("gridcell").get_by_role("button").all():
        says = re.fullmatch(
            r"labelled (\w+), answered (\w+): (\d+) of \d+ \w+ \(\d+%\)", button.get_attribute("aria-label") or ""
        )
        assert says, button.get_attribute("aria-label")
        assert button.text_content() == says[3]
        found[says[1], says[2]] = int(says[3])
    return found


def test_a_click_lists_as_many_segments_as_the_cell_counts(explorer: WidgetOnPage) -> None:
    counts = counts_of(explorer)
    assert len(counts) == 49
    (label, answer), n = max(counts.items(), key=lambda item: item[1])
    explorer.root.get_by_role("button", name=f"labelled {label}, answered {answer}:").click()
    explorer.notebook.settle()
    assert explorer.root.get_by_role("listbox").get_by_role("option").count() == n
    assert f"{n} of the {sum(counts[label, other] for other in EMOTIONS)} segments labelled {label} " in explorer.text()
    assert explorer.picture(f"labelled {label}").is_visible()
    assert f"Probabilities; labelled {label}" in explorer.text()


def test_frames_move_by_key(explorer: WidgetOnPage) -> None:
    explorer.press("frame", "Home")
    first = explorer.pixels_of(explorer.picture("Frame 1 of"))
    explorer.press("frame", "ArrowRight", 4)
    assert explorer.reading("frame") == "4"
    assert explorer.pixels_of(explorer.picture("Frame 5 of")) != first


def test_arrow_keys_walk_over_the_matrix_and_space_chooses(explorer: WidgetOnPage) -> None:
    chosen = explorer.root.get_by_role("button", name="labelled neutral, answered neutral:")
    chosen.click()
    chosen.press("ArrowDown")
    focused = explorer.root.get_by_role("button", name="labelled anger, answered neutral:")
    assert focused.evaluate("(button) => button === document.activeElement")
    focused.press("ArrowRight")
    explorer.root.get_by_role("button", name="labelled anger, answered anger:").press("Space")
    explorer.notebook.settle()
    assert "segments labelled anger" in explorer.text()
    assert (
        explorer.root.locator('[aria-selected="true"] button')
        .get_attribute("aria-label")
        .startswith(  # type: ignore[union-attr]
            "labelled anger, answered anger:"
        )
    )


def test_one_emotion_against_the_rest_adds_up(explorer: WidgetOnPage) -> None:
    counts = counts_of(explorer)
    explorer.choose("emotions", "fear against the rest")
    folded = counts_of(explorer)
    assert len(folded) == 4
    assert folded["fear", "fear"] == counts["fear", "fear"]
    assert sum(folded.values()) == sum(counts.values())
    explorer.choose("count", "clips")
    assert 0 < sum(counts_of(explorer).values()) < sum(counts.values())


def test_in_notebook_07_it_begins_with_second_choices(open_notebook: Callable[[str], NotebookPage]) -> None:
    explorer = open_notebook("07_next_highest_emotion").widget(TITLE)
    assert explorer.root.get_by_role("button", name="impossible").count() == 7
    assert all(button.is_disabled() for button in explorer.root.get_by_role("button", name="impossible").all())
    assert "second choice" in explorer.text()
    assert explorer.picture("Frame 1 of").is_visible()


def test_looks(explorer: WidgetOnPage) -> None:
    explorer.screenshot("confusion_explorer")
