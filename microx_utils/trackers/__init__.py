"""Programs that find 68 landmarks in a video: a face mesh (the default), OpenFace, dlib."""
