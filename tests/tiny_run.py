"""The smallest experiment that trains, and crops to train it on, for the tests of several folders."""

import dataclasses

import numpy as np
import pandas as pd

from microx_utils.components import COMPONENTS
from microx_utils.crops import CropStore
from microx_utils.experiments import Experiment
from microx_utils.labels import EMOTIONS

TINY = Experiment(
    name="tiny",
    components=("nose", "mouth"),
    max_segments=2,
    crop_size=8,
    crop_style="aligned",
    model="compact",
    filters=2,
    stride=2,
    dense=4,
    optimizer="adam",
    learning_rate=0.01,
    pixels="scaled",
    batch_size=16,
    epochs=4,
    runs=1,
    patience=10,
    frames=3,
    step=3,
)


def fake_store(*, subjects: int = 12, frames: int = 6, size: int = 8, key: str = "fake") -> CropStore:
    """One clip of each emotion a subject, whose crops are a colour of the emotion under noise."""
    rng = np.random.default_rng(0)
    colours = rng.integers(40, 216, (len(EMOTIONS), 1, 1, 1, 1, 3))
    crops: list[np.ndarray] = []
    rows: list[dict] = []
    for s in range(subjects):
        for code, emotion in enumerate(EMOTIONS):
            noise = rng.integers(-40, 40, (frames, len(COMPONENTS), size, size, 3))
            crops.append((colours[code] + noise).astype(np.uint8))
            subject = f"s{s:03d}"
            rows.append(
                {
                    "clip_id": f"{subject}_{code:03d}",
                    "corpus": "BAUM-2",
                    "subject": subject,
                    "emotion": emotion,
                    "source_label": emotion,
                    "path": "",
                    "condition": "plain",
                    "split_group": f"BAUM-2/{subject}",
                    "first": frames * len(rows),
                    "frames": frames,
                }
            )
    stacked = np.concatenate(crops)
    return CropStore(stacked, np.ones(stacked.shape[:2], bool), pd.DataFrame(rows), pd.DataFrame(), key)


def tiny(**values) -> Experiment:
    return dataclasses.replace(TINY, **values)
