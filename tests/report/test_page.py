from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from made_up import FakeStatistic, as_scan, make_sample

from microgen.descriptors.distribution import Distribution
from microgen.errors import InvalidParameter, UnreadableFile
from microgen.grid import Grid, HexGrid
from microgen.io.sidecar import read_provenance
from microgen.microstructure import Microstructure, Phase
from microgen.provenance import Provenance
from microgen.report import Member, render_report, statistics_table
from microgen.report.match_section import series_of

VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    """Checks that tags nest; keeps the visible text and all addresses."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "data", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def statistics() -> dict[str, FakeStatistic]:
    rng = np.random.default_rng(0)
    drawn = {"target_values": rng.lognormal(size=90), "achieved_values": rng.lognormal(size=400)}
    return {
        "diameter": FakeStatistic(3.21, 3.33, 0.0471, 0.05, 0.11, **drawn),
        "boundary_misorientation": FakeStatistic(unit="rad", in_objective=False, distance=0.3, **drawn),
        "texture": FakeStatistic(math.nan, math.nan, 0.01, 0.02, 0.03, unit=""),
    }


def scan_of(grid: Grid | HexGrid, **more) -> tuple[Microstructure, Microstructure]:
    segmented = make_sample(grid, **more)
    return as_scan(segmented), segmented


def test_distributions_keep_their_weights_and_radians_become_degrees() -> None:
    weighted = Distribution(np.array([0.5, 1.0]), np.array([3.0, 1.0]), "rad")
    statistic = FakeStatistic(unit="rad", target_values=weighted, achieved_values=np.array([0.5, 1.0, math.nan]))
    scan, made = series_of(statistic) or []
    assert scan.shares == pytest.approx([0.75, 0.25])
    assert made.values == pytest.approx([28.648, 57.296], abs=1e-3)
    assert series_of(replace(statistic, achieved_values=np.array([1.0, math.nan]))) is None
    assert series_of(replace(statistic, target_values=np.zeros((5, 4)))) is None


@pytest.fixture(scope="module")
def page(sample: Microstructure) -> str:
    scan, segmented = scan_of(Grid((30, 24), (0.5, 0.5)))
    return render_report(sample, scan=scan, segmented=segmented, statistics=statistics(), warnings=["few < 50 grains"])


def test_tags_nest_and_nothing_is_fetched(page: str) -> None:
    read = Reader(page)
    assert read.open == []
    assert not {"script", "link", "iframe", "object"} & set(read.tags)
    assert len(read.addresses) > 8
    assert all(address.startswith("data:image/png;base64,") for address in read.addresses)
    assert not re.search(r"https?:|url\(|@import", page)


def test_every_figure_of_the_table_is_on_the_page(page: str) -> None:
    text = Reader(page).text
    for row in statistics_table(statistics()).rows:
        assert all(cell in text for cell in row)


def test_the_page_says_what_was_understood_and_how_it_was_made(page: str) -> None:
    text = Reader(page).text
    said = [
        "square, step 500 nm",
        "720, 99.4 % indexed",
        "Ni (m-3m) 100 %",
        "step < header",
        "few < 50 grains".capitalize(),
    ]
    said += ["above 5°, at least 10 points", "steel.ang", "sha256 c0ffee", "seed41", "microgen rerun FILE", "0.87 %"]
    said += ["20 × 18 × 16 voxels of 500 nm", "repeats along x, y, z", "999 values", "12, mean diameter"]
    assert not [words for words in said if words not in text]


def test_verdicts_on_top(page: str) -> None:
    top = page[page.index("<header") : page.index("</header")]
    assert "volumes within 1 %: largest error 0.87 %" in top
    assert "2 of 2 objective statistics" in top
    assert "0 of 1 held-out statistics" in top
    assert top.count('class="chip good"') == 2


@pytest.mark.parametrize(
    ("configuration", "achieved", "measured", "limit"),
    [
        ({}, {}, "scan", "the scan's own noise"),
        ({}, {"scan": {"grid": "volume"}}, "volume", "the volume's own noise"),
        ({"numbers": "steel.toml"}, {}, "numbers", "their tolerances"),
    ],
)
def test_what_the_sample_was_fitted_to_is_named(sample, configuration, achieved, measured, limit) -> None:
    made = Provenance("polycrystal", configuration, achieved=achieved)
    text = Reader(render_report(sample, statistics=statistics(), provenance=made)).text
    assert f"Does the sample match the {measured}?" in text
    assert f"values of the {measured}" in text
    assert limit in text


def test_missed_tolerance_and_statistics_are_said(sample: Microstructure) -> None:
    assert sample.provenance is not None
    made = replace(sample.provenance, achieved={"volume_error_max_400": 0.03, "subvoxel_error_max": 0.001})
    far = {"diameter": FakeStatistic(distance=0.5)}
    top = render_report(sample, provenance=made, statistics=far)
    assert "volumes miss 1 %: largest error 3 %" in top
    assert "0 of 1 objective" in top
    assert top.count('class="chip bad"') == 2


def test_a_sample_without_a_scan_has_only_its_own_part(sample: Microstructure) -> None:
    text = Reader(render_report(replace(sample, provenance=None))).text
    assert "The sample" in text
    assert "The scan" not in text
    assert "match" not in text


@pytest.mark.parametrize(
    "grid", [Grid((40, 30), (0.5, 0.5)), Grid((16, 16, 1), (0.5,) * 3), Grid((9, 4, 30), (2.0, 1.0, 0.1))]
)
def test_planes_and_odd_boxes(grid: Grid) -> None:
    flat = make_sample(grid)
    assert Reader(render_report(flat)).open == []


def test_one_grain_and_empty_grains() -> None:
    one = make_sample(Grid((8, 8, 8), (1.0,) * 3), grains=1)
    crowded = make_sample(Grid((4, 4, 4), (1.0,) * 3), grains=120)
    for made in (one, crowded):
        assert "nan" not in Reader(render_report(made)).text


@pytest.mark.parametrize("grid", [HexGrid((21, 19), 0.2), Grid((15, 40), (2e-3, 2e-3)), Grid((400, 3), (1.0, 1.0))])
def test_scans_of_all_kinds_with_many_phases(sample: Microstructure, grid: Grid | HexGrid) -> None:
    phases = tuple(Phase(f"phase {k} <&>", "mmm" if k % 2 else "m-3m") for k in range(11))
    scan, segmented = scan_of(grid, grains=30, phases=phases)
    read = Reader(render_report(sample, scan=scan, segmented=segmented))
    assert read.open == []
    assert "phase 3 <&>" in read.text


def test_scan_with_missing_points_and_without_grains(sample: Microstructure) -> None:
    scan, _ = scan_of(HexGrid((21, 19), 0.2))
    there = np.ones(scan.grid.shape, bool)
    there[:4] = False
    text = Reader(render_report(sample, scan=replace(scan, measured=there))).text
    assert "76 missing in the file" in text
    assert "blank: not in the file" in text


def test_texts_from_outside_are_escaped(sample: Microstructure) -> None:
    evil = "<script>alert(1)</script>"
    made = Provenance(evil, {evil: evil}, inputs={evil: evil}, achieved={evil: evil})
    named = replace(sample, phases=(Phase(evil),), notes=(evil,))
    statistic = {evil: replace(statistics()["diameter"], unit=evil)}
    text = render_report(named, provenance=made, statistics=statistic, warnings=[evil], title=evil)
    assert "script" not in Reader(text).tags
    assert evil in Reader(text).text


def test_ensembles_are_summed_up(sample: Microstructure) -> None:
    members = [Member(k, k, (f"rve_{k}.tif",), {"volume_error_max_400": 0.01 * k}) for k in (1, 2)]
    text = Reader(render_report(sample, members=members)).text
    assert "rve_2.tif" in text
    assert "1.5 % ± 0.707 %" in text


@pytest.mark.parametrize("lacking", ["grains", "grain_id"])
def test_a_sample_without_grains_is_refused(sample: Microstructure, lacking: str) -> None:
    with pytest.raises(InvalidParameter, match="grains and their table"):
        render_report(replace(sample, **{lacking: None}))


def test_the_page_holds_the_whole_record(tmp_path: Path) -> None:
    made = Provenance("polycrystal", {"many": list(range(5000)), "name": "</script><b>µ"}, 3, {"a.ang": "0f"})
    sample = replace(make_sample(Grid((12, 12, 12), (1.0,) * 3)), provenance=made)
    (tmp_path / "page.html").write_text(render_report(sample), encoding="utf-8")
    assert read_provenance(tmp_path / "page.html").to_json() == made.to_json()
    (tmp_path / "other.html").write_text("<!DOCTYPE html><p>nothing</p>")
    with pytest.raises(UnreadableFile, match="no provenance"):
        read_provenance(tmp_path / "other.html")


def test_the_page_stays_small() -> None:
    big = make_sample(Grid((96, 96, 96), (0.25,) * 3), grains=1500)
    scan, segmented = scan_of(Grid((190, 200), (0.25, 0.25)), grains=400)
    assert len(render_report(big, scan=scan, segmented=segmented, statistics=statistics())) < 3e6
