"""How the renderer's inner loops are compiled."""

from collections.abc import Callable
from typing import Any

import numba

from microx_utils.support import paths


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return numba's decorator `njit(fastmath=True, **options)`, which keeps what it compiled between processes.

    Dividing by zero gives an infinity, as in NumPy; looking for it before each division takes time.

    numba keeps it in NUMBA_CACHE_DIR, beside the module or in the user's own cache folder, whichever can be written to.
    If none can, as in a read-only checkout of a user without a home, it is kept with the other caches.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(cache=True, fastmath=True, error_model="numpy", **options)(function)
        except RuntimeError:  # "no locator available"
            numba.config.CACHE_DIR = str(paths.PROCESSED / "numba")  # type: ignore[attr-defined]
            return numba.njit(cache=True, fastmath=True, error_model="numpy", **options)(function)

    return decorate
