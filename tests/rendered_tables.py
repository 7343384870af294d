"""Landmark tables of rendered clips, made from their ground truth."""

from typing import Any

import numpy as np
import pandas as pd

from microx_utils.corpora import load_clips
from microx_utils.faces.truth import GroundTruth
from microx_utils.landmarks import X_COLUMNS, Y_COLUMNS
from microx_utils.support import paths

HAPPY = paths.SAMPLE / "own" / "p01" / "happy_plain_1.mp4"


def table_of(truth: GroundTruth, shift: np.ndarray | float = 0.0, *, lost: tuple[int, ...] = ()) -> pd.DataFrame:
    """The table of a perfect tracker whose points are all off by `shift`, and which loses some frames."""
    rows = truth.rows_at(np.arange(round(len(truth) / truth.fps * 30)) / 30)
    points = truth.landmarks[rows].astype(float) + shift
    success = np.ones(len(points), int)
    success[list(lost)] = 0
    head = pd.DataFrame(
        {
            "frame": np.arange(1, len(points) + 1),
            "face_id": 0,
            "timestamp": np.arange(len(points)) / 30,
            "confidence": 0.9 * success,
            "success": success,
        }
    )
    xy = pd.DataFrame(points.transpose(0, 2, 1).reshape(len(points), -1), columns=[*X_COLUMNS, *Y_COLUMNS])
    return pd.concat([head, xy], axis=1)


def eye_line(truth: GroundTruth) -> np.ndarray:
    """From the right eye's outer corner to the left one's, float64 (T, 2) px."""
    return (truth.landmarks[:, 45] - truth.landmarks[:, 36]).astype(float)


def as_rows(table: pd.DataFrame, key: str | list[str]) -> dict[Any, dict[Any, Any]]:
    return table.set_index(key).to_dict("index")


def few_clips() -> pd.DataFrame:
    own, _ = load_clips("sample", corpora=["own"])
    return own[own["path"].str.contains("p01/happy|p05/happy")].reset_index(drop=True)
