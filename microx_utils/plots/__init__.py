"""Every chart and drawing, in one style.

Start with `style`, which sets the colours and sizes of all figures, and `results`, which draws scores and confusions.
"""
