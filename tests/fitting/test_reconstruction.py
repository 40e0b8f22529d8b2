"""`microgen.reconstruct`: real scans below the shares asked for, statistics with known answers, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import microgen
from microgen import Grid, HexGrid, Microstructure, Phase
from microgen.errors import InvalidParameter, NoGrains
from microgen.fitting.overlap import boundary_distances, overlaps, pieces


def plate(labels: np.ndarray, step: float = 0.5) -> Microstructure:
    """A map of these grain numbers."""
    phase = np.where(labels > 0, 0, -1).astype(np.int16)
    return Microstructure(Grid(labels.shape, (step,) * labels.ndim), phase, (Phase("iron"),), labels.astype(np.int32))


def halves() -> np.ndarray:
    """Two grains, numbered 3 and 7, side by side."""
    labels = np.full((20, 12), 3)
    labels[9:] = 7
    return labels


@pytest.mark.parametrize(
    ("name", "most"),
    [("orixdata_sdss_ferrite_austenite.ang", 0.03), ("pythonebsd_EBSD.ang", 0.01), ("mtex_twins.ctf", 0.03)],
)
def test_real_scans_come_out_point_by_point(real_data, name, most):
    scan = microgen.read(real_data / "ebsd" / name)
    found = microgen.segment_grains(scan)
    assert found.grain_id is not None
    masked = replace(found, grain_id=np.where(scan.phase_id >= 0, found.grain_id, 0))
    fitted = microgen.reconstruct(masked)
    figures = fitted.statistics
    assert figures["differing"] <= most < figures["differing_moments"] * 1.5
    assert figures["masked"] + figures["points"] <= scan.grid.size
    assert fitted.source.grain_id is not None
    inside = fitted.source.grain_id > 0
    assert figures["differing"] == np.mean((fitted.labels(scan.grid) != fitted.source.grain_id)[inside])
    shown = fitted.render(scan.grid)
    assert shown.grain_id is not None
    assert np.array_equal(shown.grain_id > 0, inside)
    assert (fitted.render(scan.grid, fill=True).grain_id > 0).all()  # type: ignore[operator]


def test_two_grains_at_any_resolution_and_extruded():
    fitted = microgen.reconstruct(plate(halves()))
    assert fitted.statistics["differing"] == 0
    fine = fitted.render(Grid((200, 120), (0.05, 0.05))).grain_id
    deep = fitted.render(Grid((20, 12, 5), (0.5, 0.5, 0.4)))
    assert fine is not None
    assert deep.grain_id is not None
    assert np.array_equal(fine, np.repeat(np.where(np.arange(200) < 90, 1, 2)[:, None], 120, axis=1))
    assert all(np.array_equal(deep.grain_id[:, :, k], np.where(halves() == 3, 1, 2)) for k in range(5))
    assert deep.grains is not None
    again = microgen.rebuild(deep.grains, deep.grid, lengths=deep.grid.lengths, periodic=(False,) * 3)  # type: ignore[arg-type]
    assert np.array_equal(again.grain_id, deep.grain_id)  # type: ignore[arg-type]


def test_one_grain_grains_apart_and_grains_in_pieces_are_kept_and_told():
    one = microgen.reconstruct(plate(np.full((6, 5), 4)))
    assert one.statistics["differing"] == 0
    assert "one grain" in one.notes[0]
    apart = np.zeros((30, 12), int)
    apart[2:8, 2:9], apart[20:28, 3:10] = 1, 2
    assert microgen.reconstruct(plate(apart)).statistics["differing"] == 0
    split = np.full((30, 12), 1)
    split[10:20] = 2
    found = microgen.reconstruct(plate(split))
    assert found.statistics["split_grains"] == 1
    assert found.statistics["grains"] == 2
    assert any("several pieces" in note for note in found.notes)


def test_maps_without_grains_are_refused():
    with pytest.raises(NoGrains):
        microgen.reconstruct(plate(np.zeros((5, 4), int)))
    with pytest.raises(InvalidParameter, match="grain numbers"):
        microgen.reconstruct(replace(plate(halves()), grain_id=None))
    with pytest.raises(InvalidParameter, match="to extrude"):
        microgen.reconstruct(plate(halves()[:, :, None].repeat(3, axis=2))).render(Grid((4, 4), (1.0, 1.0)))


def test_overlaps_distances_and_pieces_of_known_maps():
    first, second = halves() // 4 + 1, np.roll(halves() // 4 + 1, 1, axis=0)
    second[0] = 1
    grid = Grid(first.shape, (0.5, 0.5))
    assert overlaps(first, second) == pytest.approx([9 / 10, 10 / 11])
    assert boundary_distances(grid, first, second) == pytest.approx(np.full(24, 0.5))
    assert not len(boundary_distances(grid, np.ones_like(first), second))
    split = np.array([[1, 2, 1], [1, 2, 2], [0, 0, 1]])
    assert pieces(Grid(split.shape, (1.0, 1.0)), split).tolist() == [3, 1]


def test_a_hexagonal_map_is_shown_on_squares_without_what_was_not_there():
    grid = HexGrid((24, 20), 0.5)
    x, y = grid.points().T
    labels = np.where(x + 0.4 * y < 7, 1, 2).reshape(grid.shape).astype(np.int32)
    labels[~grid.exists()] = 0
    labels[10:14, 6:12] = 0
    ms = Microstructure(grid, np.where(labels > 0, 0, -1).astype(np.int16), (Phase("copper"),), labels)
    fitted = microgen.reconstruct(ms)
    assert fitted.statistics["differing"] == 0
    shown = fitted.render(Grid((48, 35), (0.25, grid.lengths[1] / 35))).grain_id
    assert shown is not None
    assert 0.03 < np.mean(shown == 0) < 0.08
