"""The page about a level set, its charts and the picture of the solid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_page import Reader

from microgen.descriptors.distribution import Distribution
from microgen.grid import Grid
from microgen.microstructure import Microstructure, Phase
from microgen.provenance import Provenance
from microgen.report import charts, render_report, texture_summary
from microgen.report.rendering import CUT, draw_solid
from microgen.report.texture_page import draw_plane


def level_set(u: np.ndarray, spacing: float = 20.0, **achieved: object) -> Microstructure:
    made = Provenance("curvatubes", {"run": {"flags": {"preset": "<tubes>"}}}, seed=7, achieved=achieved)
    phase_id = np.where(u > 0, 0, -1).astype(np.int16)
    grid = Grid(u.shape, (spacing,) * u.ndim, periodic=(True,) * u.ndim)
    return Microstructure(grid, phase_id, (Phase("solid"),), level_set=u.astype(np.float32), provenance=made)


def gyroid(n: int = 32) -> np.ndarray:
    x, y, z = np.meshgrid(*[np.arange(n) * (4 * np.pi / n)] * 3, indexing="ij")
    return np.tanh(np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x))


def statistics() -> dict[str, object]:
    rng = np.random.default_rng(0)
    drawn = {name: Distribution(rng.normal(size=50), unit="1/µm") for name in ("kappa_1", "kappa_2")}
    drawn |= {name: Distribution(rng.lognormal(4, 0.3, 90), unit="µm") for name in ("thickness", "separation")}
    return {"volume_fraction": 0.4321, "euler_number": -17.0, **drawn}


def test_the_page_is_whole_and_says_everything() -> None:
    printed = {"bbox_mm": [1, 2, 3.5], "volume_mm3": 2.22, "area_mm2": 9, "triangles": 777, "parts": 1}
    printed |= {"parts_removed": 4, "min_wall_mm": None, "trapped_voids": 0}
    ms = level_set(gyroid(), status="converged", energy_trace=list(1e5 / np.arange(1, 90) ** 2), print=printed)
    page = render_report(ms, statistics=statistics(), warnings=["still moving"])
    read = Reader(page)
    assert read.open == []
    assert all(a.startswith("data:image/png;base64,") for a in read.addresses)
    for words in (
        "Synthetic texture: <tubes>",
        "0.432",
        "-17",
        "777 triangles",
        "Curvature diagram",
        "Energy",
        "Still moving",
    ):
        assert words in read.text
    assert "nan" not in read.text


@pytest.mark.parametrize("u", [gyroid()[:, :, 0], np.ones((9, 8, 7)), -np.ones((9, 8, 7)), gyroid()[:, :5]])
def test_planes_full_and_empty_boxes_have_a_page(u: np.ndarray) -> None:
    read = Reader(render_report(level_set(u), statistics={}))
    assert read.open == []
    assert "nan" not in read.text


def test_a_solid_box_shows_three_faces_and_nothing_else() -> None:
    pixels, _ = draw_solid(level_set(np.ones((10, 12, 14))), pixels=200)
    opaque = pixels[pixels[..., 3] == 255][:, :3].astype(float)
    shades = np.array([1.0, 0.86, 0.72])[:, None] * CUT
    # All but the smoothed edges between two faces.
    assert (np.abs(opaque[:, None] - shades).max(axis=2).min(axis=1) <= 1).mean() > 0.97
    assert not draw_solid(level_set(-np.ones((8, 8, 8))), pixels=100)[0].any()


def test_a_ball_is_round_lit_from_one_side_and_where_it_belongs() -> None:
    axis = np.arange(40) - 19.5
    u = 12 - np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    pixels, _ = draw_solid(level_set(u), pixels=300)
    rows, columns = np.nonzero(pixels[..., 3] > 127)
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=2)
    middle = [(rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2]
    assert middle == pytest.approx([pixels.shape[0] / 2, pixels.shape[1] / 2], abs=2)
    bright = pixels[..., :3].sum(axis=2)[rows, columns].astype(float)
    assert bright[rows < middle[0]].mean() > 1.1 * bright[rows > middle[0]].mean()


def test_paint_colours_the_surface_and_cut_the_faces_of_the_box() -> None:
    u = np.broadcast_to(8 - np.hypot(*(np.indices((32, 32)) - 15.5)), (32, 32, 32))  # a rod along x
    paint = np.zeros((32, 32, 32, 3))
    paint[..., 1] = 200
    pixels, _ = draw_solid(level_set(u), pixels=120, paint=paint, cut=np.array([200.0, 0, 0]))
    red, green, blue = pixels[pixels[..., 3] == 255][:, :3].T
    assert not blue.any()
    assert red.any()
    assert (green > 0).mean() > (red > 0).mean()


def test_far_ends_are_cut_straight() -> None:
    """A plate across x: its far edge, half hidden by nothing, runs as straight as its near one."""
    u = np.full((20, 20, 20), -1.0)
    u[:, 8:12] = 1
    shown = draw_solid(level_set(u), pixels=400)[0][..., 3] > 127
    lower = np.array([np.flatnonzero(column).max() for column in shown.T if column.any()])
    assert np.abs(np.diff(lower, 2)).max() <= 3


def test_fine_volumes_are_averaged_and_look_alike() -> None:
    fine = np.kron(gyroid(24), np.ones((8, 8, 8)))
    pictures = [draw_solid(level_set(u), pixels=120)[0][..., 3] > 127 for u in (gyroid(24), fine)]
    assert (pictures[0] == pictures[1]).mean() > 0.97


def test_curves_and_densities_stay_in_their_frame() -> None:
    x = np.linspace(0, 1000, 3000)
    for text in (
        charts.line(x, np.full(3000, 5.0), label="a", vertical="b"),
        charts.density(x, -x, x, label="a", vertical="b"),
        charts.density(np.zeros(4), np.zeros(4), np.ones(4), label="a", vertical="b"),
    ):
        assert Reader(text).open == []
        assert "nan" not in text


def test_ensembles_are_summed_up() -> None:
    rows = [
        {"member": k, "seed": 5 + k, "status": "converged", "thickness": 100.0 + k, "kappa_1": None} for k in (1, 2)
    ]
    table = texture_summary(rows)
    assert table.columns == ("member", "seed", "status", "thickness", "kappa 1")
    assert table.rows[-1][3] == "102 ± 0.707"
    ms = replace(level_set(gyroid()), provenance=None)
    assert "102 ± 0.707" in Reader(render_report(ms, members=rows)).text


def test_graded_and_masked_textures_say_so_and_leave_the_outside_blank() -> None:
    ms = level_set(gyroid()[:, :, 0])
    assert ms.provenance is not None
    parts = {"graded": {"axes": [0, 1]}, "mask": {"kind": "cylinder", "file": "bones/<hip>.stl"}}
    inside = np.hypot(*np.meshgrid(*2 * [np.arange(32) - 15.5])) < 12
    masked = replace(ms, measured=inside, provenance=replace(ms.provenance, configuration=parts))
    text = Reader(render_report(masked, statistics={})).text
    for words in ("graded along x and y", "inside <hip>.stl", "blank outside the mask"):
        assert words in text
    pixels = draw_plane(masked, 320)
    assert pixels[5, 5, 3] == 0
    assert pixels[160, 160, 3] == 255
    assert (pixels[..., 3] > 0).mean() == pytest.approx(np.pi * 12**2 / 32**2, rel=0.05)


def test_planes_have_discs_and_areas() -> None:
    text = Reader(render_report(level_set(gyroid()[:, :, 0]), statistics=statistics())).text
    assert "By area: each point counts with the largest disc" in text
    assert (
        "By volume: each point counts with the largest ball"
        in Reader(render_report(level_set(gyroid()), statistics=statistics())).text
    )
