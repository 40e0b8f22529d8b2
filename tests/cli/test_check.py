"""`microgen check`: figures, verdicts and exit codes for files made by others."""

from __future__ import annotations

from pathlib import Path

import pytest
from mesh_files import box, exported, inverted, together

from microgen.meshing import TriangleMesh

KEYS = {"watertight", "manifold", "parts", "volume_mm3", "area_mm2", "bbox_mm", "euler", "min_wall_mm"}
KEYS |= {"trapped_voids", "triangles"}


def test_a_closed_file_is_told_of_in_full(microgen, tmp_path: Path) -> None:
    exported(box((10, 20, 30)), tmp_path / "a.stl")
    done = microgen("check", "a.stl", "--json", "--density", 2.7, "--printer", "sla")
    assert done.code == 0
    assert set(done.json) >= KEYS
    assert (done.json["watertight"], done.json["manifold"], done.json["prints"]) == (True, True, True)
    assert done.json["mass_g"] == pytest.approx(16.2)
    assert done.json["bbox_mm"] == pytest.approx([10, 20, 30])
    assert done.json["min_wall_mm"] == pytest.approx(10, rel=0.02)
    assert done.json["resolution_mm"] == pytest.approx(6000 ** (1 / 3) / 100, rel=0.01)


def test_an_open_file_ends_with_5_and_says_where(microgen, tmp_path: Path) -> None:
    exported(TriangleMesh(box().points, box().triangles[1:]), tmp_path / "a.ply")
    done = microgen("check", "a.ply", "--json")
    assert (done.code, done.json["watertight"], done.json["open_edges"]) == (5, False, 3)
    assert (done.json["volume_mm3"], len(done.json["where"]["open"])) == (None, 3)
    assert "3 open edges with one triangle, the first at (" in done.err
    shown = microgen("check", "a.ply")
    assert "closed    no" in shown.out


COARSE = ["--resolution-mm", "0.5"]


@pytest.mark.parametrize(("unit", "code"), [("mm", 5), ("inch", 0), ("m", 0), ("um", 5)])
def test_the_unit_decides_what_prints(microgen, tmp_path: Path, unit: str, code: int) -> None:
    exported(box((20, 20, 0.3)), tmp_path / "a.stl")
    done = microgen("check", "a.stl", "--unit", unit, "--printer", "fdm", "--json", *({"mm": COARSE}.get(unit, ())))
    assert (done.code, done.json["prints"]) == (code, code == 0)
    assert ("below the 0.8 mm" in done.err) == (code == 5)


def test_slivers_of_a_cut_are_left_out_where_asked(microgen, tmp_path: Path) -> None:
    exported(together(box((30, 30, 0.1)), box((25, 30, 2), at=(2, 0, 10))), tmp_path / "a.stl")
    done = microgen("check", "a.stl", "--printer", "fdm")
    assert (done.code, "--cut leaves the slivers" in done.err) == (5, True)
    done = microgen("check", "a.stl", "--printer", "fdm", "--cut", "--json")
    assert (done.code, done.json["prints"], done.json["thin"]["fdm"] > 0.1) == (0, True, True)
    done = microgen("check", "a.stl", "--cut")
    assert (done.code, "--printer beside it" in done.err) == (2, True)


def test_cavities_keep_powder(microgen, tmp_path: Path) -> None:
    exported(together(box((10, 10, 10)), inverted(box((6, 6, 6), at=(2, 2, 2)))), tmp_path / "a.stl")
    assert microgen("check", "a.stl", "--printer", "fdm", *COARSE).code == 0
    done = microgen("check", "a.stl", "--printer", "sls", *COARSE)
    assert (done.code, "1 closed cavity, in which powder stays" in done.err) == (5, True)


def test_objects_of_a_3mf_are_checked_one_by_one(microgen, tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    pytest.importorskip("lxml")
    thin = box((9, 9, 0.2), at=(20, 0, 0))
    parts = (box((10, 10, 10)), TriangleMesh(thin.points, thin.triangles[1:]))
    scene = trimesh.Scene([trimesh.Trimesh(part.points, part.triangles) for part in parts])
    scene.export(tmp_path / "a.3mf")
    done = microgen("check", "a.3mf", "--json", *COARSE)
    assert (done.code, done.json["objects"], done.json["watertight"]) == (5, 2, False)
    assert [one["watertight"] for one in done.json["each"]] == [True, False]
    assert done.json["reasons"][0].startswith(done.json["each"][1]["name"])
    assert "object  " in microgen("check", "a.3mf", *COARSE).out


@pytest.mark.parametrize(
    ("argv", "code", "word"),
    [
        (["missing.stl"], 4, "does not exist"),
        (["notes.txt"], 4, ".3mf"),
        (["cut.stl"], 4, "no whole STL"),
        (["a.stl", "--unit", "furlong"], 2, "--unit"),
        (["a.stl", "--density", "-1"], 2, "--density"),
        (["a.stl", "--printer", "inkjet"], 2, "inkjet"),
        (["a.stl", "--resolution-mm", "1e-9"], 2, "--resolution-mm"),
    ],
)
def test_what_cannot_be_checked(microgen, tmp_path: Path, argv: list[str], code: int, word: str) -> None:
    data = exported(box(), tmp_path / "a.stl").read_bytes()
    (tmp_path / "cut.stl").write_bytes(data[:-7])
    (tmp_path / "notes.txt").write_text("hello")
    done = microgen("check", *argv)
    assert (done.code, word in done.err) == (code, True)
