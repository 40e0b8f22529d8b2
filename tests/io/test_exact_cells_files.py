"""Exact cells in files: .tess parsed back by the manual alone, .vtu by VTK; volumes, Euler's formula, periodicity."""

from __future__ import annotations

import numpy as np
import pytest

from microgen import Grid, Microstructure, Polycrystal, write
from microgen.errors import InvalidParameter
from microgen.meshing.polyhedra import joined

BOXES = [(True, True, True), (False, False, False), (True, False, True)]


@pytest.fixture(scope="module", params=BOXES)
def sample(request) -> Microstructure:
    grid = Grid((16, 20, 24), (0.5, 0.5, 0.5), (3.0, 0.0, -1.0), request.param)
    return Polycrystal(grains=30, cells="laguerre").sample(grid, seed=4)


def sections(text: str) -> dict[str, list[str]]:
    """Words below each heading, named `above/below` for headings of one asterisk."""
    found: dict[str, list[str]] = {}
    above = name = ""
    for line in text.splitlines():
        word = line.strip()
        if word.startswith("**"):
            above = name = word.strip("*")
        elif word.startswith("*"):
            name = f"{above}/{word.strip('*')}"
        else:
            found.setdefault(name, []).extend(word.split())
    return found


class Tess:
    """A tessellation as the manual describes it."""

    def __init__(self, text: str):
        self.parts = parts = sections(text)
        self.points = np.array(parts["vertex"][1:], float).reshape(-1, 5)[:, 1:4]
        self.edges = np.array(parts["edge"][1:], int).reshape(-1, 4)[:, 1:3]
        self.faces, self.sides, self.planes, self.cells = [], [], [], []
        words = iter(parts["face"][1:])
        for _ in range(int(parts["face"][0])):
            next(words)
            self.faces.append([int(next(words)) - 1 for _ in range(int(next(words)))])
            self.sides.append([int(next(words)) for _ in range(int(next(words)))])
            self.planes.append([float(next(words)) for _ in range(4)])
            [next(words) for _ in range(5)]
        words = iter(parts["polyhedron"][1:])
        for _ in range(int(parts["polyhedron"][0])):
            next(words)
            self.cells.append([int(next(words)) for _ in range(int(next(words)))])

    def volume(self, cell: list[int]) -> float:
        total = 0.0
        for signed in cell:
            p = self.points[self.faces[abs(signed) - 1]]
            fans = np.einsum("nk,nk->n", np.broadcast_to(p[0], p[1:-1].shape), np.cross(p[1:-1], p[2:]))
            total += np.sign(signed) * fans.sum() / 6
        return total


@pytest.fixture(scope="module")
def tess(sample, tmp_path_factory) -> Tess:
    path = tmp_path_factory.mktemp("tess") / "rve.tess"
    write(sample, path)
    text = path.read_text()
    assert text.startswith("***tess\n **format\n   2.0\n")
    assert text.endswith("***end\n")
    return Tess(text)


def test_cells_of_the_tess_are_closed_and_have_the_exact_volumes(sample, tess):
    assert np.abs([tess.volume(c) for c in tess.cells] / sample.grains.volume - 1).max() < 1e-9
    for cell in tess.cells:
        edges = [e for f in cell for e in np.sign(f) * np.array(tess.sides[abs(f) - 1])]
        corners = {v for f in cell for v in tess.faces[abs(f) - 1]}
        assert sorted(edges) == sorted(-e for e in edges)  # each edge once in either sense
        assert len(corners) - len(edges) // 2 + len(cell) == 2


def test_faces_of_the_tess_lie_in_their_planes_and_run_along_their_edges(tess):
    for face, sides, (d, *normal) in zip(tess.faces, tess.sides, tess.planes):
        assert np.abs(tess.points[face] @ normal - d).max() < 1e-7
        assert abs(np.linalg.norm(normal) - 1) < 1e-12
        ends = [tuple(tess.edges[abs(e) - 1][:: 1 if e > 0 else -1] - 1) for e in sides]
        assert ends == list(zip(face, face[1:] + face[:1]))


def test_each_face_of_the_tess_parts_two_cells_or_is_periodic_or_a_wall(sample, tess):
    used = np.zeros(len(tess.faces), int)
    for cell in tess.cells:
        used[np.abs(cell) - 1] += 1
    images = np.array(tess.parts.get("periodicity/face", ["0"])[1:], int).reshape(-1, 6)
    once = set(np.flatnonzero(used == 1) + 1)
    paired = set(images[:, 0]) | set(images[:, 1])
    walls = [int(f) for f in _wall_faces(tess)]
    assert set(used) <= {1, 2}
    assert once == paired | set(walls)
    assert not paired & set(walls)
    assert len(paired) == 2 * len(images)


def _wall_faces(tess: Tess) -> list[str]:
    words, found = tess.parts["domain/face"][1:], []
    for _ in range(6):
        count = int(words[18])
        found += words[19 : 19 + count]
        words = words[19 + count :]
    assert not words
    return found


def test_images_in_the_tess_are_moved_by_whole_boxes(sample, tess):
    if not any(sample.grid.periodic):
        assert "periodicity/general" not in tess.parts
        return
    moved = np.array(tess.parts["periodicity/vertex"][1:], int).reshape(-1, 5)
    apart = tess.points[moved[:, 0] - 1] - tess.points[moved[:, 1] - 1]
    assert np.abs(apart - moved[:, 2:] * sample.grid.lengths).max() < 1e-9
    for name, width, pieces in (("edge", 6, tess.edges - 1), ("face", 6, tess.faces)):
        for k, first, *shift, way in np.array(tess.parts[f"periodicity/{name}"][1:], int).reshape(-1, width):
            here, there = (tess.points[list(pieces[i - 1])] for i in (k, first))
            there = (there + shift * np.array(sample.grid.lengths))[::way]
            turns = [np.abs(np.roll(there, t, axis=0) - here).max() for t in range(len(here) if name == "face" else 1)]
            assert min(turns) < 1e-9


def test_vtk_measures_the_same_volumes(sample, tmp_path):
    import pyvista

    write(sample, tmp_path / "rve.vtu")
    mesh = pyvista.read(tmp_path / "rve.vtu")
    assert isinstance(mesh, pyvista.UnstructuredGrid)
    assert set(mesh.celltypes) == {pyvista.CellType.POLYHEDRON}
    assert np.abs(mesh.compute_cell_sizes().cell_data["Volume"] / sample.grains.volume - 1).max() < 1e-9
    assert np.array_equal(mesh.cell_data["grain_id"], np.arange(1, 31))


def test_the_table_of_faces_has_each_from_both_sides(sample, tmp_path):
    write(sample, tmp_path / "rve.faces.csv")
    rows = np.genfromtxt(tmp_path / "rve.faces.csv", delimiter=",", names=True)
    inner = rows[rows["neighbour_id"] > 0]
    here = {tuple(row)[:5]: row["area"] for row in inner}
    for a, b, *shift, area in inner.tolist():
        assert abs(here[b, a, *(-s for s in shift)] - area) < 1e-9
    walls = rows["area"][rows["neighbour_id"] == 0].sum()
    x, y, z = sample.grid.lengths
    px, py, pz = sample.grid.periodic
    assert abs(walls - 2 * (y * z * (not px) + x * z * (not py) + x * y * (not pz))) < 1e-9


def test_two_periodic_cells_have_the_pieces_that_neper_counts():
    """As in a reference of Neper's own, two periodic truncated octahedra: 42 vertices and 27 faces."""
    sites = np.array(
        [[0.588079382832, 0.389046853444, 0.159391794127], [0.452028974213, 0.195589598124, 0.501814614272]]
    )
    mesh = joined(sites, np.zeros(2), Grid((4, 4, 4), (0.25,) * 3, periodic=(True,) * 3))
    assert (len(mesh.points), len(mesh.faces)) == (42, 27)


def test_curved_cells_are_refused(tmp_path):
    grid = Grid((12, 12, 12), (1.0, 1.0, 1.0))
    sample = Polycrystal(grains=4, tolerance=0.2).sample(grid, seed=0)
    for name in ("rve.tess", "rve.vtu", "rve.faces.csv"):
        with pytest.raises(InvalidParameter, match="--cells laguerre"):
            write(sample, tmp_path / name)
        assert not (tmp_path / name).exists()
