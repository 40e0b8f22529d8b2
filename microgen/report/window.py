"""A window with the sample, by pyvista: only where there is a screen, for VTK may end the process without one."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

from microgen.errors import EnvironmentProblem
from microgen.microstructure import Microstructure
from microgen.report import sheet
from microgen.report.painting import paint
from microgen.report.rendering import CUT, SOLID
from microgen.report.viewer import thinned


def has_screen() -> bool:
    """Whether a window could be shown."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def show_window(ms: Microstructure, *, way: str | None = None, title: str = "microgen") -> None:
    """Open a window and return when it is closed; volumes have a plane to cut them.

    Raises EnvironmentProblem without a screen, InvalidParameter for a way in which the sample cannot be coloured.
    """
    require_screen()
    plotter(ms, way=way, title=title).show()


def require_screen() -> None:
    """Raises EnvironmentProblem without a screen."""
    if not has_screen():
        raise EnvironmentProblem("--window: there is no screen (DISPLAY and WAYLAND_DISPLAY are not set). Use --out.")


def plotter(ms: Microstructure, *, way: str | None = None, title: str = "microgen", off_screen: bool = False) -> Any:
    """The pyvista plotter that `show_window` shows."""
    import pyvista

    made: Any = pyvista.Plotter(title=title, off_screen=off_screen)
    made.set_background("white")
    if ms.grid.ndim == 2:
        _add_map(made, ms, way)
        return made
    ms, _ = thinned(ms)
    painted = paint(ms, way)
    grid = pyvista.ImageData(dimensions=np.array(ms.grid.shape) + 1, spacing=ms.grid.spacing)
    if ms.level_set is not None:
        _add_surface(made, ms)
    else:
        colours = painted.colours[way or next(iter(painted.colours))]
        grid.cell_data["colour"] = colours[painted.numbers.ravel(order="F")]
        grid.cell_data["number"] = painted.numbers.ravel(order="F")
        hollow = bool((painted.numbers == 0).any())
        solid = grid.threshold(0.5, scalars="number") if hollow else grid
        made.add_mesh_clip_plane(solid, normal="x", scalars="colour", rgb=True, lighting=hollow)
    made.add_axes()
    # z points down into the material, as in all other pictures.
    made.view_vector((1.0, 1.4, -0.9), viewup=(0.0, 0.0, -1.0))
    return made


def _add_surface(made: Any, ms: Microstructure) -> None:
    """The surface of a level set, closed by caps at the faces of the box."""
    import pyvista

    assert ms.level_set is not None
    u = np.pad(np.asarray(ms.level_set, np.float32), 1, mode="edge")
    outside = np.ones(u.shape, bool)
    outside[1:-1, 1:-1, 1:-1] = False
    inner = float(np.abs(u).max()) or 1.0
    values = np.where(outside, np.minimum(u, -inner), u)
    origin = tuple(-0.5 * h for h in ms.grid.spacing)
    grid = pyvista.ImageData(dimensions=u.shape, spacing=ms.grid.spacing, origin=origin)
    grid.point_data["u"] = values.ravel(order="F")
    surface = grid.contour([0.0], scalars="u")
    low, high = np.zeros(3), np.array(ms.grid.lengths)
    near = np.minimum(surface.points - low, high - surface.points).min(axis=1) < 0.25 * min(ms.grid.spacing)
    surface.point_data["colour"] = np.where(near[:, None], CUT, SOLID).astype(np.uint8)
    made.add_mesh_clip_plane(surface, normal="x", scalars="colour", rgb=True, smooth_shading=True)


def _add_map(made: Any, ms: Microstructure, way: str | None) -> None:
    import pyvista

    painted = paint(ms, way)
    pixels = sheet.map_of(ms, painted, way or next(iter(painted.colours)), pixels=1600)
    width, height = ms.grid.lengths
    plane = pyvista.Plane(center=(width / 2, -height / 2, 0), i_size=width, j_size=height)
    white = np.where(pixels[..., 3:] > 0, pixels[..., :3], 255).astype(np.uint8)
    made.add_mesh(plane, texture=pyvista.numpy_to_texture(white), lighting=False)
    made.view_xy()
