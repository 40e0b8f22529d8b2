"""What is said in several places must agree."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def found(pattern: str, name: str) -> str:
    match = re.search(pattern, (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    assert match, f"{name} lacks {pattern}"
    return match[1]


def test_version_and_licence_agree() -> None:
    assert found(r"^version: (\S+)", "CITATION.cff") == PROJECT["version"] == metadata.version("microgen-gpu")
    assert found(r"^## (\S+)", "CHANGELOG.md") == PROJECT["version"]
    assert found(r"^license: (\S+)", "CITATION.cff") == PROJECT["license"] == "MIT"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_to_files_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link and not link.startswith("#")]
    assert [link for link in links if not (ROOT / link.split("#")[0]).exists()] == []


def test_every_package_folder_is_listed() -> None:
    folders = {str(p.parent.relative_to(ROOT)).replace("/", ".") for p in (ROOT / "microgen").rglob("__init__.py")}
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert folders | {"microgen_cli"} == set(packages)


def test_distribution_is_not_named_like_the_other_package() -> None:
    assert PROJECT["name"] == "microgen-gpu"
    assert PROJECT["scripts"] == {"microgen": "microgen_cli.main:main"}
