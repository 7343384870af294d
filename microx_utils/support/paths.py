"""Folders of the checkout."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
SAMPLE = DATA / "sample"
PROCESSED = Path(os.environ.get("MICROX_PROCESSED", DATA / "processed"))
"""Cached stage outputs. MICROX_PROCESSED moves them, for instance to a larger disk."""
FIGURES = ROOT / "figures"
NOTEBOOKS = ROOT / "notebooks"
EXERCISES = ROOT / "exercises"
"""The notebooks without their answers, generated."""
BUILD = ROOT / "build"
"""Executed notebooks and their HTML; ignored by git."""


def short(path: Path) -> str:
    """Return a path for messages: relative inside the checkout, in full elsewhere."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
