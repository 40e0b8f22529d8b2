"""Soft and hard grains, void and masks of `Polycrystal`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from microgen import Grid, Polycrystal
from microgen.errors import InvalidParameter
from microgen.generators.misorientation import contacts
from microgen.generators.placement import place_sites
from microgen.meshing import Clip

GRID = Grid((32, 30, 28), (1.0, 1.0, 1.0), periodic=(True, False, True))
LAWS = Polycrystal(grains=25)


@pytest.mark.parametrize(("exponent", "void"), [(0.5, 0.0), (2.0, 0.3), (8.0, 0.3)])
def test_grains_have_their_volumes_and_the_void_the_rest(exponent, void):
    sample = replace(LAWS, exponent=exponent, void=void).sample(GRID, seed=1)
    assert sample.provenance is not None
    counts = np.bincount(sample.grain_id.ravel(), minlength=26)
    large = sample.grains.volume_target >= 400
    assert np.array_equal(sample.grains.volume, counts[1:])
    assert sample.grains.volume_target.sum() == pytest.approx((1 - void) * GRID.size, rel=1e-9)
    assert np.abs(counts[1:] / sample.grains.volume_target - 1)[large].max() <= 0.01
    assert sample.provenance.achieved["void"] == counts[0] / GRID.size == pytest.approx(void, abs=0.005)
    assert np.array_equal(sample.phase_id == -1, sample.grain_id == 0)


def test_a_mask_holds_all_grains_and_nothing_lies_outside():
    inside = np.hypot(*(np.indices(GRID.shape)[:2] - 15)) < 12
    laws = replace(LAWS, void=0.2, exponent=4.0)
    sample = laws.sample(GRID, seed=2, mask=inside)
    assert sample.grain_id[~inside].max() == 0
    assert (sample.grain_id[inside] == 0).mean() == pytest.approx(0.2, abs=0.01)
    assert np.array_equal(sample.measured, inside)
    assert inside[tuple(np.floor(sample.grains.sites).astype(int).T)].all()
    assert laws.sample(GRID, seed=2, mask=Clip("cylinder")).provenance.configuration["mask"]["kind"] == "cylinder"


def test_members_of_an_ensemble_share_the_mask():
    inside = np.zeros(GRID.shape, bool)
    inside[:16] = True
    first, second = LAWS.samples(GRID, 2, seed=1, mask=inside, workers=1)
    assert not np.array_equal(first.grain_id, second.grain_id)
    assert all(np.array_equal(m.grain_id > 0, inside) for m in (first, second))


def test_a_table_of_other_costs_holds_no_weights_of_squares():
    assert LAWS.sample(GRID, seed=1).grains.weights is not None
    assert replace(LAWS, void=0.5).sample(GRID, seed=1).grains.weights is None


def test_parameters_come_again_from_a_configuration():
    laws = replace(LAWS, exponent=3.0, void=0.25)
    assert Polycrystal.from_configuration(laws.configuration()) == laws


def test_a_named_mean_size_is_that_of_what_grains_fill():
    mean = (6 * GRID.size * 0.5 / 25 / np.pi) ** (1 / 3)
    laws = replace(LAWS, void=0.5, size=replace(LAWS.size, cv=0.0, mean=mean))
    laws.check(GRID, seed=0)
    with pytest.raises(InvalidParameter, match="size.mean"):
        replace(laws, void=0.0).check(GRID, seed=0)


def test_sites_are_placed_inside_and_apart():
    inside = np.zeros((10, 10), bool)
    inside[2:5, 6:9] = True
    shapes, volumes = np.tile(np.eye(2), (5, 1, 1)), np.full(5, 1.0)
    placed = place_sites(
        shapes,
        volumes,
        (20.0, 20.0),
        periodic=(True, True),
        hard_core=0.5,
        rng=np.random.default_rng(0),
        inside=inside,
    )
    assert inside[tuple((placed.sites / 2).astype(int).T)].all()
    apart = np.linalg.norm(placed.sites[:, None] - placed.sites, axis=2)[np.triu_indices(5, 1)]
    assert apart.min() >= 2 * placed.hard_core * np.pi**-0.5


def test_void_is_no_neighbour():
    touching = contacts([np.array([[1, 0, 2], [1, 2, 2]])], Grid((2, 3), (1.0, 1.0)))
    assert (touching.first.tolist(), touching.second.tolist()) == ([0], [1])


@pytest.mark.parametrize(
    ("change", "mask", "name"),
    [
        ({"exponent": 0.0}, None, "exponent"),
        ({"exponent": float("nan")}, None, "exponent"),
        ({"void": 1.0}, None, "void"),
        ({"void": -0.1}, None, "void"),
        ({"void": 0.1, "cells": "laguerre"}, None, "void"),
        ({"exponent": 3.0, "cells": "laguerre"}, None, "exponent"),
        ({"cells": "laguerre"}, np.ones(GRID.shape, bool), "mask"),
        ({}, np.zeros(GRID.shape, bool), "mask"),
        ({}, np.ones((3, 3, 3), bool), "mask"),
        ({"grains": 4000, "void": 0.9}, None, "grains"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change, mask, name):
    with pytest.raises(InvalidParameter) as caught:
        replace(LAWS, **change).sample(GRID, seed=0, mask=mask)
    assert caught.value.name == name


@pytest.mark.parametrize("change", [{"exponent": 3.0}, {"void": 0.1}])
def test_fits_know_full_boxes_of_squares_only(change):
    from microgen import fit
    from microgen.fitting.section_target import SectionTarget

    with pytest.raises(InvalidParameter, match=next(iter(change))):
        fit(replace(LAWS, **change), object.__new__(SectionTarget), seed=0)
