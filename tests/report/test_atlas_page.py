"""The page of an atlas: whole, safe, and with commands that make its samples again."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from microgen import Grid, Microstructure, Phase
from microgen.errors import InvalidParameter
from microgen.report import command_line, embedding, render_atlas, thumbnail
from tests.made_up_atlas import made_up_atlas


@pytest.fixture(scope="module")
def page() -> str:
    """Drawn in a process without compiler: for twelve points UMAP is ten times quicker when it is not compiled."""
    if find_spec("umap") is None:
        pytest.skip("umap-learn is not installed")
    code = "import sys; from tests.made_up_atlas import made_up_atlas; from microgen.report import render_atlas; "
    code += "sys.stdout.reconfigure(encoding='utf-8'); "
    code += "print(render_atlas(made_up_atlas(12), {1: b'picture'}, title='A <b> title'))"
    options = {"env": os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)}}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8", **options)
    return done.stdout


def test_the_page_holds_every_texture_and_fetches_nothing(page: str) -> None:
    data = json.loads(re.search(r"const DATA=(\{.*?\});", page, re.DOTALL)[1])
    assert [p["n"] for p in data["points"]] == list(range(1, 13))
    assert [bool(p["png"]) for p in data["points"]] == [True] + [False] * 11
    places = np.array([(p["x"], p["y"]) for p in data["points"]])
    assert (places.min(), places.max()) == (0, 1)
    assert not re.search(r'(src|href)="?http', page)
    assert "A &lt;b&gt; title" in page


def test_too_few_textures_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="5 or more"):
        render_atlas(made_up_atlas(4), {})


def test_without_umap_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "find_spec", lambda name: None)
    with pytest.raises(embedding.EnvironmentProblem, match=r"pip install 'microgen-gpu\[atlas\]'"):
        embedding.embed(np.zeros((9, 3)))


def test_the_command_has_the_numbers_in_full() -> None:
    atlas = made_up_atlas()
    words = shlex.split(command_line(atlas.row(4), atlas.settings, spacing=12.5))
    assert words[:2] == ["microgen", "curvatubes"]
    assert [float(w) for w in words[3:9]] == [atlas.columns[n][4] for n in ("a20", "a11", "a02", "b10", "b01", "c")]
    assert words[words.index("--seed") + 1] == "104"
    assert words[words.index("--spacing") + 1] == "12.5"
    other = command_line(atlas.row(4), atlas.settings, dx=0.005, spacing=6.25)
    assert "--dx 0.005" in other
    assert "--seed" not in other


def test_a_thumbnail_is_a_small_picture_of_the_solid() -> None:
    x = np.linspace(-1, 1, 32)
    u = (0.6 - np.sqrt(x[:, None, None] ** 2 + x[:, None] ** 2 + x**2)).astype(np.float32)
    ball = Microstructure(
        Grid((32,) * 3, (1.0,) * 3), np.where(u > 0, 0, -1).astype(np.int16), (Phase("solid"),), level_set=u
    )
    png = thumbnail(ball)
    assert len(png) < 15_000
    covered = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))[..., 3] > 128
    assert 0.1 < covered.mean() < 0.4  # a disk of 0.6 half widths in a picture of a box seen on a corner
