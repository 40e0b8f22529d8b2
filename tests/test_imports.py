"""Who may import whom, as laid down in the architecture: read from the source, so nothing needs to be importable."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EVERYONE = {"errors", "grid", "provenance"}
ALLOWED = {
    "errors": set(),
    "grid": set(),
    "provenance": set(),
    "microstructure": set(),
    "orientation": set(),
    "segmentation": {"microstructure", "orientation", "core"},
    "meshing": {"microstructure", "core"},
    "core": set(),
    "generators": {"microstructure", "orientation", "core"},
    "descriptors": {"microstructure", "orientation", "core"},
    "fitting": {"generators", "descriptors", "segmentation", "core", "microstructure", "orientation"},
    "io": {"microstructure", "orientation", "meshing"},
    "report": {"descriptors", "microstructure", "orientation"},
}
HEAVY = {"torch", "pyvista", "vtk", "matplotlib", "numba", "scipy", "h5py", "tifffile", "manifold3d"}
DRAWING = {"pyvista", "vtk", "matplotlib"}
SOURCES = sorted((ROOT / "microgen").rglob("*.py"))


def imported(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Dotted names of everything a file imports (typing-only imports included)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide who imports whom"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def layer(path: Path) -> str:
    return path.relative_to(ROOT / "microgen").parts[0].removesuffix(".py")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_layers_import_only_what_lies_below(path: Path) -> None:
    if layer(path) == "__init__":
        return
    ours = {name.split(".")[1] for name in imported(path) if name.startswith("microgen.")}
    assert ours <= ALLOWED[layer(path)] | EVERYONE | {layer(path)}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_the_library_knows_no_command_and_draws_only_at_the_border(path: Path) -> None:
    names = {name.split(".")[0] for name in imported(path)}
    assert not names & {"cyclopts", "rich", "microgen_cli"}
    if layer(path) not in ("io", "report"):
        assert not names & DRAWING
    assert not {name.split(".")[0] for name in imported(path, top_level_only=True)} & DRAWING


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_torch_stays_in_the_core_or_inside_functions(path: Path) -> None:
    names = {name.split(".")[0] for name in imported(path, top_level_only=True)}
    assert layer(path) == "core" or "torch" not in names


@pytest.mark.parametrize("path", sorted((ROOT / "cli").glob("*.py")), ids=name_of)
def test_commands_use_public_names_only(path: Path) -> None:
    import microgen

    for name in imported(path):
        if name.startswith("microgen."):
            module, member = name.rsplit(".", 1)
            assert module.removeprefix("microgen.") in EVERYONE or member in microgen.__all__, name
        assert name.split(".")[0] not in HEAVY or path.name == "doctor.py", name


def test_base_modules_are_complete() -> None:
    assert {layer(p) for p in SOURCES} - {"__init__"} <= set(ALLOWED)
