"""Rendered people: faces driven by FACS action units, with exact ground truth.

Start with `render`. A person is `identity`, `skin`, `hair` and `accessories`; a performance is `timecourse`; `draw`,
`raster` and `shading` make the pixels, and `sample` the data set in data/sample. `tracker_errors` compares landmarks
with the truth.

>>> from microx_utils.faces import render_still
>>> render_still(3, {12: 0.8, 6: 0.6}).shape
(256, 256, 3)
"""

from .render import FRAME_SIZE, render_clip, render_still
from .scene import SCENES
from .truth import GroundTruth

__all__ = ["FRAME_SIZE", "SCENES", "GroundTruth", "render_clip", "render_still"]
