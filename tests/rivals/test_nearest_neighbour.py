"""The nearest neighbour's label is copied; corners are the picture's own."""

import numpy as np
import pandas as pd

from microx_utils.evaluation import check_predictions, predicted
from microx_utils.rivals.nearest_neighbour import frame_corners, nearest_neighbour_predictions, nearest_rows


def test_nearest_rows_by_hand() -> None:
    features = np.array([[0.0, 0.0], [10.0, 0.0], [1.0, 1.0], [9.0, 9.0], [8.0, 1.0]])
    assert nearest_rows(features, np.array([0, 1, 3]), np.array([2, 4])).tolist() == [0, 1]


def test_test_segments_take_the_label_of_the_most_similar_training_segment() -> None:
    segments = pd.DataFrame(
        {
            "segment_id": ["a#00", "b#00", "c#00", "d#00"],
            "clip_id": ["a", "b", "c", "d"],
            "subject": ["S1", "S2", "S3", "S4"],
            "emotion": ["happy", "sad", "fear", "anger"],
            "split": ["train", "train", "test", "validation"],
        }
    )
    pictures = np.zeros((4, 5, 5, 3), np.uint8) + np.array([10, 200, 180, 181], np.uint8)[:, None, None, None]
    table = nearest_neighbour_predictions(pictures, segments)
    check_predictions(table)
    assert table["segment_id"].tolist() == ["c#00"]
    assert predicted(table).tolist() == ["sad"], "the validation segment is nearer, and must not count"


def test_corners_are_the_pictures_own() -> None:
    picture = np.arange(10 * 10 * 3, dtype=np.uint16).reshape(1, 10, 10, 3)
    corners = frame_corners(picture)
    assert corners.shape == (1, 4, 2, 2, 3)
    assert corners[0, 0, 0, 0].tolist() == picture[0, 0, 0].tolist()
    assert corners[0, 3, 1, 1].tolist() == picture[0, 9, 9].tolist()
