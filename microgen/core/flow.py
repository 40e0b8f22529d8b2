"""The flow of the curvature energy at fixed mass: from noise to a texture.

u = m + modes of the box without the constant one: the mean of u is that of m, whatever their amplitudes. Descent in the
amplitudes times a metric that grows like k² is the H^-1 flow of Song 2022 (sec. 4), whose unknown is a vector field A
with u = blur(div A + m); modes shorter than eps, which that blur takes away, are left out. The first steps, in which a
texture forms out of noise, take the energy on voxels of eps / 1.5 where those asked for are finer, with the same modes.

What decides a texture is the path, not the energy at its end. Momentum and one rate for all modes keep to the path of
the published algorithm: its Adam freezes its second moment at the huge gradients of the first steps, and is a gradient
flow from then on. Adam with a shorter memory descends by signs, one size of step for all, and ends in other textures.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field as default, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from microgen.core.operators import as_array
from microgen.core.phase_field import Array, Field
from microgen.core.problem import Metric, Problem, coarser, problem
from microgen.core.starts import from_field, noise, scattered
from microgen.errors import NotConverged

Progress = Callable[[float, str], None]
EARLY, LATE = 0.9, 0.95  # momentum while the texture forms, and after
FADE = 5  # step in which the size of the steps has halved
SMALLEST = 2**-10  # share of a step at which a flow that gives no number is given up
WINDOW = 50  # steps between two looks at the texture
_PARTS = (slice(95, 105), slice(-2 * WINDOW, -WINDOW), slice(-WINDOW, None))  # of the energies, for the test


@dataclass(frozen=True)
class Schedule:
    """How far and how fast a flow goes. The defaults serve every texture; they are not meant to be tuned per case."""

    first: float = 0.05
    """Root mean square of the change of u in the first step. It falls like one over the number of steps ..."""
    rms: float = 0.006
    """... down to this one, which is kept until the decay."""
    least: int = 700
    """Steps at full size before the flow may settle."""
    most: int = 3000
    """Steps at full size after which it must."""
    decay: int = 100
    """Steps over which the size then falls to zero."""
    energy_change: float = 0.0015
    """Settled: over WINDOW steps energy fell by at most this share of its fall since step 100 ..."""
    texture_change: float = 0.18
    """... and the voxels that changed side are at most this share of solid or void, whichever is rarer."""
    metric: Metric = Metric()
    forming: int = 250
    """Steps in which the texture forms: less momentum, the metric that is fast for all modes, and voxels of eps / 1.5
    where those asked for are finer. With more steps on those, thin rods and beads part or join too often."""


@dataclass(frozen=True, eq=False)
class FlowState:
    """All that a flow needs to go on: a value for the caller to keep. Arrays are float32 of the shape of the modes.

    On a GPU they are tensors; those handed to `on_state` are arrays.
    """

    amplitudes: Array
    """Of u's modes, without the mass."""
    mean: Array
    """Running mean of the gradient by the modes."""
    step: int = 0
    share: float = 1.0
    """Share of the step that is taken: halved whenever the energy is no number."""
    decay_from: int = -1
    """Step at which the size began to fall; -1 before."""
    energy: tuple[float, ...] = ()
    """Energy before each step."""
    solid: Array | None = None
    """bool, on the grid of that step: u > 0 at the last look."""
    calm: bool = False
    """Whether that look found little changed."""


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


def _at_rest(amplitudes: Array) -> FlowState:
    amplitudes = amplitudes.astype(np.float32)
    return FlowState(amplitudes, np.zeros_like(amplitudes))


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
    device: str = "cpu",
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
        metric=schedule.metric,
        orientation=orientation,
        mask=mask,
        device=device,
    )
    state = start if isinstance(start, FlowState) else _begun(task, start, float(np.min(eps)), seed)
    state = _moved(state, task.modes.placed)
    # Threads of BLAS that wait for its small products spin beside those of the kernel: 2.7 times slower on 2 cores.
    with threadpool_limits(1, user_api="blas"), np.errstate(over="ignore", invalid="ignore"):
        return _run(task, state, schedule, began, progress, on_state)


def _begun(task: Problem, start: str | Array, width: float, seed: int | None) -> FlowState:
    rng, modes = np.random.default_rng(seed), replace(task.modes, device="cpu")
    if not isinstance(start, str):
        return _at_rest(from_field(modes, np.asarray(start)))
    if start == "noise":
        return _at_rest(noise(modes, width, rng))
    return _at_rest(scattered(modes, start, float(task.base.mean(dtype=float)), width, rng))


def _moved(state: FlowState, place: Callable[[Array], Any]) -> FlowState:
    """The state with its arrays put elsewhere."""
    solid = None if state.solid is None else place(state.solid)
    return replace(state, amplitudes=place(state.amplitudes), mean=place(state.mean), solid=solid)


def _run(
    task: Problem,
    state: FlowState,
    schedule: Schedule,
    began: float,
    progress: Progress | None,
    on_state: Callable[[FlowState], None] | None,
) -> FieldSolution:
    good, forming = state, coarser(task) if state.step < schedule.forming else task
    while not _finished(state, schedule):
        here = forming if state.step < schedule.forming and state.decay_from < 0 else task
        u = here.field(state.amplitudes)
        energy, gradient = here.slope(u)
        pull = here.modes.from_voxels(gradient)  # one value of gradient that is no number spoils them all
        if not (math.isfinite(energy) and math.isfinite(float(pull.sum(dtype=float)))):
            state = _shorter(good, state, task, began)
            continue
        if state.step % WINDOW == 0 and len(state.energy) == state.step:
            _tell(state, schedule, progress, on_state)
            state = _look(state, u > 0, schedule)
        good = state
        state = _step(here, replace(state, energy=(*state.energy, energy)), pull, schedule)
    forced = state.decay_from >= schedule.most
    return _solution(task, state, "capped" if forced else "converged", began)


def _finished(state: FlowState, schedule: Schedule) -> bool:
    return state.decay_from >= 0 and state.step >= state.decay_from + schedule.decay


def _look(state: FlowState, solid: Array, schedule: Schedule) -> FlowState:
    """Whether energy fell little, against its fall since step 100, and few voxels changed side since the last look."""
    comparable = state.solid is not None and state.solid.shape == solid.shape
    quiet = comparable and state.decay_from < 0 and state.step >= max(schedule.least, 2 * WINDOW + 100)
    if quiet:
        filled = int(solid.sum())
        rarer = max(1, min(filled, math.prod(solid.shape) - filled))
        quiet = int((solid != state.solid).sum()) <= schedule.texture_change * rarer
    if quiet:
        start, before, now = (float(np.median(state.energy[part])) for part in _PARTS)
        quiet = before - now <= schedule.energy_change * max(start - now, 1e-3 * abs(now))
    return replace(state, solid=solid, calm=quiet)


def _step(task: Problem, state: FlowState, pull: Array, schedule: Schedule) -> FlowState:
    """One step against the mean of the pull, dF by the amplitudes, in the metric, of a given size."""
    formed = state.step >= schedule.forming
    beta = LATE if formed else EARLY
    mean = state.mean + (1 - beta) * (pull - state.mean)
    change = (task.settling if formed else task.forming) * mean
    rms = math.sqrt(float((change * change).sum(dtype=float)) / task.modes.size)
    begun = state.decay_from
    if begun < 0 and (state.calm or state.step >= schedule.most):
        begun = state.step
    left = 1.0 if begun < 0 else 1 - (state.step - begun) / max(schedule.decay, 1)
    size = max(schedule.first * FADE / (FADE + state.step), schedule.rms) * state.share * left
    amplitudes = state.amplitudes - (size / rms if rms > 0 else 0.0) * change
    return replace(state, amplitudes=amplitudes, mean=mean, step=state.step + 1, decay_from=begun)


def _shorter(good: FlowState, bad: FlowState, task: Problem, began: float) -> FlowState:
    """Back to the last good state, at rest and with half the step; given up when there is none or it is too short."""
    if bad is good or bad.share <= SMALLEST:
        best = None if bad is good else _solution(task, good, "diverged", began)
        raise NotConverged(
            f"the energy is no number after {bad.step} steps, however short they are. "
            "Use coefficients that are bounded below, or a larger eps.",
            best=best,
        )
    return replace(good, share=bad.share / 2, mean=0 * good.mean, energy=good.energy)


def _tell(state: FlowState, schedule: Schedule, progress: Progress | None, on_state) -> None:
    """Where the flow stands, for whoever listens; the share done is a guess until the decay has begun."""
    if on_state is not None:
        on_state(_moved(state, as_array))
    if progress is not None:
        ahead = schedule.decay + (schedule.least if state.decay_from < 0 else 0)
        done = state.step / max(state.step + ahead * 0.5, schedule.least + schedule.decay, 1)
        energy = f", energy {state.energy[-1]:.6g}" if state.energy else ""
        progress(min(done, 0.99), f"step {state.step}{energy}")


def _solution(task: Problem, state: FlowState, status: str, began: float) -> FieldSolution:
    u = task.field(state.amplitudes)
    energy, _ = task.energy(u)
    off = task.mass_error(u)
    seen = u if task.mask is None else u[task.mask.inside]
    if status != "diverged" and not (seen.max() > 0.1 and seen.min() < -0.1):
        status = "no_texture"
    field = np.ascontiguousarray(as_array(u), np.float32)
    history, seconds = np.array(state.energy), time.perf_counter() - began
    return FieldSolution(field, energy, history, state.step, status, off, seconds, _moved(state, as_array))
