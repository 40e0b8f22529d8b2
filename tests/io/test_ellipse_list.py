"""Lists of ellipses: areas and axes of a known plane come back, weights are found, damage is told by line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microgen import Grid, Polycrystal, rebuild
from microgen.errors import InvalidParameter, UnreadableFile
from microgen.io.grain_lists import read_table
from microgen.microstructure import Grains

HEAD = "# X_1 X_2 a b theta areas grain_color_map_1\n"
ROW = "{:.15g} {:.15g} {:.15g} {:.15g} {:.15g} {:.15g} 0.5\n"


def listed(path: Path) -> Grid:
    """Twelve grains of a sample as ellipses, far from the origin; returns the grid of the sample."""
    grid = Grid((60, 40), (0.5, 0.5))
    grains = Polycrystal(12).sample(grid, seed=3).grains
    assert grains is not None
    assert grains.sites is not None
    assert grains.metrics is not None
    values, vectors = np.linalg.eigh(grains.metrics)
    turn = np.arctan2(vectors[:, 1, 0], vectors[:, 0, 0])  # of the long axis, which has the least eigenvalue
    a, b = (1 / np.sqrt(values)).T
    assert grains.volume_target is not None
    rows = np.column_stack([grains.sites - 100, a, b, turn, grains.volume_target])
    path.write_text(HEAD + "".join(ROW.format(*row) for row in rows))
    return grid


def test_a_list_gives_shapes_and_volumes(tmp_path: Path) -> None:
    grid = listed(tmp_path / "a.txt")
    grains = Polycrystal(12).sample(grid, seed=3).grains
    table = read_table(tmp_path / "a.txt")
    assert np.prod(table.box) == pytest.approx(600)
    assert table.periodic == (False, False)
    assert grains is not None
    assert table.grains.sites is not None
    assert table.grains.metrics is not None
    assert np.allclose(table.grains.volume_target, grains.volume_target)  # type: ignore[arg-type]
    assert np.allclose(np.ptp(table.grains.sites - grains.sites, axis=0), 0)
    area = np.pi / np.sqrt(np.linalg.det(table.grains.metrics))
    assert np.allclose(area, table.grains.volume)
    scale = np.sqrt(np.linalg.det(table.grains.metrics) / np.linalg.det(grains.metrics))  # type: ignore[arg-type]
    assert np.allclose(table.grains.metrics, grains.metrics * scale[:, None, None])  # type: ignore[operator]


def test_weights_are_found_for_the_volumes(tmp_path: Path) -> None:
    listed(tmp_path / "a.txt")
    table = read_table(tmp_path / "a.txt")
    grid = Grid((240, 160), (table.box[0] / 240, table.box[1] / 160))  # 650 voxels or more a grain: counts are held
    ms = rebuild(table.grains, grid, lengths=table.box, periodic=table.periodic)
    assert ms.grains is not None
    assert ms.grains.volume_target is not None
    assert ms.provenance is not None
    assert ms.provenance.achieved["status"] == "converged"
    again = rebuild(ms.grains, grid, lengths=table.box, periodic=table.periodic)
    assert np.array_equal(ms.grain_id, again.grain_id)  # type: ignore[arg-type]
    assert ms.provenance.achieved["detached_voxels"] == 0
    assert np.allclose(ms.grains.volume, ms.grains.volume_target, rtol=0.01)


def test_pieces_that_lie_apart_stay_with_their_grain_and_are_counted() -> None:
    # a flat cell between two round ones, behind a third: its volume is met with both of its pieces
    sites = np.array([[5.0, 5.0], [5.0, 5.3], [5.0, 9.0]])
    metrics = np.array([np.diag([0.02, 2.0]), np.eye(2) * 0.3, np.eye(2) * 0.1])
    grains = Grains(np.zeros(3, np.int16), np.eye(4)[[0] * 3], np.ones(3), np.array([30.0, 20.0, 50.0]), sites, metrics)
    ms = rebuild(grains, Grid((100, 100), (0.1, 0.1)), lengths=(10.0, 10.0), periodic=(False, False))
    counts = np.bincount(ms.grain_id.ravel())[1:]  # type: ignore[union-attr]
    assert ms.provenance is not None
    assert ms.provenance.achieved["status"] == "converged"
    assert np.allclose(counts, (3000, 2000, 5000), rtol=0.01)
    again = rebuild(ms.grains, ms.grid, lengths=(10.0, 10.0), periodic=(False, False))  # type: ignore[arg-type]
    assert again.provenance is not None
    assert again.provenance.achieved["island_voxels"] == ms.provenance.achieved["detached_voxels"] > 0


def test_commas_may_part_the_columns(tmp_path: Path) -> None:
    listed(tmp_path / "a.txt")
    (tmp_path / "b.txt").write_text((tmp_path / "a.txt").read_text().replace(" ", ","))
    first, second = (read_table(tmp_path / name).grains for name in ("a.txt", "b.txt"))
    assert np.array_equal(first.metrics, second.metrics)  # type: ignore[arg-type]


def test_volumes_that_do_not_fill_the_box_and_parts_of_it_are_refused(tmp_path: Path) -> None:
    listed(tmp_path / "a.txt")
    table = read_table(tmp_path / "a.txt")
    whole = Grid((120, 80), (table.box[0] / 120, table.box[1] / 80))
    with pytest.raises(InvalidParameter, match="the whole box"):
        rebuild(table.grains, Grid((60, 80), whole.spacing), lengths=table.box, periodic=table.periodic)
    larger = tuple(2 * length for length in table.box)
    with pytest.raises(InvalidParameter, match="fill the box"):
        rebuild(
            table.grains, Grid((120, 80), tuple(2 * h for h in whole.spacing)), lengths=larger, periodic=(False,) * 2
        )


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ("0 0 2 1 0.1 6 0\n1 1 2 nan 0 6 0\n", 3),
        ("0 0 2 1 0.1 6 0\n1 1 2 -1 0 6 0\n", 3),
        ("0 0 2 1 0.1 6 0\n1 1 2 x 0 6 0\n", 3),
        ("0 0 2 1 0.1\n", None),
        ("", None),
        ("0 0 2 1 0.1 6 0\n1000 1000 2 1 0 6 0\n", None),
    ],
    ids=["nan", "negative", "word", "columns", "empty", "gaps"],
)
def test_damaged_lists_are_told_by_line(tmp_path: Path, rows: str, line: int | None) -> None:
    (tmp_path / "a.txt").write_text(HEAD + rows)
    with pytest.raises(UnreadableFile) as told:
        read_table(tmp_path / "a.txt")
    assert line is None or f"line {line}" in str(told.value)


def test_measured_ellipses_of_a_steel_get_their_areas(real_data: Path) -> None:
    table = read_table(real_data / "ebsd" / "pyapd_lc_steel_grain_file.txt")
    grid = Grid((1000, 901), (table.box[0] / 1000, table.box[1] / 901))
    ms = rebuild(table.grains, grid, lengths=table.box, periodic=table.periodic)
    assert ms.provenance is not None
    assert ms.provenance.achieved["grains"] == 4587
    assert max(ms.provenance.achieved[f"{k}_error_max{s}"] for k, s in (("volume", "_400"), ("subvoxel", ""))) < 0.01
