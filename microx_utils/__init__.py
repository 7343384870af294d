"""MicroX: emotion recognition in video from facial components, with one ConvLSTM block per component.

The modules beside this file are the pipeline. Read them in this order: labels, video, landmarks, components, crops,
segments, experiments, batches, models, training, evaluation. Everything else has a folder of its own. The names that a
learner needs can be imported from here; each loads its module when it is first used.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "EMOTIONS": "labels",
    "COMPONENTS": "components",
    "load_clips": "corpora",
    "read_frames": "video",
    "clip_landmarks": "landmarks",
    "landmark_array": "landmarks",
    "crop_components": "components",
    "crop_store": "crops",
    "make_segments": "segments",
    "split_segments": "segments",
    "load_experiment": "experiments",
    "build_published": "models",
    "build_compact": "models",
    "train": "training",
    "predict": "training",
    "summary": "evaluation",
    "confusion": "evaluation",
    "bootstrap_interval": "evaluation",
    "predict_video": "apply.answers",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
