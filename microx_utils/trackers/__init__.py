"""Programs that find 68 landmarks in a video: a face mesh (the default), OpenFace, dlib.

Start with `mesh`. Each of `mesh`, `openface` and `dlib` is a `landmarks.Tracker`; `prepare` runs one over many clips or
imports OpenFace's tables, and `quality` says which trackers can be used here and which clips to look at.
"""
