"""The landmark lab in notebook 02: a mask, a board, the threshold."""

import re
from collections.abc import Callable

import pytest
from notebook_page import NotebookPage, WidgetOnPage

pytestmark = pytest.mark.browser


@pytest.fixture
def on_page(open_notebook: Callable[[str], NotebookPage]) -> WidgetOnPage:
    return open_notebook("02_openface_preprocessing").widget("Landmark lab")


def test_a_mask_makes_the_mouths_error_larger(on_page: WidgetOnPage) -> None:
    on_page.choose("measure", "mouth")
    bare = error(on_page)
    on_page.choose("face", "mask")
    assert on_page.problem() == "" and error(on_page) > 1.5 * bare
    assert on_page.picture("mask").is_visible()
    on_page.choose("face", "plain")
    assert error(on_page) == bare


def test_a_board_hides_the_face_and_the_threshold_counts_lost_frames(on_page: WidgetOnPage) -> None:
    assert re.search(r"mesh.*\b0 of \d+", on_page.text())
    on_page.tick("a board in the middle third")
    hidden, of = re.findall(r"(\d+) of (\d+)", on_page.text().split("in view, but lost")[1])[1]
    assert hidden == of != "0"
    on_page.tick("a board in the middle third", False)
    on_page.press("no face below", "End")
    assert "threshold 1" in on_page.text()
    on_page.press("no face below", "Home")
    assert "threshold 0" in on_page.text()


def test_true_points_can_be_taken_away(on_page: WidgetOnPage) -> None:
    picture = on_page.picture("The face in frame")
    both = on_page.pixels_of(picture)
    on_page.tick("truth (rings)", False)
    assert on_page.pixels_of(picture) != both
    on_page.tick("truth (rings)")
    on_page.press("frame", "Home")
    on_page.press("frame", "ArrowRight", 20)
    on_page.screenshot("landmark_lab")


def test_the_worst_clips_are_one_click_away(open_notebook: Callable[[str], NotebookPage]) -> None:
    browser = open_notebook("02_openface_preprocessing").widget("Clip browser")
    worst = [each for each in browser.root.get_by_role("button").all_inner_texts() if each.startswith("BAUM")]
    assert len(worst) == 6
    for clip_id in worst[3], worst[0]:
        browser.click(clip_id)
        assert browser.problem() == "" and "among the worst" in browser.text()
        assert browser.picture(f"Frame 0 of {clip_id}").is_visible()


def error(on_page: WidgetOnPage) -> float:
    """The mean error of mesh's points in the table, in % of the eye distance."""
    cells = on_page.root.locator("tr", has_text="mesh").first.locator("td").all_inner_texts()
    return float(cells[2])
