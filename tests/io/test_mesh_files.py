"""Meshes in PLY, OBJ, GLB, 3MF and STL: read as trimesh wrote them, read by trimesh as written here; and damage."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st
from level_sets import level_set
from mesh_files import bodies, box, exported, same
from polycrystals import polycrystal

from microgen.errors import InvalidParameter, MicrogenError, NotPrintable, UnreadableFile, UnsupportedFormat
from microgen.grid import Grid
from microgen.io import glb, threemf_model, write
from microgen.io.sidecar import read_provenance
from microgen.io.surfaces import read_surfaces, write_surfaces
from microgen.meshing import Body, TriangleMesh, grain_surfaces, is_watertight, level_set_mesh, volume
from microgen.microstructure import Microstructure

MANY = [".3mf", ".ply", ".obj", ".glb"]
FUZZ = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("suffix", MANY)
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_surfaces(bodies(), level_set(), path)
    found = read_surfaces(path).bodies
    assert len(found) == 2
    assert all(same(one.mesh, two.mesh) for one, two in zip(found, bodies()))
    assert found[1].name.replace("_", " ") == "grain 2"
    assert read_provenance(path) == level_set().provenance


@pytest.mark.parametrize("suffix", MANY)
def test_trimesh_reads_them_closed_and_in_their_unit(tmp_path: Path, suffix: str) -> None:
    trimesh = pytest.importorskip("trimesh")
    path = tmp_path / f"a{suffix}"
    write_surfaces([bodies()[0], Body("far", box(at=(5, 5, 5)), (1, 2, 3))], level_set(), path)
    scene = trimesh.load_scene(path)
    whole = scene.to_mesh()
    whole.merge_vertices(merge_tex=True, merge_norm=True)
    assert whole.is_watertight
    assert whole.volume == pytest.approx(12e-9 if suffix == ".glb" else 12, rel=1e-5)
    assert len(scene.geometry) == (1 if suffix == ".ply" else 2)


def test_trimesh_finds_the_colours(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    for suffix in (".ply", ".obj", ".glb"):
        write_surfaces(bodies()[:1], level_set(), tmp_path / f"a{suffix}")
    plain = trimesh.load_mesh(tmp_path / "a.ply", process=False)
    assert plain.visual.vertex_colors[0].tolist() == [255, 0, 10, 255]
    assert "Kd 1.0000 0.0000 0.0392" in (tmp_path / "a.mtl").read_text()
    assert "mtllib a.mtl" in (tmp_path / "a.obj").read_text()
    (mesh,) = trimesh.load_scene(tmp_path / "a.glb").geometry.values()
    assert mesh.visual.material.baseColorFactor[:3].tolist() == [255, 0, 1]  # linear


def test_lib3mf_finds_the_colours(tmp_path: Path) -> None:
    lib3mf = pytest.importorskip("lib3mf")
    write_surfaces(bodies(), level_set(), tmp_path / "a.3mf")
    model = lib3mf.get_wrapper().CreateModel()
    model.QueryReader("3mf").ReadFromFile(str(tmp_path / "a.3mf"))
    each, colours = model.GetBaseMaterialGroups(), []
    while each.MoveNext():
        group = each.GetCurrentBaseMaterialGroup()
        colours += [group.GetDisplayColor(k) for k in group.GetAllPropertyIDs()]
    assert [(c.Red, c.Green, c.Blue, c.Alpha) for c in colours] == [(255, 0, 10, 255), (0, 128, 255, 255)]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.stl", {}),
        ("a.stl", {"file_type": "stl_ascii"}),
        ("a.ply", {}),
        ("a.ply", {"encoding": "ascii"}),
        ("a.obj", {}),
        ("a.glb", {}),
        ("a.3mf", {}),
    ],
)
def test_what_trimesh_wrote_is_read(tmp_path: Path, name: str, options: dict) -> None:
    if name == "a.3mf":
        pytest.importorskip("lxml")
    path = exported(box(), tmp_path / name, **options)
    (found,) = read_surfaces(path, unit="m").bodies
    assert is_watertight(found.mesh)
    assert volume(found.mesh) == pytest.approx(6e9)


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1.0), ("um", 1e-3), ("m", 1e3), ("inch", 25.4)])
def test_units(tmp_path: Path, unit: str, factor: float) -> None:
    for suffix in (".stl", ".ply", ".3mf"):
        write_surfaces(bodies()[:1], level_set(), tmp_path / f"a{suffix}")
        read = read_surfaces(tmp_path / f"a{suffix}", unit=unit)
        assert volume(read.bodies[0].mesh) == pytest.approx(6 * factor**3, rel=1e-5)
        assert unit in read.notes[0]
    with pytest.raises(InvalidParameter, match="unit"):
        read_surfaces(tmp_path / "a.stl", unit="furlong")


def test_the_unit_and_places_of_a_foreign_3mf(tmp_path: Path) -> None:
    inner = (
        '<vertex x="0" y="0" z="0"/><vertex x="1" y="0" z="0"/><vertex x="0" y="1" z="0"/><vertex x="0" y="0" z="1"/>'
    )
    rows = "".join(
        f'<triangle v1="{a}" v2="{b}" v3="{c}"/>' for a, b, c in ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))
    )
    text = (
        '<model unit="inch" xmlns="x"><resources>'
        f'<object id="1"><mesh><vertices>{inner}</vertices><triangles>{rows}</triangles></mesh></object>'
        '<object id="2" name="pair"><components><component objectid="1"/>'
        '<component objectid="1" transform="-2 0 0 0 1 0 0 0 1 -1 0 0"/></components></object></resources>'
        '<build><item objectid="2" transform="1 0 0 0 1 0 0 0 1 5 0 0"/></build></model>'
    )
    (found,) = threemf_model.read_bodies(package(tmp_path / "a.3mf", text))
    assert found.name == "pair"
    assert is_watertight(found.mesh)
    assert volume(found.mesh) == pytest.approx(25.4**3 / 2, rel=1e-6)
    assert found.mesh.points[:, 0].min() == pytest.approx(2 * 25.4)


def package(path: Path, text: str | bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("3D/3dmodel.model", text)
    return path


def test_hostile_3mf_files_are_refused(tmp_path: Path) -> None:
    loop = '<model><resources><object id="1"><components><component objectid="1"/></components></object></resources>'
    swelling = '<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><model/>'
    tries = {
        "within themselves": loop + '<build><item objectid="1"/></build></model>',
        "document type": swelling,
        "claims": b"<model>" + b" " * 10**7 + b"</model>",
        "unit": '<model unit="ell"/>',
    }
    for text, model in tries.items():
        with pytest.raises(UnreadableFile, match=text):
            read_surfaces(package(tmp_path / "a.3mf", model))


def test_a_glb_stands_upright_and_is_in_metres(tmp_path: Path) -> None:
    write(level_set(), tmp_path / "a.glb")
    trimesh = pytest.importorskip("trimesh")
    assert np.ptp(trimesh.load_scene(tmp_path / "a.glb").to_mesh().vertices, axis=0) == pytest.approx(
        [1.0e-3, 1.4e-3, 1.2e-3], abs=1e-7
    )
    (found,) = read_surfaces(tmp_path / "a.glb").bodies
    expected = level_set_mesh(level_set())
    assert np.array_equal(found.mesh.triangles, expected.triangles)
    assert np.allclose(found.mesh.points, expected.points, atol=1e-6)


def test_grains_are_objects_with_the_colours_of_their_orientation(tmp_path: Path) -> None:
    ms = polycrystal((8, 9, 7))
    for suffix in MANY:
        write(ms, tmp_path / f"a{suffix}")
        found = read_surfaces(tmp_path / f"a{suffix}").bodies
        expected = dict(grain_surfaces(ms))
        assert len(found) == len(expected)
        assert sum(volume(body.mesh) for body in found) == pytest.approx(
            sum(volume(mesh) for mesh in expected.values()), rel=1e-3
        )


@pytest.mark.parametrize("suffix", [".stl", *MANY])
def test_surfaces_that_are_open_are_refused_saying_where(tmp_path: Path, suffix: str) -> None:
    whole = box()
    with pytest.raises(NotPrintable, match=r"lid: .*3 open edges .* at \("):
        write_surfaces(
            [Body("lid", TriangleMesh(whole.points, whole.triangles[1:]))], level_set(), tmp_path / f"a{suffix}"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".stl", *MANY])
@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.booleans())
def test_random_samples_are_closed_as_others_read_them(suffix: str, seed: int, grains: bool) -> None:
    trimesh, manifold = pytest.importorskip("trimesh"), pytest.importorskip("manifold3d")
    rng = np.random.default_rng(seed)
    shape, spacing = tuple(int(n) for n in rng.integers(6, 13, 3)), (float(rng.uniform(1, 90)),) * 3
    if grains and suffix not in (".stl", ".ply"):  # trimesh makes one of all objects of a PLY
        labels = rng.integers(1, 6, tuple(-(-n // 3) for n in shape)).astype(np.int32)
        labels = np.kron(labels, np.ones((3, 3, 3), np.int32))[tuple(slice(n) for n in shape)]
        ms = Microstructure(Grid(shape, spacing), np.zeros(shape, np.int16), grain_id=labels)
    else:
        u = rng.normal(size=shape).astype(np.float32)
        ms = Microstructure(Grid(shape, spacing), np.where(u > 0, 0, -1).astype(np.int16), level_set=u)
    with TemporaryDirectory() as folder:
        write(ms, Path(folder) / f"a{suffix}")
        scene = trimesh.load_scene(Path(folder) / f"a{suffix}")
    for mesh in scene.geometry.values():
        mesh.merge_vertices(merge_tex=True, merge_norm=True)
        assert (mesh.is_watertight, mesh.is_winding_consistent, mesh.volume > 0) == (True, True, True)
        solid = manifold.Manifold(manifold.Mesh(mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32)))
        assert solid.status() == manifold.Error.NoError


def test_several_bodies_in_one_stl_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="3mf or .glb"):
        write_surfaces(bodies(), level_set(), tmp_path / "a.stl")


def test_objects_that_are_closed_together_are_one(tmp_path: Path) -> None:
    whole = box()
    text = "".join(f"v {x} {y} {z}\n" for x, y, z in whole.points)
    faces = [f"f {a + 1}/1/1 {b + 1}//2 {c - 8}\n" for a, b, c in whole.triangles]
    (tmp_path / "a.obj").write_text(text + "o lower\n" + "".join(faces[:5]) + "o upper\n" + "".join(faces[5:]))
    read = read_surfaces(tmp_path / "a.obj")
    assert is_watertight(read.bodies[0].mesh)
    assert len(read.bodies) == 1
    assert "taken for one" in read.notes[-1]


def test_polygons_of_a_big_endian_ply_are_cut_into_triangles(tmp_path: Path) -> None:
    head = (
        "ply\r\nformat binary_big_endian 1.0\r\nelement vertex 8\r\nproperty double x\r\nproperty double y\r\n"
        "property double z\r\nelement face 7\r\nproperty uchar flag\r\n"
        "property list uchar ushort vertex_index\r\nend_header\r\n"
    )
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7), (1, 7, 3)]
    rows = b"".join(struct.pack(f">BB{len(q)}H", 1, len(q), *q) for q in quads)
    (tmp_path / "a.ply").write_bytes(head.encode() + box().points.astype(">f8").tobytes() + rows)
    (found,) = read_surfaces(tmp_path / "a.ply").bodies
    assert same(found.mesh, box())


def small(folder: Path, suffix: str) -> bytes:
    path = folder / f"whole{suffix}"
    if suffix == ".ascii.ply":
        exported(box(), path, encoding="ascii")
    elif suffix == ".stl":
        write_surfaces(bodies()[:1], level_set(), path)
    else:
        write_surfaces(bodies(), level_set(), path)
    return path.read_bytes()


ALL = [".stl", ".ascii.ply", *MANY]
FILES: dict[str, bytes] = {}


@pytest.fixture(scope="module", autouse=True)
def files(tmp_path_factory: pytest.TempPathFactory) -> None:
    FILES.update({suffix: small(tmp_path_factory.mktemp("small"), suffix) for suffix in ALL})


def outcome(data: bytes, suffix: str) -> int | None:
    """Triangles found, or None after a typed error; anything else fails the test."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        path.write_bytes(data)
        try:
            found = read_surfaces(path).bodies
        except (UnreadableFile, UnsupportedFormat):
            return None
    assert all(np.isfinite(body.mesh.points).all() for body in found)
    assert all(0 <= body.mesh.triangles.min() <= body.mesh.triangles.max() < len(body.mesh.points) for body in found)
    return sum(len(body.mesh.triangles) for body in found)


@pytest.mark.parametrize("suffix", ALL)
@FUZZ
@given(share=st.floats(0, 1, exclude_max=True))
def test_files_cut_anywhere_are_no_smaller_meshes(suffix: str, share: float) -> None:
    found = outcome(FILES[suffix][: int(share * len(FILES[suffix]))], suffix)
    # Text without a count has no end: an OBJ that stops between two faces is whole.
    assert found is None or suffix == ".obj" or share * len(FILES[suffix]) > len(FILES[suffix]) - 2


@pytest.mark.parametrize("suffix", ALL)
@FUZZ
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12))
def test_files_with_other_bytes_are_read_or_refused(suffix: str, flips: list[tuple[float, int]]) -> None:
    data = bytearray(FILES[suffix])
    for place, byte in flips:
        data[int(place * len(data))] = byte
    outcome(bytes(data), suffix)


@pytest.mark.parametrize("suffix", ALL)
@FUZZ
@given(st.binary(max_size=200))
@example(b"ply\nformat ascii 1.0\nelement vertex 99999999999\nend_header\n")
@example(b"v 1 2 3\nf 1 1 1\nf 2 1 1")
@example(b"glTF" + struct.pack("<IIII", 2, 22, 2, glb._JSON) + b"[]")
def test_any_bytes(suffix: str, data: bytes) -> None:
    assert outcome(data, suffix) is None


@pytest.mark.parametrize("suffix", [".ply", ".glb"])
def test_no_claim_is_allocated(tmp_path: Path, suffix: str) -> None:
    claims = {".ply": (b"element face 24", b"element face 2000000000"), ".glb": (b'"count":36', b'"count":3600000000')}
    path = tmp_path / f"a{suffix}"
    path.write_bytes(FILES[suffix].replace(*claims[suffix]))
    tracemalloc.start()
    with pytest.raises(MicrogenError):
        read_surfaces(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def test_data_in_other_files_and_packed_data_are_refused(tmp_path: Path) -> None:
    for before, after in (
        (b'"byteLength":', b'"uri":"a.bin","byteLength":'),
        (b'"scene":0', b'"extensionsRequired":["X"]'),
    ):
        data = FILES[".glb"]
        size = struct.unpack_from("<I", data, 12)[0]
        text = data[20 : 20 + size].rstrip()[::-1].replace(before[::-1], after[::-1], 1)[::-1]
        chunk = struct.pack("<II", len(text), glb._JSON) + text + data[20 + size :]
        (tmp_path / "a.glb").write_bytes(b"glTF" + struct.pack("<II", 2, 12 + len(chunk)) + chunk)
        with pytest.raises(UnsupportedFormat, match="a.glb"):
            read_surfaces(tmp_path / "a.glb")


def test_what_is_no_file_of_a_surface(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormat, match=".3mf"):
        read_surfaces(tmp_path / "a.step")
    with pytest.raises(UnreadableFile, match="does not exist"):
        read_surfaces(tmp_path / "a.stl")
