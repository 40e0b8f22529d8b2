"""Fused energy and hand-derived gradient of the curvature phase field, on the CPU.

A sweep goes plane by plane and row by row: nine rows of u give the gradient g and the Hessian H, these the integrand
f and its derivatives, and the adjoint stencils add those to three planes of dF/du. Nothing but u, dF/du and the
coefficients lies in memory. Every number is computed in the same order whatever the number of slabs, so results do
not depend on the number of threads. The formulas are those of `phase_field_reference`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from microgen.compiled import compiled

ROOM = 2048  # voxels of a row treated at once
LANES = 16  # rows are computed up to a multiple of this, so that no scalar remainder is left
STRIDE = ROOM + 2 + LANES

# Where the rows of the scratch `w` begin: the coefficients of f; nine rows of u, (plane, row) from (-1, -1) to (1, 1);
# results. One array with constant distances, so that the compiler sees which numbers are not the same.
C_N, C_TS, C_TT, C_GT, C_GS, C_GG, EPS, MU, TX, TY, TZ = (STRIDE * i for i in range(11))
COEFFICIENTS = 11
U = tuple(STRIDE * i for i in range(11, 20))
F, F_U, XP, XM, YP, YM, ZP, ZM, XY, XZ, YZ = (STRIDE * i for i in range(20, 31))
RESULTS = 21  # F_U and those after it
ROWS = 31

options = {"error_model": "numpy", "fastmath": True, "_nrt": False}  # no part makes an array, so none is counted
options |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # Python calls none of them, see compiled.inner
part = njit(**options)
inlined = njit(forceinline=True, **options)
"""What must be one loop in vector registers is inlined by LLVM, the rest is compiled part by part. Numba's own inlining
types and optimises all of it as one function: 85 s of compiling instead of 22, for the same bits."""


@inlined
def _softplus(x, xi, k):
    """P = xi log(1 + exp(x/xi)) + xi and dP/dx, in operations that vectorise; k[j] = 1/(j + 1) in x's type."""
    one = k[0]
    t = min(abs(x) / xi, k[20])
    r = -t * k[19]  # exp(-t) = exp(-t/64)^64
    y = one + r * k[3] * (one + r * k[4] * (one + r * k[5] * (one + r * k[6])))
    y = one + r * (one + r * k[1] * (one + r * k[2] * y))
    y = y * y
    y = y * y
    y = y * y
    y = y * y
    y = y * y
    y = y * y
    s = y / (one + one + y)  # log(1 + y) = 2 artanh(y / (2 + y))
    q = s * s
    series = k[2] + q * (k[4] + q * (k[6] + q * (k[8] + q * (k[10] + q * (k[12] + q * (k[14] + q * k[16]))))))
    up = one / (one + y)
    return max(x, xi - xi) + xi * (one + (s + s) * (one + q * series)), (up if x > 0 else y * up)


@inlined
def _stencil(w, z, a):
    """g and H at the z-th voxel from the rows of u; `a` holds 1/2h, 1/h² and 1/4hh' of the axes."""
    gx = (w[U[7] + z + 1] - w[U[1] + z + 1]) * a[0]
    gy = (w[U[5] + z + 1] - w[U[3] + z + 1]) * a[1]
    gz = (w[U[4] + z + 2] - w[U[4] + z]) * a[2]
    two = w[U[4] + z + 1] + w[U[4] + z + 1]
    hxx = (w[U[7] + z + 1] + w[U[1] + z + 1] - two) * a[3]
    hyy = (w[U[5] + z + 1] + w[U[3] + z + 1] - two) * a[4]
    hzz = (w[U[4] + z + 2] + w[U[4] + z] - two) * a[5]
    hxy = (w[U[8] + z + 1] + w[U[0] + z + 1] - w[U[6] + z + 1] - w[U[2] + z + 1]) * a[6]
    hxz = (w[U[7] + z + 2] + w[U[1] + z] - w[U[7] + z] - w[U[1] + z + 2]) * a[7]
    hyz = (w[U[5] + z + 2] + w[U[3] + z] - w[U[5] + z] - w[U[3] + z + 2]) * a[8]
    return gx, gy, gz, hxx, hyy, hzz, hxy, hxz, hyz


@inlined
def _integrand(w, z, tr, nn, gm, xi, k):
    """f without its terms in |g|^2, and its derivatives with respect to N, T and |g|."""
    p, slope = _softplus(nn + nn - tr * tr, xi, k)
    s = np.sqrt(p)
    in_s = w[C_TS + z] * tr + w[C_GS + z] * gm
    f_x = in_s * slope / (s + s)
    ahead = w[C_TT + z] - f_x
    f_t = w[C_TS + z] * s + (ahead + ahead) * tr + w[C_GT + z] * gm
    f_g = w[C_GT + z] * tr + w[C_GS + z] * s
    f = w[C_N + z] * nn + (w[C_TT + z] * tr + w[C_GT + z] * gm) * tr + in_s * s
    return f, w[C_N + z] + f_x + f_x, f_t, f_g


@inlined
def _voxel(w, z, a, k, xi):
    """f at the z-th voxel and df/du; returned: g, H, and the weights that make df/dg and df/dH of them."""
    one = k[0]
    u, eps = w[U[4] + z + 1], w[EPS + z]
    gx, gy, gz, hxx, hyy, hzz, hxy, hxz, hyz = _stencil(w, z, a)
    uu = u * u
    wp, wpp = (uu - one) * u / eps, (uu + uu + uu - one) / eps  # W'/eps, W''/eps
    gg = gx * gx + gy * gy + gz * gz
    soft = gg + xi[0] * xi[0]
    gm, inv = np.sqrt(soft), one / soft
    vx, vy, vz = hxx * gx + hxy * gy + hxz * gz, hxy * gx + hyy * gy + hyz * gz, hxz * gx + hyz * gy + hzz * gz
    nhn = (vx * gx + vy * gy + vz * gz) * inv
    off = hxy * hxy + hxz * hxz + hyz * hyz
    tr = wp - eps * (hxx + hyy + hzz)
    nn = eps * eps * (hxx * hxx + hyy * hyy + hzz * hzz + off + off) + wp * wp - (eps + eps) * wp * nhn
    f, f_n, f_t, f_g = _integrand(w, z, tr, nn, gm, xi[1], k)
    n2 = f_n + f_n
    along = gx * w[TX + z] + gy * w[TY + z] + gz * w[TZ + z]
    pull = w[MU + z] * along
    w[F + z] = f + w[C_GG + z] * gg + pull * along
    w[F_U + z] = wpp * (f_t + n2 * (wp - eps * nhn))
    turn = n2 * eps * wp * inv
    f_g = f_g / gm + w[C_GG + z] + w[C_GG + z] + (turn + turn) * nhn
    bx = f_g * gx - (turn + turn) * vx + (pull + pull) * w[TX + z]
    by = f_g * gy - (turn + turn) * vy + (pull + pull) * w[TY + z]
    bz = f_g * gz - (turn + turn) * vz + (pull + pull) * w[TZ + z]
    return bx, by, bz, gx, gy, gz, hxx, hyy, hzz, hxy, hxz, hyz, n2 * eps * eps, turn, eps * f_t


@part
def _points(w, m, a, k, xi):
    """All voxels of a stretch of row: f, and its derivatives as the weights of the adjoint stencils."""
    for z in range(m):
        bx, by, bz, gx, gy, gz, hxx, hyy, hzz, hxy, hxz, hyz, bend, turn, flat = _voxel(w, z, a, k, xi)
        bx, by, bz = bx * a[0], by * a[1], bz * a[2]
        exx = (bend * hxx - turn * gx * gx - flat) * a[3]
        eyy = (bend * hyy - turn * gy * gy - flat) * a[4]
        ezz = (bend * hzz - turn * gz * gz - flat) * a[5]
        w[F_U + z] -= exx + exx + eyy + eyy + ezz + ezz
        w[XP + z], w[XM + z] = exx + bx, exx - bx
        w[YP + z], w[YM + z] = eyy + by, eyy - by
        w[ZP + z], w[ZM + z] = ezz + bz, ezz - bz
        w[XY + z] = (bend * hxy - turn * gx * gy) * (a[6] + a[6])
        w[XZ + z] = (bend * hxz - turn * gx * gz) * (a[7] + a[7])
        w[YZ + z] = (bend * hyz - turn * gy * gz) * (a[8] + a[8])


@part
def _load(w, u, at, periodic):
    """Nine stretches of row around (i, j), from voxel z0 - 1 to z0 + m; beyond the box as the boundary says."""
    i, j, z0, m = at
    nx, ny, nz = u.shape
    for r in range(9):
        x = _inside(i + r // 3 - 1, nx, periodic[0])
        y = _inside(j + r % 3 - 1, ny, periodic[1])
        row = u[x, y]
        w[U[r]] = row[_inside(z0 - 1, nz, periodic[2])]
        for z in range(m):
            w[U[r] + z + 1] = row[z0 + z]
        w[U[r] + m + 1] = row[_inside(z0 + m, nz, periodic[2])]


@inlined
def _inside(i, n, periodic):
    """Index of the voxel that stands at i: wrapped, or the nearest one."""
    if i < 0:
        return i + n if periodic else 0
    if i >= n:
        return i - n if periodic else n - 1
    return i


@part
def _coefficients(w, rows, fields, at):
    """Those rows of the coefficients that vary."""
    i, j, z0, m = at
    for n in range(rows.size):
        row = fields[n, i, j]
        for z in range(m):
            w[rows[n] * STRIDE + z] = row[z0 + z]


@part
def _row(b, q, j, periodic):
    """Adjoint stencils along z of a row b [10, nz + 2], into row j of q [6, ny + 2, nz]: own plane, x +-, y +-, xy."""
    nz = q.shape[2]
    _ends(b, nz, periodic)
    for z in range(nz):
        q[0, j, z] = b[0, z + 1] + b[5, z] + b[6, z + 2]
    for z in range(nz):
        t = b[8, z] - b[8, z + 2]
        q[1, j, z] = b[1, z + 1] + t
        q[2, j, z] = b[2, z + 1] - t
    for z in range(nz):
        t = b[9, z] - b[9, z + 2]
        q[3, j, z] = b[3, z + 1] + t
        q[4, j, z] = b[4, z + 1] - t
    for z in range(nz):
        q[5, j, z] = b[7, z + 1]


@part
def _ends(b, nz, periodic):
    """Weights beyond the ends of a row: wrapped; or, as the ghost voxel is the last one, what would go to the ghost."""
    if periodic:
        for f in (5, 6, 8, 9):
            b[f, 0], b[f, nz + 1] = b[f, nz], b[f, 1]
    else:
        b[5, 0], b[6, nz + 1] = b[6, 1], b[5, nz]
        for f in (8, 9):
            b[f, 0], b[f, nz + 1] = -b[f, 1], -b[f, nz]


@part
def _borders(q, ny, periodic):
    """The same beyond the first and last row of a plane q [6, ny + 2, nz]."""
    for z in range(q.shape[2]):
        if periodic:
            for f in range(3, 6):
                q[f, 0, z], q[f, ny + 1, z] = q[f, ny, z], q[f, 1, z]
        else:
            q[3, 0, z], q[4, ny + 1, z] = q[4, 1, z], q[3, ny, z]
            q[5, 0, z], q[5, ny + 1, z] = -q[5, 1, z], -q[5, ny, z]


@part
def _stretch(u, rows, fields, at, w, b, a, k, xi, periodic):
    """Weights of a stretch of row into b [10, nz + 2]; the sum of f over it."""
    z0, m = at[2], at[3]
    _load(w, u, at, periodic)
    if rows.size > 0:
        _coefficients(w, rows, fields, at)
    _points(w, (m + LANES - 1) // LANES * LANES, a, k, xi)
    total = 0.0
    for z in range(m):
        total += np.float64(w[F + z])
    for f in range(10):
        for z in range(m):
            b[f, z0 + z + 1] = w[(RESULTS + f) * STRIDE + z]
    return total


@part
def _plane(u, rows, fields, i, w, b, q, a, k, xi, periodic):
    """Weights of plane i into q [6, ny + 2, nz]; the sum of f over it."""
    _, ny, nz = u.shape
    total = 0.0
    for j in range(ny):
        if nz <= ROOM:  # compiled for z0 = 0: where it may be any number, the compiler scatters what it could copy
            total += _stretch(u, rows, fields, (i, j, 0, nz), w, b, a, k, xi, periodic)
        else:
            for z0 in range(0, nz, ROOM):
                total += _stretch(u, rows, fields, (i, j, z0, min(ROOM, nz - z0)), w, b, a, k, xi, periodic)
        _row(b, q, j + 1, periodic[2])
    _borders(q, ny, periodic[1])
    return total


@part
def _spread(out, q, part):
    """Add a plane of weights to its own plane of dF/du (part 0), the next (1) or the one before (-1)."""
    for j in range(out.shape[0]):
        row = out[j]
        if part == 0:
            c, p, m = q[0, j + 1], q[3, j], q[4, j + 2]
            for z in range(row.size):
                row[z] += c[z] + (p[z] + m[z])
        else:
            c, p, m = q[1 if part > 0 else 2, j + 1], q[5, j if part > 0 else j + 2], q[5, j + 2 if part > 0 else j]
            for z in range(row.size):
                row[z] += c[z] + (p[z] - m[z])


@part
def _slab(u, grad, sums, start, stop, coefficients, scratch, a, k, xi, periodic):
    """dF/du on the planes start <= i < stop, and the sums of f over each."""
    nx = u.shape[0]
    constants, rows, fields = coefficients
    w, b, q = scratch
    for c in range(COEFFICIENTS):
        w[c * STRIDE : (c + 1) * STRIDE] = constants[c]
    grad[start:stop] = 0
    for i in range(start - 1, stop + 1):
        if not periodic[0] and not 0 <= i < nx:
            continue
        total = _plane(u, rows, fields, _inside(i, nx, True), w, b, q, a, k, xi, periodic)
        if start <= i < stop:
            sums[i] = total
        for part in (1, 0, -1):
            to = i + part if periodic[0] else min(max(i + part, 0), nx - 1)
            if start <= to < stop:
                _spread(grad[to], q, part)


@compiled(nogil=True, error_model="numpy", fastmath=True)
def energy_gradient(thread, threads, u, grad, sums, slabs, coefficients, a, k, xi, periodic):
    """Sums of f over each plane into `sums` [nx], dF/du into `grad` [nx, ny, nz]: a thread's share of the slabs.

    `coefficients`: the values of all [11], the numbers of those that vary [n], and what these are [n, nx, ny, nz].
    `a`, `k`, `xi` are tuples: numbers of arrays would be read again for each voxel, as the scratch might be they.
    See `phase_field.Energy`.
    """
    nx, ny, nz = u.shape
    w = np.zeros(ROWS * STRIDE, u.dtype)
    b = np.empty((10, nz + 2), u.dtype)
    q = np.empty((6, ny + 2, nz), u.dtype)
    for s in range(thread, slabs, threads):
        start, stop = s * nx // slabs, (s + 1) * nx // slabs
        _slab(u, grad, sums, start, stop, coefficients, (w, b, q), a, k, xi, periodic)
