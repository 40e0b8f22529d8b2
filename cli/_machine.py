"""What the machine offers: cores, free memory, compiled kernels."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path

from microgen import Grid
from microgen.errors import EnvironmentProblem

from ._units import bytes_text

LIBRARIES = 600 << 20
BYTES_A_VOXEL = 60
BYTES_A_GRAIN = 4000
STREAMED_BYTES_A_VOXEL = 10
SLABS = 1 << 30

WORTH_STARTING = 3_000_000
"""Voxels in all; a process takes some seconds to start, in which one core labels about as many."""


def cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_memory() -> int | None:
    """Bytes this process can still get without swapping; None where the system does not say."""
    free = [_meminfo(), _cgroup_room()]
    known = [f for f in free if f is not None]
    return min(known) if known else None


def check_memory(need: int, *, remedy: str = "Ask for fewer voxels (--shape) or grains (--grains).") -> None:
    """Refuse a run that would not fit, before anything is allocated."""
    free = available_memory()
    if free is not None and need > free:
        raise EnvironmentProblem(
            f"the run needs about {bytes_text(need)} of memory and {bytes_text(free)} is free. {remedy}"
        )


def memory_need(grid: Grid, grains: int) -> int:
    """Bytes of a run, about: what was measured over grids of 64³ to 256³, and the libraries themselves."""
    return LIBRARIES + grid.size * BYTES_A_VOXEL + grains * BYTES_A_GRAIN


def stream_need(grid: Grid, grains: int) -> int:
    """Bytes of a run that never holds its labels: the solver's records of the boundaries, and a slab."""
    return LIBRARIES + SLABS + grid.size * STREAMED_BYTES_A_VOXEL + grains * BYTES_A_GRAIN


def largest(grid: Grid, grains: int, need: Callable[[Grid, int], int], free: int) -> Grid:
    """The largest grid of the same proportions, with grains of the same size, whose need is met."""
    scale = 1.0
    while scale > 0.01:
        shape = tuple(max(1, int(n * scale)) for n in grid.shape)
        part = Grid(shape, grid.spacing, periodic=grid.periodic)
        if need(part, math.ceil(grains * part.size / grid.size)) <= free:
            return part
        scale *= 0.98
    return Grid((1,) * grid.ndim, grid.spacing)


def workers(grid: Grid, samples: int, need: int) -> int:
    """Processes for samples of `need` bytes, as cores and memory allow; one where starting more takes the longer."""
    if grid.size * samples < WORTH_STARTING:
        return 1
    free = available_memory()
    return max(1, min(cores(), samples, free // need if free else 1))


def kernel_cache() -> tuple[Path, int]:
    """Folder of Numba's compiled kernels and how many there are; 0 means that the first run compiles."""
    import importlib.util

    spec = importlib.util.find_spec("microgen.core.kernels")
    home = Path(spec.origin).parent / "__pycache__" if spec and spec.origin else Path("__pycache__")
    places = [Path(os.environ["NUMBA_CACHE_DIR"])] if os.environ.get("NUMBA_CACHE_DIR") else [home, _user_cache()]
    for place in places:
        count = sum(1 for _ in place.rglob("*.nbc")) if place.is_dir() else 0
        if count:
            return place, count
    return places[0], 0


def _user_cache() -> Path:
    """Where Numba goes when the package's folder cannot be written."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "numba"


def _meminfo() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")), None)


def _cgroup_room() -> int | None:
    """What a container's limit leaves, where there is one."""
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
    except (OSError, ValueError):
        return None
    return None if limit == "max" else max(int(limit) - used, 0)
