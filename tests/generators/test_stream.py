"""Streamed samples against those in memory: the same labels, grains and figures, to the last bit."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from microgen import AspectRatioLaw, Grid, PhaseLaw, Polycrystal, Texture
from microgen.core import tiles
from microgen.errors import InvalidParameter, NotConverged

SMALL = Grid((12, 11, 10), (1.0,) * 3)
GRID = Grid((36, 20, 18), (1.0,) * 3, periodic=(True, False, True))
LONG = AspectRatioLaw(mean=4.0)  # cells that are cut in two, moved and made rounder
PHASES = (PhaseLaw("a", fraction=0.6), PhaseLaw("b", fraction=0.4))


@pytest.fixture(autouse=True)
def _small_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "SLAB", 16 * 20 * 18)


@pytest.mark.parametrize(
    "laws",
    [
        Polycrystal(30, aspect_ratio=LONG, phases=PHASES),
        Polycrystal(30, cells="laguerre"),
        Polycrystal(25, aspect_ratio=LONG, texture=Texture(misorientation=(tuple(np.linspace(0.1, 1, 50)),))),
    ],
    ids=["ellipsoidal", "laguerre", "misorientation"],
)
def test_a_streamed_sample_is_the_sample(laws: Polycrystal) -> None:
    whole, tiled = laws.sample(GRID, seed=1), laws.stream(GRID, seed=1)
    again = tiled.whole()
    assert whole.provenance is not None
    assert whole.provenance.achieved["island_voxels"] > 0
    assert whole.grains is not None
    assert np.array_equal(whole.grain_id, again.grain_id)
    assert np.array_equal(whole.phase_id, again.phase_id)
    for column in fields(whole.grains):
        assert np.array_equal(getattr(whole.grains, column.name), getattr(tiled.grains, column.name))
    assert tiled.provenance is not None
    achieved = {**tiled.provenance.achieved, "seconds": whole.provenance.achieved["seconds"]}
    assert achieved == whole.provenance.achieved
    part, crop = tiled.crop((3, 4, 5), (20, 9, 18)), whole.crop((3, 4, 5), (20, 9, 18))
    assert part.grid == crop.grid
    assert np.array_equal(part.grain_id, crop.grain_id)
    assert np.array_equal(tiled.section(1, 7).phase_id, whole.section(1, 7).phase_id)
    assert tiled.section(1, 7).grid == whole.section(1, 7).grid


def test_progress_goes_on_and_says_with_what() -> None:
    told: list[tuple[float, str]] = []
    Polycrystal(30, aspect_ratio=LONG).stream(GRID, seed=1, progress=lambda done, text: told.append((done, text)))
    done, texts = [done for done, _ in told], [text.split(":")[0].split(",")[0] for _, text in told]
    assert all(a < b for a, b in zip(done, done[1:]))
    assert list(dict.fromkeys(texts))[:3] == ["placed 30 grains", "untangling", "sub-voxel volumes"]
    assert "looking for islands" in texts
    assert len([k for k in done if 0.05 < k < 0.3]) > 5


def test_a_missed_volume_is_told_with_the_best_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("microgen.generators.solve.REPEATS", 1)
    with pytest.raises(NotConverged, match="tolerance") as caught:
        Polycrystal(7, tolerance=1e-9).stream(SMALL, seed=1)
    assert caught.value.best.grid == SMALL


def test_a_plane_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="streamed"):
        Polycrystal(20).stream(Grid((40, 40), (1.0, 1.0)), seed=0)


def test_a_coarse_look_has_the_box_and_its_grains() -> None:
    tiled = Polycrystal(10).stream(GRID, seed=1)
    coarse, fine = tiled.coarse(18), tiled.whole()
    assert coarse.grid.shape == (18, 10, 9)
    assert coarse.grid.lengths == pytest.approx(GRID.lengths)
    # A coarse centre is the corner of eight fine voxels: one of these has its label nearly everywhere.
    nearest = np.stack([fine.grain_id[a::2, b::2, c::2] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    assert (nearest == coarse.grain_id).any(0).mean() > 0.99


@pytest.mark.parametrize(
    ("start", "stop"), [((-4, 0, 0), (4, 8, 8)), ((0, 0, 0), (4, 8, 99)), ((4, 0, 0), (4, 8, 8)), ((0, 0), (4, 4))]
)
def test_parts_lie_in_the_box(start, stop) -> None:
    sample = Polycrystal(4).stream(Grid((12, 12, 12), (1.0,) * 3), seed=0)
    with pytest.raises(InvalidParameter, match="start, stop"):
        sample.crop(start, stop)
    with pytest.raises(InvalidParameter, match="index"):
        sample.section(0, 12)
    assert np.array_equal(sample.section(0, -1).grain_id, sample.whole().section(0, -1).grain_id)
