"""One closed STL a grain: read back by others, all of them or none, the same bytes every time."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import pytest
from hypothesis import given, strategies as st
from level_sets import level_set
from polycrystals import polycrystal

from microgen.errors import InvalidParameter, NotPrintable, OutputNotWritable, UnreadableFile
from microgen.grid import Grid
from microgen.io import stl, write
from microgen.io.printing import Print, make_solid, write_solid
from microgen.io.sidecar import read_provenance
from microgen.meshing import TriangleMesh, is_watertight, volume
from microgen.microstructure import Microstructure


def blocks() -> Microstructure:
    """Eight grains, one in each octant of the box, and a ninth of one voxel."""
    labels = np.kron(np.arange(1, 9, dtype=np.int32).reshape(2, 2, 2), np.ones((5, 6, 7), np.int32))
    labels[2, 2, 2] = 9
    return Microstructure(Grid(labels.shape, (2.0, 1.0, 0.5)), np.zeros(labels.shape, np.int16), grain_id=labels)


def read_stl(path: Path) -> TriangleMesh:
    data = path.read_bytes()
    facets = np.frombuffer(data[84:], stl._FACET)
    assert len(facets) == int.from_bytes(data[80:84], "little")
    points, index = np.unique(facets["corners"].reshape(-1, 3), axis=0, return_inverse=True)
    return TriangleMesh(points.astype(float), index.reshape(-1, 3).astype(np.int32))


def digest(folder: Path) -> str:
    return hashlib.sha256(b"".join(p.name.encode() + p.read_bytes() for p in sorted(folder.iterdir()))).hexdigest()


def test_each_grain_is_a_closed_file_in_millimetres_with_its_volume(tmp_path: Path) -> None:
    ms = blocks()
    found = stl.write_grains(ms, tmp_path / "grains")
    counts = np.bincount(ms.grain_id.ravel())[1:]
    assert [p.name for p in sorted((tmp_path / "grains").iterdir())] == [f"grain_{k:04d}.stl" for k in range(1, 10)]
    for path, count in zip(found.files, counts):
        mesh = read_stl(path)
        assert is_watertight(mesh)
        assert volume(mesh) == pytest.approx(count * 1e-9, rel=1e-4)
    assert found.triangles == sum(len(read_stl(path).triangles) for path in found.files)


def test_parts_are_counted_and_normals_point_outwards(tmp_path: Path) -> None:
    found = stl.write_grains(blocks(), tmp_path / "grains")
    assert found.parts == (2, 1, 1, 1, 1, 1, 1, 1, 1)  # the first grain encloses the ninth: outside and inside
    facets = np.frombuffer(found.files[8].read_bytes()[84:], stl._FACET)
    outwards = facets["corners"].mean(axis=1) - facets["corners"].reshape(-1, 3).mean(axis=0)
    assert (np.einsum("ij,ij->i", facets["normal"], outwards) > 0).all()
    assert np.allclose(np.linalg.norm(facets["normal"], axis=1), 1)


def test_another_reader_agrees(tmp_path: Path) -> None:
    pyvista = pytest.importorskip("pyvista")
    found = stl.write_grains(polycrystal((8, 9, 7)), tmp_path / "grains")
    for path in found.files:
        mesh = pyvista.read(path)
        assert mesh.n_open_edges == 0
        assert mesh.is_manifold


def test_the_same_sample_gives_the_same_bytes(tmp_path: Path) -> None:
    ms = polycrystal((8, 9, 7))
    for name in "ab":
        stl.write_grains(ms, tmp_path / name)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_provenance_lies_beside_the_folder(tmp_path: Path) -> None:
    ms = polycrystal((8, 9, 7))
    stl.write_grains(ms, tmp_path / "grains")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["grains", "grains.json"]
    assert read_provenance(tmp_path / "grains").to_json() == ms.provenance.to_json()


@pytest.mark.parametrize("failure", [NotPrintable("grain 3"), KeyboardInterrupt(), OSError(28, "No space left")])
def test_a_failure_in_the_middle_leaves_nothing(tmp_path: Path, failure: BaseException) -> None:
    def stop(fraction: float, message: str) -> None:
        if fraction > 0.4:
            raise failure

    expected = OutputNotWritable if isinstance(failure, OSError) else type(failure)
    with pytest.raises(expected):
        stl.write_grains(blocks(), tmp_path / "grains", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_surfaces_that_are_not_closed_are_refused(tmp_path: Path) -> None:
    far = Grid(blocks().grid.shape, (2.0, 1.0, 0.5), origin=(1e12, 0, 0))  # float32 cannot tell the corners apart there
    with pytest.raises(NotPrintable, match="grain 1"):
        stl.write_grains(replace(blocks(), grid=far), tmp_path / "grains")
    assert list(tmp_path.iterdir()) == []


def test_a_shorter_run_leaves_no_grains_of_a_longer_one(tmp_path: Path) -> None:
    stl.write_grains(blocks(), tmp_path / "grains")
    with pytest.raises(OutputNotWritable, match="exists already"):
        stl.write_grains(blocks(), tmp_path / "grains")
    fewer = replace(blocks(), grain_id=np.minimum(blocks().grain_id, 3))
    stl.write_grains(fewer, tmp_path / "grains", overwrite=True)
    assert len(list((tmp_path / "grains").iterdir())) == 3


def test_samples_without_a_volume_of_grains_are_refused(tmp_path: Path) -> None:
    for ms in (
        polycrystal((5, 7)),
        replace(blocks(), grain_id=None),
        replace(blocks(), grain_id=0 * blocks().grain_id),
    ):
        with pytest.raises(InvalidParameter, match="grain_id"):
            stl.write_grains(ms, tmp_path / "grains")
    assert list(tmp_path.iterdir()) == []


def test_a_level_set_is_one_closed_file_that_others_read(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    ms = level_set()
    write(ms, tmp_path / "a.stl")
    theirs = trimesh.load_mesh(tmp_path / "a.stl")
    assert theirs.is_watertight
    assert theirs.volume == pytest.approx((ms.level_set > 0).sum() * 0.05**3, rel=0.01)
    assert is_watertight(stl.read_mesh(tmp_path / "a.stl"))
    assert read_provenance(tmp_path / "a.stl") == ms.provenance


def test_grains_in_one_stl_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="--each-grain"):
        write(blocks(), tmp_path / "a.stl")
    assert list(tmp_path.iterdir()) == []


def test_binary_and_ascii_are_read_alike(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    theirs = trimesh.creation.box(extents=(1, 2, 3))
    for kind in ("stl", "stl_ascii"):
        theirs.export(tmp_path / "a.stl", file_type=kind)
        mesh = stl.read_mesh(tmp_path / "a.stl")
        assert len(mesh.points) == 8
        assert is_watertight(mesh)
        assert volume(mesh) == pytest.approx(6)


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda b: b"solid a\nvertex 1 2 " + b))
def test_what_is_no_stl_is_refused(data: bytes) -> None:
    with NamedTemporaryFile(suffix=".stl") as file:
        Path(file.name).write_bytes(data)
        with pytest.raises(UnreadableFile):
            stl.read_mesh(file.name)


def test_report_and_clip_of_a_printed_sample(tmp_path: Path) -> None:
    ms, options = level_set(spacing=500.0), Print(clip="cylinder", diameter=8.0, scale=2.0, printer="fdm")
    solid = make_solid(ms, replace(options, diameter=16.0))
    for name in ("a.stl", "a.3mf"):
        write_solid(solid, ms, tmp_path / name)
        assert read_provenance(tmp_path / name).achieved["print"]["volume_mm3"] == pytest.approx(volume(solid.mesh))
    stl.write_mesh(solid.mesh, tmp_path / "outline.stl")
    again = make_solid(ms, Print(clip=str(tmp_path / "outline.stl"), scale=2.0))
    assert again.report.volume_mm3 == pytest.approx(solid.report.volume_mm3, rel=0.03)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"clip": "cube"}, "clip"),
        ({"diameter": 3.0}, "diameter"),
        ({"clip": "sphere", "diameter": -1.0}, "diameter"),
        ({"printer": "inkjet"}, "printer"),
        ({"scale": 0.0}, "scale"),
        ({"min_part": 1.5}, "min_part"),
        ({"max_triangles": 3}, "max_triangles"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict, name: str) -> None:
    with pytest.raises(InvalidParameter, match=f"print.{name}"):
        Print(**options)
