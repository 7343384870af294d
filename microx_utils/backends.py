"""Which program finds the landmarks: a name, chosen once for a whole run."""

import os

BACKENDS = ("litert", "openface", "dlib")
"""litert: two small networks, offline, the default. openface: the paper's. dlib: an optional extra."""

VARIABLE = "MICROX_LANDMARKS"
"""The environment variable that names the backend, for the command line, notebooks and their kernels alike."""


def chosen_backend() -> str:
    """Return the backend that the environment names; "litert" if it names none. Raises ValueError for another word."""
    return check_backend(os.environ.get(VARIABLE) or "litert", f"{VARIABLE}: ")


def check_backend(backend: str, where: str = "") -> str:
    """Return `backend`, or raise ValueError, with the choices, if it is none of BACKENDS."""
    if backend not in BACKENDS:
        raise ValueError(f"{where}unknown backend {backend!r}; choose from {list(BACKENDS)}")
    return backend
