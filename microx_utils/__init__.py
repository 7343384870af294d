"""MicroX: facial components in video, one ConvLSTM block each, seven labelled expressions.

The modules stand in pipeline order: corpora, video, landmarks and openface, components, segments, models,
training, evaluation, plots. Each is imported by name: `from microx_utils import components`.
"""

import os

# The blocks of a network are independent, and their operations small: one thread for each of several operations at a
# time trains a MicroX on two cores about 1.6 times as fast as several threads for each. TensorFlow reads these when it
# starts.
os.environ.setdefault("TF_NUM_INTEROP_THREADS", str(os.cpu_count() or 1))
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // 5)))

# A damaged video is listed by name with what is wrong; what decoders print about it names no file. OpenCV reads these
# when it starts.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
