"""What networks are computed with: TensorFlow's threads, and Keras's settings, whatever a user's keras.json says.

A run's key names the backend and none of Keras's other settings, so the same key must always mean the same settings.
"""

import os
import sys
from typing import Any


def prepare_networks() -> None:
    """Set TensorFlow's threads, unless the environment sets them already, and Keras's settings where it is imported.

    The blocks of a network are independent and their operations small: on two cores a MicroX trains about 1.6 times as
    fast with several operations at a time, of one thread each, as with several threads for one operation. TensorFlow
    reads the variables when it first runs something, so runs call this first.
    """
    if "keras" in sys.modules:
        pinned_keras()
    keras_backend()
    processors = os.cpu_count() or 1
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", str(processors))
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, processors // 5)))


def keras_backend() -> str:
    """Return the backend that computes: the one Keras runs on, or will: KERAS_BACKEND's, else "tensorflow".

    The variable is set, so that Keras doesn't take another one from the user's keras.json when it is imported.
    """
    if "keras" in sys.modules:
        return sys.modules["keras"].config.backend()
    os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND") or "tensorflow"
    return os.environ["KERAS_BACKEND"]


def pinned_keras() -> Any:
    """Return the module keras with its own defaults, for this process: float32, channels last, epsilon 1e-7.

    Whatever builds or loads a network calls this first.
    """
    keras_backend()
    import keras

    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")  # it would stay what it was
    keras.config.set_image_data_format("channels_last")
    keras.config.set_epsilon(1e-7)
    return keras
