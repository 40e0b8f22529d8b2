"""3MF files: read by lib3mf, closed, in mm, one object a grain or phase, with provenance; the same bytes every time."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from level_sets import level_set
from polycrystals import polycrystal

from microgen.errors import InvalidParameter, MicrogenError, NotPrintable
from microgen.io import threemf, write
from microgen.io.sidecar import read_provenance
from microgen.meshing import TriangleMesh, grain_surfaces, is_watertight, level_set_mesh, volume
from microgen.microstructure import Microstructure, Phase


def objects(path: Path) -> dict[str, TriangleMesh]:
    """What lib3mf, which checks the file against the specification, finds in it."""
    lib3mf = pytest.importorskip("lib3mf")
    model = lib3mf.get_wrapper().CreateModel()
    reader = model.QueryReader("3mf")
    reader.SetStrictModeActive(True)
    reader.ReadFromFile(str(path))
    assert reader.GetWarningCount() == 0
    assert model.GetUnit() == lib3mf.ModelUnit.MilliMeter
    found, each = {}, model.GetMeshObjects()
    while each.MoveNext():
        mesh = each.GetCurrentMeshObject()
        points = np.array([list(v.Coordinates) for v in mesh.GetVertices()])
        found[mesh.GetName()] = TriangleMesh(points, np.array([list(t.Indices) for t in mesh.GetTriangleIndices()]))
    return found


def test_a_level_set_is_one_closed_object_in_millimetres(tmp_path: Path) -> None:
    ms = level_set()
    write(ms, tmp_path / "a.3mf")
    ((name, mesh),) = objects(tmp_path / "a.3mf").items()
    assert name == "solid"
    assert is_watertight(mesh)
    assert np.array_equal(mesh.points.astype(np.float32), level_set_mesh(ms).points.astype(np.float32))
    assert np.ptp(mesh.points, axis=0) == pytest.approx([1.0, 1.2, 1.4], abs=1e-5)


def test_each_grain_is_an_object(tmp_path: Path) -> None:
    ms = polycrystal((8, 9, 7))
    write(ms, tmp_path / "a.3mf")
    found = objects(tmp_path / "a.3mf")
    assert {f"grain {k}": volume(mesh) for k, mesh in grain_surfaces(ms)} == pytest.approx(
        {name: volume(mesh) for name, mesh in found.items()}, rel=1e-3
    )


def test_each_phase_is_an_object(tmp_path: Path) -> None:
    phase_id = np.full((12, 10, 8), -1, np.int16)
    phase_id[:5], phase_id[7:] = 0, 1
    ms = Microstructure(level_set((12, 10, 8)).grid, phase_id, (Phase("a"), Phase("<b>"), Phase("never")))
    write(ms, tmp_path / "a.3mf")
    found = objects(tmp_path / "a.3mf")
    volumes = {name: volume(mesh) / 0.05**3 for name, mesh in found.items()}
    assert volumes == pytest.approx({"a": 400, "<b>": 400}, rel=1e-4)


def test_provenance_is_inside_and_beside(tmp_path: Path) -> None:
    ms = level_set()
    write(ms, tmp_path / "a.3mf")
    (tmp_path / "a.3mf.json").unlink()
    assert read_provenance(tmp_path / "a.3mf") == ms.provenance


def test_the_same_sample_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.3mf", "b.3mf"):
        write(level_set(), tmp_path / name)
    assert (tmp_path / "a.3mf").read_bytes() == (tmp_path / "b.3mf").read_bytes()


def test_files_of_others_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.3mf"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("3D/3dmodel.model", f'<model xmlns="{threemf._CORE}"><resources/></model>')
    assert threemf.read_embedded(path) is None
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("thesis.txt", "mine")
    with pytest.raises(MicrogenError, match="no 3MF"):
        threemf.read_embedded(path)


@pytest.mark.parametrize("cut", [0, 4, 200, -30])
def test_damage_gives_a_typed_error(tmp_path: Path, cut: int) -> None:
    write(level_set(), tmp_path / "a.3mf")
    (tmp_path / "b.3mf").write_bytes((tmp_path / "a.3mf").read_bytes()[:cut])
    with pytest.raises(MicrogenError, match="b.3mf"):
        read_provenance(tmp_path / "b.3mf")


def test_planes_and_void_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="3-D"):
        write(level_set((20, 20)), tmp_path / "a.3mf")
    with pytest.raises(NotPrintable, match="nothing solid"):
        write(replace(level_set(), level_set=-np.ones((20, 24, 28), np.float32)), tmp_path / "a.3mf")
    assert list(tmp_path.iterdir()) == []
