"""The grain table holds all that is needed to make the labels again, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from polycrystals import polycrystal, random_grains

from microgen.errors import InvalidParameter, UnreadableFile
from microgen.grid import Grid
from microgen.io.grain_table import GrainTable, columns, read_table, write
from microgen.microstructure import Grains, Microstructure

FIELDS = ("phase_id", "orientation", "volume", "volume_target", "sites", "metrics", "weights")
CONTRACT = (
    "grain_id,phase_id,x,y,z,a_xx,a_xy,a_xz,a_yy,a_yz,a_zz,weight,volume_target,volume,qw,qx,qy,qz",
    "grain_id,phase_id,x,y,a_xx,a_xy,a_yy,weight,volume_target,volume,qw,qx,qy,qz",
)


def written(tmp_path: Path, ms: Microstructure) -> Path:
    write(ms, tmp_path / "grains.csv")
    return tmp_path / "grains.csv"


def brute_force(grains: Grains, lengths: tuple[float, ...], grid: Grid, periodic: tuple[bool, ...]) -> np.ndarray:
    """argmin_i of min over the 3^d translates of the wrapped displacement, plainly."""
    lengths = np.array(lengths)
    y = grid.points()[:, None] - grains.sites
    y -= np.where(periodic, lengths * np.round(y / lengths), 0)
    moves = [m for m in product((-1, 0, 1), repeat=grid.ndim) if all(p or not k for p, k in zip(periodic, m))]
    costs = [np.einsum("pni,nij,pnj->pn", y + m * lengths, grains.metrics, y + m * lengths) for m in moves]
    return (np.min(costs, axis=0) - grains.weights).argmin(axis=1).reshape(grid.shape) + 1


@pytest.mark.parametrize(("shape", "header"), [((5, 7, 6), CONTRACT[0]), ((5, 7), CONTRACT[1])])
def test_head_and_columns_are_the_contract(tmp_path: Path, shape: tuple[int, ...], header: str) -> None:
    ms = replace(polycrystal(shape), grid=Grid(shape, (0.5,) * len(shape), periodic=(True, False, True)[: len(shape)]))
    lines = written(tmp_path, ms).read_text().splitlines()
    box = "2.5,3.5,3.0" if len(shape) == 3 else "2.5,3.5"
    assert lines[0] == f"# box_um={box} periodic={'xz' if len(shape) == 3 else 'x'}"
    assert lines[1] == header
    assert [line.split(",")[0] for line in lines[2:]] == [str(k) for k in range(1, 13)]


@pytest.mark.parametrize("shape", [(5, 7, 6), (5, 7)])
def test_every_number_comes_back_bit_for_bit(tmp_path: Path, shape: tuple[int, ...]) -> None:
    ms = polycrystal(shape, periodic=(False, True, False)[: len(shape)])
    table = read_table(written(tmp_path, ms))
    for name in FIELDS:
        assert np.array_equal(getattr(table.grains, name), getattr(ms.grains, name)), name
    assert table.box == ms.grid.lengths
    assert table.periodic == ms.grid.periodic


@pytest.mark.parametrize("periodic", [(True, True, True), (True, False, True), (False, False, False), (True, False)])
def test_the_labels_are_made_again_from_the_table(tmp_path: Path, periodic: tuple[bool, ...]) -> None:
    rng, d = np.random.default_rng(7), len(periodic)
    grid = Grid((9, 8, 7)[:d], (1 / 3, 0.3, 0.7)[:d], periodic=periodic)
    grains = random_grains(rng, 6, grid.lengths)
    labels = brute_force(grains, grid.lengths, grid, periodic)
    ms = Microstructure(grid, np.zeros(grid.shape, np.int16), grain_id=labels.astype(np.int32), grains=grains)
    table = read_table(written(tmp_path, ms))
    assert len(np.unique(labels)) > 1
    assert np.array_equal(brute_force(table.grains, table.box, grid, table.periodic), labels)


def test_the_core_agrees_with_the_table(tmp_path: Path) -> None:
    torch, core = pytest.importorskip("torch"), pytest.importorskip("microgen.core.power_diagram")
    ms = polycrystal((9, 8, 7), periodic=(True, True, False))
    table = read_table(written(tmp_path, ms))
    parts = [torch.from_numpy(a) for a in (table.grains.sites, table.grains.metrics, table.grains.weights)]
    labels = core.PowerDiagram(*parts, table.box, table.periodic).labels(ms.grid).numpy()
    assert np.array_equal(labels, brute_force(ms.grains, ms.grid.lengths, ms.grid, ms.grid.periodic))


def test_what_is_unknown_of_a_scan_stays_unknown(tmp_path: Path) -> None:
    ms = polycrystal((5, 7))
    bare = replace(ms.grains, sites=None, metrics=None, weights=None, volume_target=None)
    table = read_table(written(tmp_path, replace(ms, grains=bare)))
    assert [getattr(table.grains, name) for name in ("sites", "metrics", "weights", "volume_target")] == [None] * 4
    assert np.array_equal(table.grains.volume, bare.volume)


def test_a_sample_without_a_table_of_grains_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="grains"):
        write(replace(polycrystal(), grains=None), tmp_path / "grains.csv")


def test_rows_in_any_order_and_the_line_ends_of_other_systems_are_read(tmp_path: Path) -> None:
    ms = polycrystal()
    path = written(tmp_path, ms)
    head, names, *rows = path.read_text().splitlines()
    path.write_bytes(("\ufeff" + "\r\n".join([head, names, "", *rows[::-1], ""])).encode())
    assert np.array_equal(read_table(path).grains.sites, ms.grains.sites)


def altered(tmp_path: Path, line: int, old: str, new: str) -> Path:
    path = written(tmp_path, polycrystal(periodic=(True, True, True)))
    lines = path.read_text().splitlines()
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(
    ("line", "old", "new", "problem"),
    [
        (1, "#", "%", "no line with the box"),
        (1, "box_um=0.5", "box_um=-1", "positive lengths"),
        (1, "box_um=0.5", "box_um=nan", "positive lengths"),
        (1, "box_um=0.5", "box_um=0.5,1,1", "positive lengths"),
        (1, "box_um=0.5", "box_um=half", "no list of lengths"),
        (1, "xyz", "xx", "periodic axes"),
        (1, "xyz", "xw", "periodic axes"),
        (2, "weight", "mass", "expected the columns"),
        (4, ",", ";", "expected 18 values"),
        (4, "2,1,", "two,1,", "no number"),
        (4, "2,1,", "2,1,nan", "no number"),
        (4, "2,1,", "2,,", "finite number"),
        (4, "2,1,", "inf,1,", "finite number"),
        (4, "2,1,", "1,1,", "each once"),
        (4, "2,1,", "2,0.5,", "phase_id"),
    ],
)
def test_damage_is_told_with_its_line(tmp_path: Path, line: int, old: str, new: str, problem: str) -> None:
    with pytest.raises(UnreadableFile, match=problem) as info:
        read_table(altered(tmp_path, line, old, new))
    assert info.value.line in (line, None)
    assert info.value.line == line or problem in ("each once", "phase_id")


@pytest.mark.parametrize(("column", "value", "problem"), [("a_xx", "-1", "definite"), ("qw", "5", "unit quat")])
def test_values_that_are_no_grain_are_refused(tmp_path: Path, column: str, value: str, problem: str) -> None:
    path = written(tmp_path, polycrystal())
    lines = [line.split(",") for line in path.read_text().splitlines()]
    lines[2][columns(3).index(column)] = value
    path.write_text("\n".join(",".join(line) for line in lines))
    with pytest.raises(UnreadableFile, match=problem):
        read_table(path)


@pytest.mark.parametrize("content", [b"", b"\0\xff\xfe", b"# box_um=1,1,1 periodic=none\n", b"\n\n"])
def test_files_that_are_no_table_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "grains.csv").write_bytes(content)
    with pytest.raises(UnreadableFile):
        read_table(tmp_path / "grains.csv")
    with pytest.raises(UnreadableFile):
        read_table(tmp_path / "missing.csv")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 5000), new=st.text(max_size=5), cut=st.integers(0, 30))
def test_mutated_tables_give_a_table_or_a_typed_error(tmp_path: Path, at: int, new: str, cut: int) -> None:
    text = written(tmp_path, polycrystal()).read_text()
    at %= len(text)
    (tmp_path / "grains.csv").write_text(text[:at] + new + text[at + cut :], encoding="utf-8", errors="replace")
    told = "grains.csv"
    try:
        assert isinstance(read_table(tmp_path / "grains.csv"), GrainTable)
    except UnreadableFile as error:
        told = str(error)
    assert "grains.csv" in told
