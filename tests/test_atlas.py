"""Look-up in an atlas: exact hits, ratios, scale, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from microgen.atlas import Atlas
from microgen.errors import InvalidParameter
from tests.made_up_atlas import made_up_atlas


def test_a_wish_that_is_an_entry_finds_it_and_its_scale() -> None:
    atlas = made_up_atlas()
    row = atlas.row(11)
    wish = {name: row[name] * 50.0 ** atlas.dimension(name) for name in ("thickness", "separation", "volume_fraction")}
    best = atlas.nearest(wish, 2)
    assert best[0].number == 12
    assert best[0].distance == pytest.approx(0, abs=1e-3)
    assert best[0].spacing == pytest.approx(0.01 * 50, rel=1e-3)
    assert best[0].found["separation"] == pytest.approx(wish["separation"], rel=1e-3)
    assert best[1].distance > 0.05


def test_porosity_is_the_share_of_the_void() -> None:
    best = made_up_atlas().nearest({"porosity": 1 - 8 / 32}, 3)
    assert [m.number for m in best] == [8, 7, 9]
    assert best[0].distance == 0
    assert best[0].scale is None
    assert best[0].spacing is None


def test_a_single_length_costs_nothing_and_two_are_a_ratio() -> None:
    atlas = made_up_atlas(length=np.linspace(0.05, 0.2, 30))
    single = atlas.nearest({"thickness": 120}, 30)
    assert [m.distance for m in single] == pytest.approx([0] * 30, abs=1e-9)
    assert [m.found["thickness"] for m in single] == pytest.approx([120] * 30)
    best = atlas.nearest({"thickness": 120, "separation": 120 * (2 + 20 / 30)}, 1)[0]
    assert best.number == 21
    assert best.distance == pytest.approx(0, abs=1e-3)


def test_longer_wishes_scale_and_change_nothing_else() -> None:
    atlas = made_up_atlas()
    wish = {"thickness": 100.0, "specific_surface": 0.012, "structure_model_index": 1.05}
    longer = {name: value * 7.0 ** atlas.dimension(name) for name, value in wish.items()}
    one, other = atlas.nearest(wish, 30), atlas.nearest(longer, 30)
    assert [m.number for m in one] == [m.number for m in other]
    assert np.allclose([m.distance for m in one], [m.distance for m in other])
    assert np.allclose([m.scale * 7 for m in one], [m.scale for m in other])


def test_a_compromise_is_the_best_of_all_scales() -> None:
    atlas = made_up_atlas()
    wish = {"thickness": 100.0, "separation": 400.0, "kappa_1": 0.02}
    best = atlas.nearest(wish, 1)[0]
    row, unit = atlas.row(best.number - 1), 0.08
    spread = {name: np.diff(np.quantile(atlas.relative(name), (0.16, 0.84)))[0] / 2 or 1.0 for name in wish}
    scales = np.geomspace(best.scale / 30, best.scale * 30, 20001)
    power = atlas.dimension
    misses = [(row[n] - w * scales ** -power(n)) / spread[n] / unit ** power(n) for n, w in wish.items()]
    assert best.distance == pytest.approx(np.sqrt(np.mean(np.square(misses), axis=0)).min(), rel=1e-4)


def test_features_do_not_depend_on_size() -> None:
    small, large = made_up_atlas(length=0.05), made_up_atlas(length=np.linspace(0.03, 0.4, 30))
    assert np.allclose(small.features(), large.features())


def test_draws_without_texture_are_never_found() -> None:
    atlas = made_up_atlas()
    status = np.where(np.arange(30) == 7, "no_texture", np.where(np.arange(30) == 9, "capped", "converged"))
    atlas = replace(atlas, columns=atlas.columns | {"status": status})
    assert len(atlas.formed) == len(atlas.features()) == 29
    assert 8 not in [m.number for m in atlas.nearest({"porosity": 1 - 8 / 32}, 30)]


def test_another_voxel_gives_another_dx_until_the_interface_is_too_thin() -> None:
    match = made_up_atlas().nearest({"thickness": 160}, 1)[0]  # 0.08 long in the atlas: 2000 µm a unit
    assert match.dx_for(10.0) == pytest.approx(0.005)
    with pytest.raises(InvalidParameter, match="at most 26.67"):
        match.dx_for(27.0)


@pytest.mark.parametrize("wish", [{}, {"thikness": 1.0}, {"thickness": float("nan")}])
def test_bad_wishes_are_refused(wish: dict[str, float]) -> None:
    with pytest.raises(InvalidParameter):
        made_up_atlas().nearest(wish)


def test_an_atlas_without_textures_finds_nothing() -> None:
    empty = Atlas({}, {name: column[:0] for name, column in made_up_atlas().columns.items()})
    with pytest.raises(InvalidParameter, match="with textures"):
        empty.nearest({"thickness": 1.0})
