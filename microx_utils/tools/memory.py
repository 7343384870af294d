"""How much memory a program may have."""

import sys

from microx_utils.support.errors import DataError


def check_memory(gib: float) -> None:
    """Raise DataError if this process may have less address space than a command needs, GiB (`ulimit -v`).

    Libraries run into such a limit wherever they happen to be; they then fail to load, hang or end the process.
    """
    if sys.platform == "win32":  # has no such limit
        return
    import resource

    allowed = resource.getrlimit(resource.RLIMIT_AS)[0]
    if allowed != resource.RLIM_INFINITY and allowed < gib * 2**30:
        problem = f"programs may have {allowed / 2**30:.1f} GiB of memory, and this command needs {gib:g} GiB"
        raise DataError("the limit of this shell", problem, "Raise it: ulimit -v unlimited.")
