"""Pictures of faces: the right pixels in the right place, text readable."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from figure_checks import check_text, drawn, styled, texts
from matplotlib.colors import to_rgba
from matplotlib.text import Annotation

from microx_utils import components, landmarks, video
from microx_utils.components import COMPONENTS
from microx_utils.labels import EMOTIONS
from microx_utils.plots import pictures
from microx_utils.plots.style import COMPONENT_COLOURS


@pytest.fixture(autouse=True)
def _styled():
    with styled():
        yield


@pytest.fixture(scope="module")
def clip(clip_path, openface_data):
    frames, _ = video.read_frames(clip_path)
    return frames, landmarks.landmark_array(landmarks.read_openface_csv(openface_data / "happy.csv"))


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_annotated_face_points_at_the_parts(clip, emotion):
    frames, points = clip
    ax = pictures.draw_annotated_face(frames[30], points[30], emotion=emotion, caption="rendered sample")
    check_text(drawn(ax))
    tips = {a.get_text().split(":")[0]: a.xy for a in ax.texts if isinstance(a, Annotation) and ":" in a.get_text()}
    assert set(tips) == {"brows", "eyes", "nose", "lips"}
    heights = [tips[part][1] for part in ("brows", "eyes", "nose", "lips")]
    assert heights == sorted(heights), "rows count downwards: brows highest, lips lowest"


@pytest.mark.parametrize("zoom", [False, True])
def test_landmarks_lie_where_they_are(clip, zoom):
    frames, points = clip
    ax = pictures.draw_landmarks(frames[0], points[0], truth=points[0], zoom=zoom, title="Landmarks")
    check_text(drawn(ax))
    dots = np.concatenate([np.asarray(c.get_offsets()) for c in ax.collections[:-1]])
    assert {tuple(xy) for xy in dots} == {tuple(xy) for xy in points[0]}
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "rows count downwards"


@pytest.mark.parametrize("pad", [0, 75])
def test_preprocessing_pairs_box_and_crop_by_colour(clip, pad):
    frames = np.pad(clip[0][:2], ((0, 0), (0, 0), (pad, pad), (0, 0)))
    boxes = np.stack([components.component_boxes(points) for points in clip[1][:2]])
    crops = np.stack([components.crop_components(clip[0][i], clip[1][i], size=32) for i in range(2)])
    boxes[..., 0] += pad
    figure = pictures.draw_preprocessing(frames, boxes, crops, labels=["0.00 s", "0.03 s"], caption="rendered sample")
    check_text(drawn(figure))
    ax = figure.axes[0]
    assert len(ax.images) == 2 * (1 + 7)
    np.testing.assert_array_equal(ax.images[3].get_array(), crops[0, 2])
    edges = [patch.get_edgecolor() for patch in ax.patches]
    for name in COMPONENTS:
        assert edges.count(to_rgba(COMPONENT_COLOURS[name])) == 4, "two frames, a box and a crop in each"


def test_preprocessing_refuses_parts_that_do_not_fit(clip):
    with pytest.raises(ValueError, match="wanted the same frames and components"):
        pictures.draw_preprocessing(clip[0][:2], np.zeros((2, 7, 4, 2)), np.zeros((2, 5, 8, 8, 3), np.uint8))
    assert not plt.get_fignums()


def test_crops_grid_puts_components_in_rows_and_frames_in_columns(rng):
    crops = rng.integers(0, 255, (4, 7, 16, 16, 3), dtype=np.uint8)
    available = np.ones((4, 7), bool)
    available[3, 6] = False
    figure = pictures.draw_crops(crops, available=available, caption="rendered sample")
    check_text(drawn(figure))
    np.testing.assert_array_equal(figure.axes[2 * 4 + 1].images[0].get_array(), crops[1, 2])
    crossed = [place for place, ax in enumerate(figure.axes) if len(ax.lines) == 2]
    assert crossed == [6 * 4 + 3], "one crop is crossed out"
    assert {"frame 0", "3", "left eyebrow"} <= set(texts(figure))
    with pytest.raises(ValueError, match="7 rows of crops, 5 components"):
        pictures.draw_crops(crops, components=components.PAPER_COMPONENTS)


def test_contact_sheet(clip):
    images = list(clip[0][:5])
    figure = pictures.draw_images(images, list("abcde"), columns=3, emotions=EMOTIONS[:5], title="Five frames")
    check_text(drawn(figure))
    assert sum(bool(ax.images) for ax in figure.axes) == 5
    with pytest.raises(ValueError, match="no images"):
        pictures.draw_images([])
