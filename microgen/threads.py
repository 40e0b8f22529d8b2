"""Compiled functions on several threads.

Threads of Python's, not of Numba's: a parallel loop of Numba's optimises all that it calls three times, once for
itself, for its wrapper and for the function around it, which is most of the compiling where it calls much. And threads
of OpenMP that wait for the next loop spin meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

_POOLS: list[ThreadPoolExecutor] = []
"""The threads beside the calling one, once there are any."""


def in_threads(function: Callable[..., Any], *arguments: Any) -> None:
    """Call function(k, n, *arguments) for k = 0 .. n - 1, side by side; n is the number of threads Numba would take.

    `function` is compiled with nogil=True, and its k-th call does the parts k, k + n, k + 2 n, ... of the work: what a
    part gives must not depend on n.
    """
    from numba import get_num_threads

    n = get_num_threads()
    if not getattr(function, "signatures", True):  # not compiled: where another thread does it, Ctrl-C waits for that
        for k in range(n):
            function(k, n, *arguments)
        return
    others = [_pool().submit(function, k, n, *arguments) for k in range(1, n)]
    try:
        function(0, n, *arguments)
    finally:  # nobody writes to the arrays any more when they are handed back
        wait(others)
    for other in others:
        other.result()


def _pool() -> ThreadPoolExecutor:
    if not _POOLS:
        _POOLS.append(ThreadPoolExecutor(max(1, (os.cpu_count() or 1) - 1), thread_name_prefix="microgen"))
    return _POOLS[0]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_POOLS.clear)  # a child has the pool, but not its threads
