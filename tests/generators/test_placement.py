"""Hard-core placement: distances hold, crowded boxes end, the seed decides."""

from __future__ import annotations

import numpy as np
import pytest

from microgen.generators.placement import place_sites

BALL = {2: np.pi, 3: 4 * np.pi / 3}


def problem(n: int, d: int, aspect: float, periodic: bool, hard_core: float):
    rng = np.random.default_rng(3)
    volumes = rng.lognormal(0, 1, n)
    lengths = (2.0, 1.0, 1.5)[:d]
    volumes *= np.prod(lengths) / volumes.sum()
    u = rng.standard_normal((n, d))
    u /= np.linalg.norm(u, axis=1)[:, None]
    outer = u[:, :, None] * u[:, None, :]
    shapes = aspect ** (2 / d) * (np.eye(d) - outer) + aspect ** (-2 * (d - 1) / d) * outer
    placed = place_sites(shapes, volumes, lengths, periodic=(periodic,) * d, hard_core=hard_core, rng=rng)
    return shapes, volumes, np.array(lengths), placed


def gaps(shapes, volumes, lengths, sites, periodic: bool) -> np.ndarray:
    """Distance over the sum of the radii along the line between two sites, for all pairs."""
    d = len(lengths)
    dx = sites[:, None] - sites[None]
    if periodic:
        dx -= lengths * np.rint(dx / lengths)
    r2 = (volumes / BALL[d]) ** (2 / d)
    q = np.einsum("ijk,ikl,ijl->ij", dx, shapes / r2[:, None, None], dx)
    i, j = np.triu_indices(len(sites), 1)
    return 1 / (1 / np.sqrt(q[i, j]) + 1 / np.sqrt(q.T[i, j]))


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("aspect", [1.0, 4.0])
@pytest.mark.parametrize("periodic", [True, False])
def test_no_two_sites_are_closer_than_the_hard_core(d: int, aspect: float, periodic: bool) -> None:
    shapes, volumes, lengths, placed = problem(300, d, aspect, periodic, 0.55)
    assert ((placed.sites >= 0) & (placed.sites < lengths)).all()
    assert gaps(shapes, volumes, lengths, placed.sites, periodic).min() >= placed.hard_core
    assert placed.hard_core == 0.55


def test_what_cannot_be_packed_is_relaxed_and_said() -> None:
    shapes, volumes, lengths, placed = problem(200, 3, 1.0, True, 1.0)
    assert 0.3 < placed.hard_core < 1.0
    assert gaps(shapes, volumes, lengths, placed.sites, True).min() >= placed.hard_core


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_grains_end_too(n: int) -> None:
    assert problem(n, 3, 2.0, True, 1.0)[3].sites.shape == (n, 3)


def test_the_seed_decides_all() -> None:
    assert np.array_equal(problem(100, 3, 2.0, True, 0.6)[3].sites, problem(100, 3, 2.0, True, 0.6)[3].sites)
