from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up import as_scan, make_sample

from microgen.descriptors.mackenzie import mackenzie_density
from microgen.grid import Grid
from microgen.microstructure import Microstructure, Phase
from microgen.report import charts
from microgen.report.orientation_section import MOST_PHASES, RANDOM_PAIRS, orientation_section, random_density

HCP = Phase("Mg", "6/mmm", (3.21, 3.21, 5.21, 90, 90, 120))


def pair(phases: tuple[Phase, ...] = (Phase("Ni"),)) -> tuple[Microstructure, Microstructure]:
    sample = make_sample(Grid((14, 14, 14), (1.0,) * 3), grains=60, phases=phases)
    return sample, make_sample(Grid((30, 24), (0.5, 0.5)), grains=40, phases=phases, seed=1)


def test_scan_and_sample_have_figures_maps_and_angles_side_by_side() -> None:
    sample, segmented = pair()
    page = orientation_section(sample, as_scan(segmented), segmented, {})
    assert page.count('class="poles"') == 1
    assert page.count('class="ring"') == 6
    assert all(f"{name}, IPF {axis}" in page for name in ("Scan", "Sample") for axis in "xyz")
    assert all(words in page for words in ("{001}", "{011}", "{111}", "half width of 10°", "(Mackenzie)"))
    assert 'class="bars target"' in page
    assert 'class="bars achieved"' in page
    assert 'class="line random"' in page


def test_a_sample_alone_has_one_row_and_no_maps() -> None:
    sample, _ = pair()
    page = orientation_section(sample, None, None, {})
    assert page.count('class="ring"') == 3
    assert "IPF" not in page
    assert "Scan" not in page


def test_each_phase_has_its_planes_and_only_frequent_ones_are_drawn() -> None:
    phases = (Phase("<Ni>"), HCP, *(Phase(f"more {k}") for k in range(4)))
    sample, segmented = pair(phases)
    page = orientation_section(sample, as_scan(segmented), segmented, {})
    assert page.count('class="poles"') == MOST_PHASES
    assert "<Ni>" not in page
    both = orientation_section(*pair((Phase("Ni"), HCP))[:1], None, None, {})
    assert "(101\u03050)" in both
    assert f"{RANDOM_PAIRS} random pairs" in both


def test_a_phase_the_scan_lacks_has_no_row_of_the_scan() -> None:
    sample, segmented = pair()
    other = replace(segmented, phases=(Phase("Cu"),))
    assert orientation_section(sample, as_scan(other), other, {}).count('class="ring"') == 3


@pytest.mark.parametrize("laue_group", ["m-3m", "6/mmm", "-1"])
def test_the_line_of_random_grains_is_a_density(laue_group: str) -> None:
    angle, density = random_density(laue_group)
    between = (density[1:] + density[:-1]) / 2
    assert (between * np.diff(angle)).sum() == pytest.approx(1, abs=0.03)


def test_random_pairs_of_cubic_grains_follow_mackenzie() -> None:
    from microgen.report import orientation_section as module

    angles = module._random_angles("m-3m")
    counts, edges = np.histogram(angles, np.arange(0, 63, 3))
    middle = np.radians((edges[1:] + edges[:-1]) / 2)
    assert counts / len(angles) / 3 == pytest.approx(np.radians(mackenzie_density(middle)), abs=0.0015)


def test_lines_are_drawn_as_shares_of_a_bin() -> None:
    flat = charts.Series("x", np.linspace(0.05, 9.95, 100))
    line = (np.array([0.0, 10.0]), np.array([0.1, 0.1]), "random")
    chart = charts.histogram([flat], label="x", limits=(0.0, 10.0), bins=10, lines=[line])
    frame = charts.Frame(0, 10, 1.12 * 0.1)
    assert f"{float(frame.y(0.1)):.1f}" in chart.split('class="line random" d="')[1].split('"')[0]
