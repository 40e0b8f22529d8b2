"""What formats say of a sample they hold, held against what comes back from their files: over all of them."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from level_sets import level_set
from polycrystals import PHASES, polycrystal

from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.io import MODULES, is_folder, read, suffixes_of, write
from microgen.io.grain_volume import grain_volume
from microgen.io.losses import FACTS, facts, lost
from microgen.microstructure import Microstructure

WRITERS = [m for m in (import_module(f"microgen.io.{name}") for name in MODULES) if hasattr(m, "write")]
CLOSE = ("orientation", "volumes")
"""Some formats keep these in single precision, or in five digits."""


def a_map() -> Microstructure:
    """A plane of points with an orientation each."""
    rng = np.random.default_rng(1)
    q = rng.standard_normal((6, 5, 4))
    phase_id = rng.integers(-1, 2, (6, 5)).astype(np.int16)
    grid = Grid((6, 5), (0.5, 0.5))
    return Microstructure(grid, phase_id, PHASES, orientation=q / np.linalg.norm(q, axis=-1, keepdims=True))


def grains_somewhere() -> Microstructure:
    """A volume of grains with the volumes of their voxels, away from the origin and periodic along two axes."""
    ms = polycrystal(periodic=(True, False, True))
    grid = replace(ms.grid, origin=(1.0, 2.0, -3.0))
    volume = np.bincount(ms.grain_id.ravel())[1:] * ms.grid.cell_measure
    return replace(ms, grid=grid, grains=replace(ms.grains, volume=volume))


SAMPLES = {"grains": grains_somewhere, "level set": lambda: level_set((6, 7, 8)), "map": a_map}


def _values(ms: Microstructure, fact: str) -> object:
    """What a fact is of a sample; None where there is none."""
    grains = ms.grains
    if fact in ("spacing", "origin", "periodic"):
        return np.array(getattr(ms.grid, fact))
    if fact == "diagram":
        return None if grains is None else grains.sites
    if fact == "grain_orientations":  # some files hold them at each voxel
        there = ms.grain_id is not None and (grains is not None or ms.orientation is not None)
        return grain_volume(ms, "the test").orientation if there else None
    if fact == "volumes":
        return None if grains is None else grains.volume
    if fact == "phases":
        return [(phase.name, phase.laue_group, phase.lattice) for phase in ms.phases] or None
    return getattr(ms, fact)


def _same(before: object, after: object, fact: str) -> bool:
    if before is None or after is None:
        return before is after
    if fact == "phases":
        return before == after
    a, b = np.asarray(before, float), np.asarray(after, float)
    if a.shape != b.shape:
        return False
    if fact in ("grain_orientations", "orientation"):
        return bool(np.allclose(np.abs((a * b).sum(axis=-1)), 1, atol=1e-5))
    return bool(np.allclose(a, b, rtol=1e-5 if fact in CLOSE else 1e-12, atol=0))


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("module", WRITERS, ids=lambda m: m.NAME)
def test_each_format_says_what_it_holds_and_that_comes_back(tmp_path: Path, module: ModuleType, kind: str) -> None:
    ms, path = SAMPLES[kind](), tmp_path / f"a{suffixes_of(module, 'write')[0]}"
    try:
        write(ms, path, format=module.NAME)
    except InvalidParameter:
        assert not list(tmp_path.iterdir())
        return
    held = module.holds(ms)
    assert held <= set(FACTS)
    assert set(facts(ms)) == (held & set(facts(ms))) | set(lost(ms, module))
    if not hasattr(module, "read"):
        return
    back = read(path, format=module.NAME)
    indexed = ms.phase_id >= 0
    for fact in facts(ms):
        if fact == "phase_id" and "level_set" in held:  # follows from it
            continue
        before, after = _values(ms, fact), _values(back, fact)
        if fact == "orientation" and isinstance(before, np.ndarray) and isinstance(after, np.ndarray):
            before, after = before[indexed], after[indexed]
        assert _same(before, after, fact) == (fact in held), fact
    assert is_folder(path, module.NAME) == path.is_dir()
