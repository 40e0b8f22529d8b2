"""Numba's `njit` with a cache on disk that many processes may fill at once.

Numba numbers the files of a function's compiled versions as it goes. Two processes that compile two versions (float32
and float64, say) at the same moment both take the same number, and one version is later run on the other's arguments:
wrong results or a crash, for ever, as the cache keeps it. Here a file is named after what it holds, and written before
the index names it; the worst that can happen is that something is compiled twice.

Numba also compares only the file of the function itself with its cache. Here the cache is stale as soon as any file
with compiled functions in the same folder is newer, for they call each other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import IndexDataCacheFile


def compiled(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Compile at the first call, or load what was compiled before. `options` are those of `numba.njit`."""

    def decorate(function: Callable[..., Any]) -> Any:
        jit: Any = njit  # its stubs do not know all its options
        made: Any = jit(cache=True, no_cfunc_wrapper=True, **options)(function)
        if made is not function:  # NUMBA_DISABLE_JIT hands the function back
            cache, folder = made._cache, Path(function.__code__.co_filename).parent
            stamp = cache._impl.locator.get_source_stamp(), _stamp(folder)
            cache._cache_file = _Files(cache.cache_path, cache._impl.filename_base, stamp)
        return made

    return decorate if function is None else decorate(function)


def inner(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """`compiled`, for a function that only compiled ones call: calling it from Python would end the process.

    What Python would call it through unpacks and checks each array of the arguments, and takes a fifth of the time to
    compile where there are many.
    """
    return compiled(function, no_cpython_wrapper=True, **options)


@lru_cache
def _stamp(folder: Path) -> str:
    """What tells one state of the folder's compiled functions from another."""
    told = sha256()
    for path in sorted(folder.glob("*.py")):
        text = path.read_bytes()
        if b"microgen.compiled" in text:
            told.update(path.name.encode() + text)
    return told.hexdigest()


class _Files(IndexDataCacheFile):
    """The index of a function's compiled versions, and a file for each."""

    def save(self, key: Any, data: Any) -> None:
        digest = sha256(repr((self._source_stamp, key)).encode()).hexdigest()
        name = self._data_name(int(digest[:12], 16))
        self._save_data(name, data)
        overloads = self._load_index()
        overloads[key] = name
        self._save_index(overloads)
