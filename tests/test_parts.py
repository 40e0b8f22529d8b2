"""Sections and crops of samples: what their tables and their provenance say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microgen import Grid, Microstructure, Polycrystal, describe, read, write
from microgen.errors import InvalidParameter
from microgen.fitting.planes import layers

GRID = Grid((24, 20, 16), (1.0, 1.5, 2.0), origin=(100.0, 50.0, -20.0), periodic=(True, False, True))


@pytest.fixture(scope="module")
def sample() -> Microstructure:
    return Polycrystal(30).sample(GRID, seed=1)


def parts(sample: Microstructure) -> list[Microstructure]:
    return [sample.section(1, 3), sample.section(0, -1), sample.crop((5, 5, 5), (15, 15, 15))]


def test_tables_of_parts_hold_what_the_parts_hold(sample: Microstructure) -> None:
    for part in parts(sample):
        assert part.grains is not None
        assert part.grain_id is not None
        counts = np.bincount(part.grain_id.ravel(), minlength=31)[1:]
        assert np.array_equal(part.grains.volume, counts * part.grid.cell_measure)
        assert part.grains.sites is part.grains.metrics is part.grains.weights is None
        assert describe(part)["grains"] == np.count_nonzero(counts) < 30


@pytest.mark.parametrize("suffix", ["npz", "zarr"])
def test_parts_are_read_as_they_were_written(suffix: str, sample: Microstructure, tmp_path: Path) -> None:
    for part in parts(sample):
        write(part, tmp_path / f"a.{suffix}", overwrite=True)
        again = read(tmp_path / f"a.{suffix}")
        assert again.grid == part.grid
        assert np.array_equal(again.grain_id, part.grain_id)  # type: ignore[arg-type]
        assert np.array_equal(again.grains.volume, part.grains.volume)  # type: ignore[union-attr]
        write(part, tmp_path / "a.csv", overwrite=True)


def test_a_streamed_sample_gives_the_same_parts(sample: Microstructure) -> None:
    streamed = Polycrystal(30).stream(GRID, seed=1)
    for one, other in zip(parts(sample), [streamed.section(1, 3), streamed.section(0, -1)]):
        assert np.array_equal(one.grain_id, other.grain_id)  # type: ignore[arg-type]
        assert np.array_equal(one.grains.volume, other.grains.volume)  # type: ignore[union-attr]
        assert one.provenance.configuration["converted"] == other.provenance.configuration["converted"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("axis", lambda ms: ms.section(3, 0)),
        ("axis", lambda ms: ms.section(-1, 0)),
        ("index", lambda ms: ms.section(0, 24)),
        ("start, stop", lambda ms: ms.crop((0, 0, 0), (25, 2, 2))),
        ("start, stop", lambda ms: ms.crop((3, 0, 0), (3, 2, 2))),
        ("start, stop", lambda ms: ms.crop((0, 0), (2, 2))),
    ],
)
def test_parts_that_are_not_there_are_refused(name: str, cut, sample: Microstructure) -> None:
    with pytest.raises(InvalidParameter, match=name):
        cut(sample)


def test_numbers_with_gaps_change_no_statistic(sample: Microstructure) -> None:
    assert sample.grain_id is not None
    numbers = np.random.default_rng(0).choice(np.arange(1, 5000), 31, replace=False)
    numbers[0] = 0
    bare = Microstructure(GRID, sample.phase_id, sample.phases, sample.grain_id)
    gaps = Microstructure(GRID, sample.phase_id, sample.phases, numbers[sample.grain_id].astype(np.int32))
    assert describe(gaps)["grains"] == 30
    assert [layers(gaps, axis) for axis in range(3)] == [layers(bare, axis) for axis in range(3)]
