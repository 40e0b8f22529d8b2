"""Energy and hand-derived gradient of the curvature phase field on a GPU, in Triton.

The formulas are those of `phase_field_reference`.

Two sweeps over a slab of planes: the first gives every voxel the ten weights with which its integrand pulls at its
neighbours, the second gathers them, so that no two threads write one number and results repeat bit for bit. A box is
done slab by slab, so that the weights take little memory beside u and its gradient. With TRITON_INTERPRET=1 the same
code runs on a CPU.
"""

# ruff: noqa: RET505  two returns of different shapes compile only as branches of one `if`
# What the compiler makes of a kernel's numbers and loops is not what a type checker sees.
# pyright: reportArgumentType=false, reportGeneralTypeIssues=false

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 256
ROOM = 2**25  # voxels of a slab at most: ten weights of 4 bytes each are 1.3 GiB
WEIGHTS = 10  # of u itself; of its neighbours at x + 1, x - 1, y + 1, y - 1, z + 1, z - 1; of xy, xz, yz corners


@triton.jit
def _beside(x, n, step: tl.constexpr, periodic: tl.constexpr):
    """Index of the neighbour: wrapped, or the last voxel again."""
    if periodic:
        return (x + step + n) % n
    else:
        return tl.minimum(tl.maximum(x + step, 0), n - 1)


@triton.jit
def _stencil(u, at, x, y, z, size, a, ways):
    """u, its gradient and Hessian at the voxels `at`; `a` holds 1/2h, 1/h² and 1/4hh' of the axes."""
    nx, ny, nz = size
    plane = ny * nz
    xp, xm = (_beside(x, nx, 1, ways[0]) - x) * plane, (_beside(x, nx, -1, ways[0]) - x) * plane
    yp, ym = (_beside(y, ny, 1, ways[1]) - y) * nz, (_beside(y, ny, -1, ways[1]) - y) * nz
    zp, zm = _beside(z, nz, 1, ways[2]) - z, _beside(z, nz, -1, ways[2]) - z
    u += at
    v = tl.load(u)
    a_x, b_x = tl.load(u + xp), tl.load(u + xm)
    a_y, b_y = tl.load(u + yp), tl.load(u + ym)
    a_z, b_z = tl.load(u + zp), tl.load(u + zm)
    gx, gy, gz = (a_x - b_x) * tl.load(a), (a_y - b_y) * tl.load(a + 1), (a_z - b_z) * tl.load(a + 2)
    hxx, hyy = (a_x + b_x - 2 * v) * tl.load(a + 3), (a_y + b_y - 2 * v) * tl.load(a + 4)
    hzz = (a_z + b_z - 2 * v) * tl.load(a + 5)
    hxy = tl.load(u + xp + yp) + tl.load(u + xm + ym) - tl.load(u + xm + yp) - tl.load(u + xp + ym)
    hxz = tl.load(u + xp + zp) + tl.load(u + xm + zm) - tl.load(u + xm + zp) - tl.load(u + xp + zm)
    hyz = tl.load(u + yp + zp) + tl.load(u + ym + zm) - tl.load(u + ym + zp) - tl.load(u + yp + zm)
    return v, gx, gy, gz, hxx, hyy, hzz, hxy * tl.load(a + 6), hxz * tl.load(a + 7), hyz * tl.load(a + 8)


@triton.jit
def _root(inside, xi):
    """S = sqrt(P), P = xi log(1 + exp(inside/xi)) + xi, and dP/dinside."""
    t = tl.exp(-tl.abs(inside) / xi)
    s = tl.sqrt(tl.maximum(inside, 0) + xi * (1 + tl.log(1 + t)))
    return s, tl.where(inside > 0, 1, t) / (1 + t)


@triton.jit
def _integrand(nn, tr, gm, weights, xi):
    """f without its terms in |g|², and its derivatives with respect to N, T and |g|."""
    c_n, c_ts, c_tt, c_gt, c_gs = weights
    s, slope = _root(2 * nn - tr * tr, xi)
    in_s = c_ts * tr + c_gs * gm
    f_x = in_s * slope / (2 * s)
    f_t = c_ts * s + 2 * (c_tt - f_x) * tr + c_gt * gm
    f = c_n * nn + (c_tt * tr + c_gt * gm) * tr + in_s * s
    return f, c_n + 2 * f_x, f_t, c_gt * tr + c_gs * s


@triton.jit
def _coefficient(fields, rows, at, c: tl.constexpr):
    """Coefficient c at the voxels `at`: it begins at rows[2c] of `fields`; rows[2c + 1] is 1 where it varies, or 0."""
    return tl.load(fields + tl.load(rows + 2 * c) + tl.load(rows + 2 * c + 1) * at)


@triton.jit
def _coefficients(fields, rows, at, first: tl.constexpr):
    """Five coefficients, from number `first` on."""
    one, two = _coefficient(fields, rows, at, first), _coefficient(fields, rows, at, first + 1)
    three, four = _coefficient(fields, rows, at, first + 2), _coefficient(fields, rows, at, first + 3)
    return one, two, three, four, _coefficient(fields, rows, at, first + 4)


@triton.jit
def _voxel(stencil, curvature, rest, a, xi):
    """f of a voxel, and the ten weights with which it pulls at u: its own, of x, y, z neighbours, of corners."""
    v, gx, gy, gz, hxx, hyy, hzz, hxy, hxz, hyz = stencil
    c_gg, eps, mu, th_x, th_y, th_z = rest
    wp, wpp = (v * v - 1) * v / eps, (3 * v * v - 1) / eps  # W'/eps, W''/eps
    gg = gx * gx + gy * gy + gz * gz
    soft = gg + tl.load(xi) * tl.load(xi)
    gm = tl.sqrt(soft)
    vx, vy, vz = hxx * gx + hxy * gy + hxz * gz, hxy * gx + hyy * gy + hyz * gz, hxz * gx + hyz * gy + hzz * gz
    nhn = (vx * gx + vy * gy + vz * gz) / soft
    tr = wp - eps * (hxx + hyy + hzz)
    off = hxy * hxy + hxz * hxz + hyz * hyz
    nn = eps * eps * (hxx * hxx + hyy * hyy + hzz * hzz + 2 * off) + wp * wp - 2 * eps * wp * nhn
    f, f_n, f_t, f_g = _integrand(nn, tr, gm, curvature, tl.load(xi + 1))
    along = gx * th_x + gy * th_y + gz * th_z
    f += c_gg * gg + mu * along * along
    push = 2 * mu * along
    turn = 2 * f_n * eps * wp / soft
    f_g = f_g / gm + 2 * c_gg + 2 * turn * nhn
    bx = (f_g * gx - 2 * turn * vx + push * th_x) * tl.load(a)
    by = (f_g * gy - 2 * turn * vy + push * th_y) * tl.load(a + 1)
    bz = (f_g * gz - 2 * turn * vz + push * th_z) * tl.load(a + 2)
    bend, flat = 2 * f_n * eps * eps, eps * f_t
    exx = (bend * hxx - turn * gx * gx - flat) * tl.load(a + 3)
    eyy = (bend * hyy - turn * gy * gy - flat) * tl.load(a + 4)
    ezz = (bend * hzz - turn * gz * gz - flat) * tl.load(a + 5)
    exy = 2 * (bend * hxy - turn * gx * gy) * tl.load(a + 6)
    exz = 2 * (bend * hxz - turn * gx * gz) * tl.load(a + 7)
    eyz = 2 * (bend * hyz - turn * gy * gz) * tl.load(a + 8)
    own = wpp * (f_t + 2 * f_n * (wp - eps * nhn)) - 2 * (exx + eyy + ezz)
    return f, own, exx + bx, exx - bx, eyy + by, eyy - by, ezz + bz, ezz - bz, exy, exz, eyz


@triton.jit
def _pull(
    u,
    fields,
    rows,
    a,
    xi,
    to,
    sums,
    start,
    planes,
    nx,
    ny,
    nz,
    PX: tl.constexpr,
    PY: tl.constexpr,
    PZ: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Weights of `planes` planes from plane `start` on, and the sum of f over each block but for the outer planes."""
    index = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    plane = ny * nz
    p, y, z = index // plane, index // nz % ny, index % nz
    x = start + p
    there = p < planes
    if PX:
        x = (x + nx) % nx
    else:
        there = there & (x >= 0) & (x < nx)
        x = tl.minimum(tl.maximum(x, 0), nx - 1)
    at = (x * ny + y) * nz + z
    curvature = _coefficients(fields, rows, at, 0)
    c_gg, eps, mu, th_x, th_y = _coefficients(fields, rows, at, 5)
    th_z = _coefficient(fields, rows, at, 10)
    stencil = _stencil(u, at, x, y, z, (nx, ny, nz), a, (PX, PY, PZ))
    pulls = _voxel(stencil, curvature, (c_gg, eps, mu, th_x, th_y, th_z), a, xi)
    for k in tl.static_range(10):
        tl.store(to + k * planes * plane + index, pulls[k + 1], mask=there)
    counted = there & (p >= 1) & (p < planes - 1)
    tl.store(sums + tl.program_id(0), tl.sum(tl.where(counted, pulls[0], 0), 0))


@triton.jit
def _straight(to, mine, other, i, n, step: tl.constexpr, stride, periodic: tl.constexpr):
    """Weight the neighbour at i + step has for this voxel; beyond the border, what this voxel has for its ghost."""
    j = _beside(i, n, step, periodic)
    if periodic:
        return tl.load(to + mine + (j - i) * stride)
    else:
        return tl.load(to + tl.where(j == i, other, mine) + (j - i) * stride)


@triton.jit
def _corner(
    to, i, j, ni, nj, si: tl.constexpr, sj: tl.constexpr, stride_i, stride_j, pi: tl.constexpr, pj: tl.constexpr
):
    """Corner weight of the voxel at (i + si, j + sj), its sign turned for each border it lies beyond."""
    k, m = _beside(i, ni, si, pi), _beside(j, nj, sj, pj)
    w = tl.load(to + (k - i) * stride_i + (m - j) * stride_j)
    if not pi:
        w = tl.where(k == i, -w, w)
    if not pj:
        w = tl.where(m == j, -w, w)
    return w


@triton.jit
def _corners(to, i, j, ni, nj, stride_i, stride_j, pi: tl.constexpr, pj: tl.constexpr):
    alike = _corner(to, i, j, ni, nj, -1, -1, stride_i, stride_j, pi, pj)
    alike += _corner(to, i, j, ni, nj, 1, 1, stride_i, stride_j, pi, pj)
    alike -= _corner(to, i, j, ni, nj, -1, 1, stride_i, stride_j, pi, pj)
    return alike - _corner(to, i, j, ni, nj, 1, -1, stride_i, stride_j, pi, pj)


@triton.jit
def _gather(
    weights,
    grad,
    start,
    planes,
    nx,
    ny,
    nz,
    PX: tl.constexpr,
    PY: tl.constexpr,
    PZ: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """dF/du of the planes between the outer two of a slab that begins at plane `start`."""
    index = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    plane = ny * nz
    there = index < (planes - 2) * plane
    index = tl.where(there, index, 0)
    y, z = index // nz % ny, index % nz
    room = planes * plane
    to = (
        weights + plane + index
    )  # the slab has a plane before its first own one, where x - 1 is found even when wrapped
    p = 1 + index // plane
    x = start + p
    # Along x the slab itself is not periodic: planes on either side are in it, unless the border of the box is there.
    low, high = -1, 1
    if not PX:
        low, high = tl.where(x == 0, 0, -1), tl.where(x == nx - 1, 0, 1)
    g = tl.load(to)
    g += tl.load(to + tl.where(low == 0, 2, 1) * room + low * plane)
    g += tl.load(to + tl.where(high == 0, 1, 2) * room + high * plane)
    g += _straight(to, 3 * room, 4 * room, y, ny, -1, nz, PY) + _straight(to, 4 * room, 3 * room, y, ny, 1, nz, PY)
    g += _straight(to, 5 * room, 6 * room, z, nz, -1, 1, PZ) + _straight(to, 6 * room, 5 * room, z, nz, 1, 1, PZ)
    g += _across(to + 7 * room, low, high, y, ny, plane, nz, PY)
    g += _across(to + 8 * room, low, high, z, nz, plane, 1, PZ)
    g += _corners(to + 9 * room, y, z, ny, nz, nz, 1, PY, PZ)
    tl.store(grad + (start + 1) * plane + index, g, mask=there)


@triton.jit
def _across(to, low, high, j, nj, plane, stride, periodic: tl.constexpr):
    """Corner weights across the planes of a slab: `low`, `high` are the steps to the planes, 0 at the border."""
    up, down = _beside(j, nj, 1, periodic), _beside(j, nj, -1, periodic)
    at_up, at_down = (up - j) * stride, (down - j) * stride
    w_up = tl.load(to + low * plane + at_up) * tl.where(low == 0, -1, 1)
    w_down = tl.load(to + low * plane + at_down) * tl.where(low == 0, -1, 1)
    v_up = tl.load(to + high * plane + at_up) * tl.where(high == 0, -1, 1)
    v_down = tl.load(to + high * plane + at_down) * tl.where(high == 0, -1, 1)
    gain, loss = v_up - w_up, w_down - v_down
    if not periodic:
        gain, loss = tl.where(up == j, -gain, gain), tl.where(down == j, -loss, loss)
    return gain + loss


def energy_gradient(
    u: Tensor, coefficients: tuple[Tensor, Tensor], a: Tensor, xi: Tensor, periodic: tuple[bool, ...]
) -> tuple[Tensor, Tensor]:
    """Sum of f (0-d, float64) and dF/du of u [nx, ny, nz].

    `coefficients`: numbers and fields, one behind the other, and where each begins and whether it varies, int64
    [11, 2]; `a` [9] and `xi` [2] as `phase_field.Energy` makes them; all on the device of u.
    """
    nx, ny, nz = u.shape
    grad, total = torch.empty_like(u), torch.zeros((), dtype=torch.float64, device=u.device)
    count = max(1, min(nx, ROOM // (ny * nz)))
    weights = torch.empty(WEIGHTS * (count + 2) * ny * nz, dtype=u.dtype, device=u.device)
    sums = torch.empty(triton.cdiv((count + 2) * ny * nz, BLOCK), dtype=u.dtype, device=u.device)
    ways = {"PX": periodic[0], "PY": periodic[1], "PZ": periodic[2], "BLOCK": BLOCK}
    for first in range(0, nx, count):
        own = min(count, nx - first)
        blocks = triton.cdiv((own + 2) * ny * nz, BLOCK)
        size = (first - 1, own + 2, nx, ny, nz)
        _pull[(blocks,)](u, *coefficients, a, xi, weights, sums, *size, **ways)
        _gather[(triton.cdiv(own * ny * nz, BLOCK),)](weights, grad, *size, **ways)
        total = total + sums[:blocks].sum(dtype=torch.float64)
    return total, grad
