"""DAMASK: its own package takes grid and materials as they are; what was written comes back; damage is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from polycrystals import PHASES, polycrystal

from microgen import read, read_provenance, write
from microgen.errors import InvalidParameter, MicrogenError, OutputNotWritable, UnreadableFile, UnsupportedFormat
from microgen.grid import Grid
from microgen.io import damask, find_reader, vti
from microgen.microstructure import Microstructure
from microgen.orientation import rotate

NAMES = ["a.damask.vti", "a.damask.vti.json", "a.material.yaml"]


def theirs():  # noqa: ANN201
    return pytest.importorskip("damask", reason="the package damask is not installed", exc_type=ImportError)


def without_void() -> Microstructure:
    ms = polycrystal()
    labels = np.maximum(ms.grain_id, 1)
    return replace(
        ms, grain_id=labels, phase_id=ms.grains.phase_id[labels - 1], grid=Grid((5, 7, 6), (0.1, 0.7, 1 / 3))
    )


@pytest.mark.parametrize("origin", [(0, 0, 0), (10, -20, 30)])
def test_damask_loads_the_grid_exactly(tmp_path: Path, origin: tuple[float, ...]) -> None:
    ms = polycrystal()
    ms = replace(ms, grid=Grid((5, 7, 6), (0.1, 0.7, 1 / 3), origin))
    write(ms, tmp_path / "a.damask.vti")
    grid = theirs().GeomGrid.load(tmp_path / "a.damask.vti")
    assert np.array_equal(grid.material, np.where(ms.grain_id > 0, ms.grain_id - 1, 12))
    assert np.allclose(grid.size, np.array(ms.grid.lengths) * 1e-6, rtol=1e-14)
    assert np.allclose(grid.origin, np.array(origin) * 1e-6, rtol=1e-14)
    assert not grid.initial_conditions


@pytest.mark.parametrize("ms", [polycrystal(), without_void()], ids=["with void", "without"])
def test_damask_finds_the_materials_valid_and_complete(tmp_path: Path, ms: Microstructure) -> None:
    write(ms, tmp_path / "a.damask.vti")
    config = theirs().ConfigMaterial.load(tmp_path / "a.material.yaml")
    assert config.is_valid
    assert config.is_complete
    assert len(config["material"]) == 12 + (ms.grain_id == 0).any()
    assert [m["constituents"][0]["phase"] for m in config["material"][:2]] == [p.name for p in PHASES]
    assert config["phase"]["Mg"]["lattice"] == "hP"


def test_damask_turns_vectors_as_we_do(tmp_path: Path) -> None:
    ms, vector = polycrystal(), np.array([1.0, -2.0, 3.0])
    write(ms, tmp_path / "a.damask.vti")
    config = theirs().ConfigMaterial.load(tmp_path / "a.material.yaml")
    for material, q in zip(config["material"], ms.grains.orientation):
        turn = theirs().Rotation.from_quaternion(material["constituents"][0]["O"])
        assert np.allclose(turn @ vector, rotate(q, vector))


def test_materials_look_as_their_own_package_writes_them(tmp_path: Path) -> None:
    write(without_void(), tmp_path / "a.damask.vti")
    package = theirs()
    config = package.ConfigMaterial.load(tmp_path / "a.material.yaml")
    config.save(tmp_path / "theirs.yaml")
    ours = [line for line in (tmp_path / "a.material.yaml").read_text().splitlines() if "#" not in line]
    assert [line.replace('"', "") for line in ours] == [
        line.replace("'", "") for line in (tmp_path / "theirs.yaml").read_text().splitlines()
    ]


def test_the_solver_finds_each_tag_and_array_on_a_line_of_its_own(tmp_path: Path) -> None:
    """src/VTI.f90 of DAMASK goes by lines and takes inline arrays alone."""
    write(polycrystal(), tmp_path / "a.damask.vti")
    lines = (tmp_path / "a.damask.vti").read_text().splitlines()
    (at,) = (k for k, line in enumerate(lines) if ' Name="material"' in line)
    assert lines[at - 1].startswith("<CellData")
    assert ' type="Int32"' in lines[at]
    assert ' format="binary"' in lines[at]
    assert (lines[at + 2], lines[at + 3]) == ("</DataArray>", "</CellData>")
    assert "<" not in lines[at + 1]


@pytest.mark.parametrize("ms", [polycrystal(periodic=(True, False, True)), without_void()], ids=["void", "solid"])
def test_what_is_written_comes_back(tmp_path: Path, ms: Microstructure) -> None:
    assert [p.name for p in write(ms, tmp_path / "a.damask.vti")] == [NAMES[0], NAMES[2], NAMES[1]]
    back = read(tmp_path / "a.damask.vti")
    assert (back.grid, back.phases) == (ms.grid, ms.phases)
    assert np.array_equal(back.grain_id, ms.grain_id)
    assert np.array_equal(back.phase_id, ms.phase_id)
    q = ms.grains.orientation
    assert np.allclose(back.grains.orientation, np.where(q[:, :1] < 0, -q, q), atol=1e-15)
    assert read_provenance(tmp_path / "a.damask.vti").to_json() == ms.provenance.to_json()


def test_what_their_package_writes_is_read(tmp_path: Path) -> None:
    package, numbers = theirs(), np.random.default_rng(0).integers(0, 4, (3, 4, 5))
    grid = package.GeomGrid(numbers, size=np.array([3, 4, 5]) * 2e-6, origin=np.ones(3) * 1e-6)
    turns = package.Rotation.from_random(4, rng_seed=0)
    config = package.ConfigMaterial().material_add(phase=["A", "B", "A", "A"], O=turns, homogenization="SX")
    config["phase"]["B"] = {"lattice": "hP"}
    grid.save(tmp_path / "b.vti")
    config.save(tmp_path / "b.material.yaml")
    back = read(tmp_path / "b.vti", format="damask")
    assert np.array_equal(back.grain_id, numbers + 1)
    assert np.array_equal(back.phase_id == 1, numbers == 1)
    assert [p.laue_group for p in back.phases] == ["m-3m", "6/mmm"]
    assert np.allclose(back.grains.orientation, turns.as_quaternion())
    assert np.allclose(back.grid.spacing, 2)
    assert np.allclose(back.grid.origin, 1)


def test_a_grid_alone_is_read_with_a_note(tmp_path: Path) -> None:
    ms = without_void()
    write(ms, tmp_path / "a.damask.vti")
    (tmp_path / "a.material.yaml").unlink()
    back = read(tmp_path / "a.damask.vti")
    assert np.array_equal(back.grain_id, ms.grain_id)
    assert "no a.material.yaml beside it" in back.notes[0]


def test_a_sample_read_from_another_format_keeps_its_orientations(tmp_path: Path) -> None:
    ms = polycrystal()
    vti.write(ms, tmp_path / "a.vti")
    write(read(tmp_path / "a.vti"), tmp_path / "b.damask.vti")
    q, back = ms.grains.orientation, read(tmp_path / "b.damask.vti")
    assert np.allclose(back.grains.orientation, np.where(q[:, :1] < 0, -q, q), atol=1e-6)
    assert np.array_equal(back.grain_id, ms.grain_id)


@pytest.mark.parametrize("name", NAMES)
def test_no_file_is_overwritten_unasked_and_none_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(OutputNotWritable, match=f"{name}: exists"):
        write(polycrystal(), tmp_path / "a.damask.vti")
    assert [p.name for p in tmp_path.iterdir()] == [name]
    write(polycrystal(), tmp_path / "a.damask.vti", overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == NAMES


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (polycrystal((5, 7)), "a volume for DAMASK"),
        (replace(polycrystal(), grain_id=None), "numbered grains for DAMASK"),
        (replace(polycrystal(), grain_id=np.zeros((5, 7, 6), np.int32)), "all void"),
        (replace(polycrystal(), grains=None), "orientations for DAMASK"),
        (replace(polycrystal(), grain_id=polycrystal().grain_id + 1), "grains 0 .void. to 12"),
        (replace(polycrystal(), phases=(replace(PHASES[0], name="void"), PHASES[1])), "other than void"),
    ],
)
def test_samples_that_do_not_fit_are_refused(tmp_path: Path, ms: Microstructure, said: str) -> None:
    with pytest.raises(InvalidParameter, match=said):
        write(ms, tmp_path / "a.damask.vti")
    assert list(tmp_path.iterdir()) == []


def test_the_suffix_in_two_parts_and_the_name_pick_the_format(tmp_path: Path) -> None:
    assert find_reader("A.DAMASK.VTI").NAME == find_reader("a.vti", "damask").NAME == "damask"
    assert find_reader("a.vti").NAME == "paraview"
    write(polycrystal(), tmp_path / "b.vti", format="damask")
    assert (tmp_path / "b.material.yaml").is_file()


@pytest.mark.parametrize(
    "text",
    ["", "[", "material: 3", "material: []", "material: [3]", "material: [{constituents: []}]", "&a [*a, *a]"]
    + ["material: [{constituents: [{phase: A}]}]", "material: [{constituents: [{phase: A, O: [1, 1, 0, 0]}]}]"]
    + ["material: [{constituents: [{phase: A, O: [.nan, 0, 0, 0]}]}]", "[" * 5000, "!!python/object:os.system {}"],
)
def test_materials_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    write(polycrystal(), tmp_path / "a.damask.vti")
    (tmp_path / "a.material.yaml").write_text(text)
    with pytest.raises(UnreadableFile, match=r"a\.material\.yaml"):
        read(tmp_path / "a.damask.vti")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=4),
    end=st.floats(0, 1),
    name=st.sampled_from([NAMES[0], NAMES[2]]),
)
def test_damage_gives_a_typed_error_or_a_whole_sample(
    tmp_path: Path, changes: list[tuple[int, int]], end: float, name: str
) -> None:
    damask.write(polycrystal(), tmp_path / NAMES[0])
    data = bytearray((tmp_path / name).read_bytes())
    for at, value in changes:
        data[at % len(data)] = value
    (tmp_path / name).write_bytes(data if changes else data[: int(end * len(data))])
    try:
        assert read(tmp_path / NAMES[0]).phase_id.shape == (5, 7, 6)
    except MicrogenError as error:
        assert isinstance(error, UnreadableFile | UnsupportedFormat)  # noqa: PT017
