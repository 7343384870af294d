"""The clip browser: what each choice shows."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from seen import alt, buttons, pixels

from microx_utils.corpora import load_clips
from microx_utils.landmarks import clip_landmarks
from microx_utils.support import paths
from microx_utils.support.errors import DataError
from microx_utils.trackers.quality import clip_quality
from microx_utils.video import write_video
from microx_utils.widgets.clip_browser import clip_browser, look_at
from microx_utils.widgets.films import load_film, load_track
from microx_utils.widgets.live import Live


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pd.DataFrame]:
    """Two people's clips, and one without a face."""
    folder = tmp_path_factory.mktemp("browser")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "PROCESSED", folder)
        load_track.cache_clear()
        few = load_clips("sample", corpora=["BAUM-2"])[0].head(3)
        write_video(folder / "empty.mp4", np.full((12, 64, 64, 3), 90, np.uint8))
        empty = few.iloc[[0]].assign(clip_id="BAUM-2/S999_001", subject="BAUM-2/S999", path=str(folder / "empty.mp4"))
        yield pd.concat([few, empty], ignore_index=True)


@pytest.fixture
def browser(clips: pd.DataFrame) -> Live:
    return clip_browser(clips, quality=clip_quality(clips, jobs=1))


def facts(live: Live) -> str:
    return str(live.shown["facts"])


def test_the_slider_moves_through_all_frames_of_the_clip(browser: Live, clips: pd.DataFrame) -> None:
    count = len(load_film(clips["path"].iloc[0]).frames)
    assert browser.controls["frame"].max == count - 1
    before = browser.views["picture"].png
    browser.controls["frame"].value = 12
    assert "12 of 0 to" in facts(browser) and "0.40 s" in facts(browser)
    assert browser.views["picture"].png != before
    assert browser.views["picture"].alt.startswith(f"Frame 12 of {clips['clip_id'].iloc[0]}, labelled")


def test_another_person_has_a_clip_of_another_length(browser: Live, clips: pd.DataFrame) -> None:
    browser.controls["frame"].value = browser.controls["frame"].max
    browser.controls["subject"].value = "BAUM-2/S999"
    assert browser.problem.value == ""
    assert browser.controls["frame"].max == 11 and browser.controls["frame"].value == 11
    assert "not found yet" in facts(browser)


def test_a_bad_clip_is_one_click_away_with_its_reason(browser: Live) -> None:
    browser.controls["frame"].value = 5
    buttons(browser)["BAUM-2/S999_001"].click()
    assert browser.values["clip_id"] == "BAUM-2/S999_001" and browser.values["frame"] == 0
    assert "no face found in any frame" in facts(browser)


def test_points_and_boxes_are_drawn_where_they_were_found(clips: pd.DataFrame) -> None:
    clip = clips.iloc[0].to_dict()
    bare, points, boxes = (
        look_at(clip, 3, *shown)["picture"] for shown in ((False, False), (True, False), (False, True))
    )
    assert pixels(bare).shape == pixels(points).shape and len(pixels(boxes)) > len(pixels(bare))
    row = clip_landmarks(clip["path"]).iloc[3]
    factor = pixels(bare).shape[1] / load_film(clip["path"]).frames.shape[2]
    changed = np.argwhere((pixels(bare) != pixels(points)).any(axis=2))
    tip = (np.array([row["y_30"], row["x_30"]]) + 0.5) * factor - 0.5
    assert np.linalg.norm(changed - tip, axis=1).min() < 2
    chin = (row["y_8"] + 0.5) * factor
    assert abs(changed[:, 0].max() - chin) < 0.03 * len(pixels(bare)), "the chin is the lowest of the points"
    assert "landmarks" in alt(points) and "landmarks" not in alt(boxes) and "crops" in alt(boxes)


def test_no_landmarks_are_computed_unless_they_are_shown(clips: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object, **named: object) -> None:
        raise AssertionError("landmarks were asked for")

    monkeypatch.setattr("microx_utils.widgets.clip_browser.load_track", refuse)
    live = clip_browser(clips, marked=False)
    assert "crops" not in alt(live.shown["picture"])
    live.controls["landmarks"].value = True
    assert "landmarks were asked for" in live.problem.value


def test_a_video_that_cannot_be_read_shows_why(clips: pd.DataFrame, tmp_path: Path) -> None:
    missing = clips.iloc[[0]].assign(clip_id="BAUM-2/S500_001", subject="BAUM-2/S500", path=str(tmp_path / "gone.mp4"))
    live = clip_browser(pd.concat([clips, missing]))
    live.controls["subject"].value = "BAUM-2/S500"
    assert "no such file" in live.problem.value
    with pytest.raises(DataError, match="no such file"):
        clip_browser(missing)
