"""The flow of the curvature energy at fixed mass: from noise to a texture.

u = m + filter(potential): the mean of u is m whatever the potential, as the filter takes the constant mode to zero.
Descent in the potential is descent in u in the metric of the filter; with P(k) growing like k this is the H^-1 flow
of Song 2022 (sec. 4), whose unknown is a vector field A with u = blur(div A + m). What the filter blurs away is not
carried: the potential lives on a coarse grid of cell eps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field as default, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from microgen.core.masked import Mask, masked
from microgen.core.operators import Modes
from microgen.core.phase_field import Array, Energy, Field
from microgen.core.starts import from_field, noise, scattered
from microgen.errors import NotConverged

Progress = Callable[[float, str], None]
BETA_1, BETA_2 = 0.95, 0.99
SMALLEST = 2**-10  # share of a step at which a flow that gives no number is given up
WINDOW = 50  # steps between two looks at the texture
CALM = 2  # looks in a row that must find little changed: thin layers rest before they move on
_PARTS = (slice(95, 105), slice(-2 * WINDOW, -WINDOW), slice(-WINDOW, None))  # of the energies, for the test


@dataclass(frozen=True)
class Schedule:
    """How far and how fast a flow goes. The defaults serve every texture; they are not meant to be tuned per case."""

    k0: float = 6.0
    """P(k) = k / sqrt(k² + k0²) of the H^-1 flow, which tends to L2 above k0; in 1/eps."""
    blur: float = 0.75
    """Width of the Gaussian in the filter, in eps."""
    rms: float = 0.01
    """Root mean square of the change of u in a step, before it decays."""
    least: int = 200
    """Steps at full size before the flow may settle."""
    most: int = 1200
    """Steps at full size after which it must."""
    decay: int = 200
    """Steps over which the size then falls to zero."""
    energy_change: float = 0.01
    """Settled: over WINDOW steps energy fell by at most this share of its fall since step 100 ..."""
    texture_change: float = 0.035
    """... and at most this share of the voxels changed side; twice in a row."""
    metric: str = "H-1"
    """"H-1", or "L2": P without its factor of k, the constant mode left out."""


@dataclass(frozen=True, eq=False)
class FlowState:
    """All that a flow needs to go on: a value for the caller to keep. Arrays are float32 of the shape of the modes."""

    amplitudes: Array
    """Of u's modes, without the mass."""
    first: Array
    """Mean of the gradient at the coarse points."""
    second: Array
    """Mean of its square."""
    step: int = 0
    share: float = 1.0
    """Share of the step that is taken: halved whenever the energy is no number."""
    decay_from: int = -1
    """Step at which the size began to fall; -1 before."""
    energy: tuple[float, ...] = ()
    """Energy before each step."""
    solid: Array | None = None
    """bool [shape of the box]: u > 0 at the last look."""
    calm: int = 0
    """Looks in a row at which little had changed."""


@dataclass(frozen=True, eq=False)
class FieldSolution:
    """A field and how it was reached."""

    field: Array
    """float32 [shape]: u, solid where u > 0."""
    energy: float
    history: Array
    """float64 [iterations]: energy before each step."""
    iterations: int
    status: str
    """"converged"; "capped" where the texture still moved at `most` steps; "no_texture" where u kept one sign."""
    mass_error: float
    """|mean of u - mean of m|, of box or mask."""
    seconds: float
    state: FlowState = default(repr=False)


@dataclass(frozen=True, eq=False)
class Problem:
    """What flows: the energy, the modes of u, and the mass (mean of u, or a field with that mean)."""

    energy: Energy
    modes: Modes
    base: Array
    """float32 [shape]: m, kept by every step."""
    cutoff: Array
    """float32 [counts]: the filter P; zero for the constant mode."""
    mask: Mask | None = None
    """Where u has the mean of m too; beside the box, which always has it."""

    def field(self, state: FlowState) -> Array:
        """u of a state."""
        v = self.modes.to_voxels(state.amplitudes)
        return self.base + (v if self.mask is None else self.mask.without_mean(v))

    def slope(self, u: Array) -> tuple[float, Array]:
        """F, and its derivative by the smooth field that the amplitudes are of."""
        energy, gradient = self.energy(u)
        return energy, gradient if self.mask is None else self.mask.adjoint(gradient)

    def mass_error(self, u: Array) -> float:
        """|mean of u - mean of m|: the larger one of box and mask."""
        parts: list[Any] = [...] if self.mask is None else [..., self.mask.inside]
        return max(abs(float(u[p].mean(dtype=float)) - float(self.base[p].mean(dtype=float))) for p in parts)


def problem(
    coefficients: tuple[Field, ...],
    *,
    mass: Field,
    eps: Field,
    spacing: tuple[float, ...],
    shape: tuple[int, ...],
    periodic: tuple[bool, ...],
    schedule: Schedule,
    orientation: tuple[Field, tuple[Field, ...]] | None = None,
    mask: Array | None = None,
) -> Problem:
    """Energy, modes and filter of a flow; where eps varies, its smallest value sets the filter."""
    mu, theta = orientation or (0.0, (0.0,) * 3)
    fields = [np.asarray(x, np.float32) if np.ndim(x) else x for x in (*coefficients, eps)]
    energy = Energy(tuple(fields[:6]), fields[6], spacing, periodic, mu, theta)
    width = float(np.min(eps))
    modes = Modes(shape, spacing, periodic, width)
    base = np.broadcast_to(np.asarray(mass, np.float32), shape)
    cutoff = _cutoff(modes.k * width, schedule).astype(np.float32)
    return Problem(energy, modes, base, cutoff, None if mask is None else masked(modes, mask))


def _cutoff(k: Array, schedule: Schedule) -> Array:
    """P of k in 1/eps: k / sqrt(k² + k0²) · 1/(1 + k²/2) · exp(-(blur k)²/2); without the first factor for L2."""
    rise = k / np.sqrt(k**2 + schedule.k0**2) if schedule.metric == "H-1" else (k > 0).astype(float)
    return rise / (1 + k**2 / 2) * np.exp(-((schedule.blur * k) ** 2) / 2)


def _at_rest(amplitudes: Array) -> FlowState:
    amplitudes = amplitudes.astype(np.float32)
    return FlowState(amplitudes, np.zeros_like(amplitudes), np.zeros_like(amplitudes))


def flow(
    coefficients: tuple[Field, ...],
    *,
    mass: Field,
    eps: Field,
    spacing: tuple[float, ...],
    shape: tuple[int, ...],
    periodic: tuple[bool, ...],
    seed: int | None = None,
    start: str | Array | FlowState = "noise",
    orientation: tuple[Field, tuple[Field, ...]] | None = None,
    mask: Array | None = None,
    schedule: Schedule = Schedule(),  # noqa: B008  frozen
    progress: Progress | None = None,
    on_state: Callable[[FlowState], None] | None = None,
) -> FieldSolution:
    """Flow from noise, spheres or tubes drawn from the seed, from a field, or from a state handed to `on_state` before.

    States are handed over every WINDOW steps. `mask` (bool [shape]) is a part of the box in which the mean of u is that
    of `mass` as well.

    Raises NotConverged, with the last good solution as `best`, when the energy stays no number however short the step.
    """
    began = time.perf_counter()
    task = problem(
        coefficients,
        mass=mass,
        eps=eps,
        spacing=spacing,
        shape=shape,
        periodic=periodic,
        schedule=schedule,
        orientation=orientation,
        mask=mask,
    )
    state = start if isinstance(start, FlowState) else _begun(task, start, float(np.min(eps)), seed)
    # Threads of BLAS that wait for its small products spin beside those of the kernel: 2.7 times slower on 2 cores.
    with threadpool_limits(1, user_api="blas"), np.errstate(over="ignore", invalid="ignore"):
        return _run(task, state, schedule, began, progress, on_state)


def _begun(task: Problem, start: str | Array, width: float, seed: int | None) -> FlowState:
    rng = np.random.default_rng(seed)
    if not isinstance(start, str):
        return _at_rest(from_field(task.modes, np.asarray(start)))
    if start == "noise":
        return _at_rest(noise(task.modes, width, rng))
    return _at_rest(scattered(task.modes, start, float(task.base.mean(dtype=float)), width, rng))


def _run(
    task: Problem,
    state: FlowState,
    schedule: Schedule,
    began: float,
    progress: Progress | None,
    on_state: Callable[[FlowState], None] | None,
) -> FieldSolution:
    good = state
    while not _finished(state, schedule):
        u = task.field(state)
        energy, gradient = task.slope(u)
        if not (math.isfinite(energy) and math.isfinite(float(gradient.sum(dtype=float)))):
            state = _shorter(good, state, task, began)
            continue
        if state.step % WINDOW == 0 and len(state.energy) == state.step:
            _tell(state, schedule, progress, on_state)
            state = _look(state, u > 0, schedule)
        good = state
        state = _step(task, replace(state, energy=(*state.energy, energy)), gradient, schedule)
    forced = state.decay_from >= schedule.most
    return _solution(task, state, "capped" if forced else "converged", began)


def _finished(state: FlowState, schedule: Schedule) -> bool:
    return state.decay_from >= 0 and state.step >= state.decay_from + schedule.decay


def _look(state: FlowState, solid: Array, schedule: Schedule) -> FlowState:
    """Count looks at which energy had fallen little, against its fall since step 100, and few voxels changed side."""
    moved = 1.0 if state.solid is None else float(np.mean(solid != state.solid))
    quiet = state.step >= max(schedule.least, 2 * WINDOW + 100) and moved <= schedule.texture_change
    if quiet:
        start, before, now = (float(np.median(state.energy[part])) for part in _PARTS)
        quiet = before - now <= schedule.energy_change * max(start - now, 1e-3 * abs(now))
    return replace(state, solid=solid, calm=state.calm + 1 if quiet else 0)


def _step(task: Problem, state: FlowState, gradient: Array, schedule: Schedule) -> FlowState:
    """One step of Adam in the potential, its size set by the change of u it makes."""
    modes, n = task.modes, state.step + 1
    pull = modes.to_points(task.cutoff * modes.from_voxels(gradient))
    first = state.first + np.float32(1 - BETA_1) * (pull - state.first)
    second = state.second + np.float32(1 - BETA_2) * (pull * pull - state.second)
    size = np.sqrt(second / np.float32(1 - BETA_2**n))
    push = first / np.float32(1 - BETA_1**n) / (size + np.float32(1e-12) * size.max() + np.float32(1e-30))
    change = task.cutoff * modes.from_points(push)
    rms = math.sqrt(float((change.astype(float) ** 2).sum()) / math.prod(modes.shape))
    begun = state.decay_from
    if begun < 0 and (state.calm >= CALM or state.step >= schedule.most):
        begun = state.step
    left = 1.0 if begun < 0 else 1 - (state.step - begun) / max(schedule.decay, 1)
    factor = np.float32(schedule.rms * state.share * left / rms) if rms > 0 else np.float32(0)
    amplitudes = state.amplitudes - factor * change
    return replace(state, amplitudes=amplitudes, first=first, second=second, step=n, decay_from=begun)


def _shorter(good: FlowState, bad: FlowState, task: Problem, began: float) -> FlowState:
    """Back to the last good state, at rest and with half the step; given up when there is none or it is too short."""
    if bad is good or bad.share <= SMALLEST:
        best = None if bad is good else _solution(task, good, "diverged", began)
        raise NotConverged(
            f"the energy is no number after {bad.step} steps, however short they are. "
            "Use coefficients that are bounded below, or a larger eps.",
            best=best,
        )
    rest = np.zeros_like(good.first)
    return replace(good, share=bad.share / 2, first=rest, second=rest, energy=good.energy)


def _tell(state: FlowState, schedule: Schedule, progress: Progress | None, on_state) -> None:
    """Where the flow stands, for whoever listens; the share done is a guess until the decay has begun."""
    if on_state is not None:
        on_state(state)
    if progress is not None:
        ahead = schedule.decay + (schedule.least if state.decay_from < 0 else 0)
        done = state.step / max(state.step + ahead * 0.5, schedule.least + schedule.decay, 1)
        energy = f", energy {state.energy[-1]:.6g}" if state.energy else ""
        progress(min(done, 0.99), f"step {state.step}{energy}")


def _solution(task: Problem, state: FlowState, status: str, began: float) -> FieldSolution:
    u = np.ascontiguousarray(task.field(state), np.float32)
    energy, _ = task.energy(u)
    seen = u if task.mask is None else u[task.mask.inside]
    if status != "diverged" and not (seen.max() > 0.1 and seen.min() < -0.1):
        status = "no_texture"
    seconds = time.perf_counter() - began
    return FieldSolution(u, energy, np.array(state.energy), state.step, status, task.mass_error(u), seconds, state)
