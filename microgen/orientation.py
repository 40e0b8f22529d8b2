"""Orientations: quaternions, proper rotation groups, misorientation, means, kernels and IPF colours.

An orientation is a unit quaternion [..., 4], scalar first, passive (Bunge): it turns sample into crystal coordinates of
a vector. Products follow P = -1 of Rowenhorst et al., Modelling Simul. Mater. Sci. Eng. 23 (2015) 083501, so
`multiply(a, b)` is the matrix product G(a) G(b): first b, then a. Crystal symmetry acts from the left: S q equals q.

Crystal frame, as EDAX settles it: z along c; hexagonal and trigonal lattices with a along x, hence -3m with its
two-fold axes along a (-3m1, as in quartz and calcite); monoclinic two-fold axis b along y. HKL files put a* along x in
hexagonal and trigonal lattices: their readers turn the frame by 30° about c (only -3m and the IPF colours notice).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from microgen.errors import InvalidParameter

# Laue group -> Schoenflies symbol of its proper rotations, axis of the cyclic ones, then the corner of the standard
# triangle off c: azimuths of its green and blue corners (degrees).
_GROUPS = {
    "-1": ("C1", "Z", 0.0, 360.0),
    "2/m": ("C2", "Y", 0.0, 180.0),
    "mmm": ("D2", "Z", 0.0, 90.0),
    "-3": ("C3", "Z", 0.0, 120.0),
    "-3m": ("D3", "Z", 30.0, 90.0),
    "4/m": ("C4", "Z", 0.0, 90.0),
    "4/mmm": ("D4", "Z", 0.0, 45.0),
    "6/m": ("C6", "Z", 0.0, 60.0),
    "6/mmm": ("D6", "Z", 0.0, 30.0),
    "m-3": ("T", "Z", 0.0, 90.0),
    "m-3m": ("O", "Z", 0.0, 45.0),
}
LAUE_GROUPS = tuple(_GROUPS)
"""The eleven Laue groups, in the order of the crystal systems."""

_TSL = {1: "-1", 2: "2/m", 20: "2/m", 22: "mmm", 3: "-3", 32: "-3m", 4: "4/m", 42: "4/mmm", 6: "6/m", 62: "6/mmm"}
_TSL |= {23: "m-3", 43: "m-3m"}
_HKL = dict(enumerate(("-1", "2/m", "mmm", "4/m", "4/mmm", "-3", "-3m", "6/m", "6/mmm", "m-3", "m-3m"), start=1))
_LAST_SPACE_GROUP = (2, 15, 74, 88, 142, 148, 167, 176, 194, 206, 230)  # of each Laue group, in HKL's order
_POINT_GROUPS = {
    "-1": "1 -1", "2/m": "2 m 2/m", "mmm": "222 mm2 mmm", "-3": "3 -3", "-3m": "32 3m -3m 321 312 3m1 31m -3m1 -31m",
    "4/m": "4 -4 4/m", "4/mmm": "422 4mm -42m -4m2 4/mmm", "6/m": "6 -6 6/m", "6/mmm": "622 6mm -6m2 -62m 6/mmm",
    "m-3": "23 m-3 m3", "m-3m": "432 -43m m-3m m3m",
}  # fmt: skip
_PART = 1 << 20  # points of a volume looked at together
_CHUNK = 4096  # rows worked on at a time: their products with all operators stay in the cache, ten times as fast


def laue_group_from(
    *, tsl: int | None = None, hkl: int | None = None, space_group: int | None = None, point_group: str | None = None
) -> str:
    """Laue group of a file's code: EDAX/TSL symmetry number, HKL Laue number 1..11, space group 1..230 or point group.

    TSL 2 and 20 are both monoclinic. Raises InvalidParameter for a code that none of the tables holds.
    """
    codes = {"tsl": tsl, "hkl": hkl, "space_group": space_group, "point_group": point_group}
    given = {name: code for name, code in codes.items() if code is not None}
    if len(given) != 1:
        raise InvalidParameter("laue_group_from", expected="exactly one code", got=given)
    found = _TSL.get(tsl or 0) or _HKL.get(hkl or 0)
    if space_group is not None and 1 <= space_group <= 230:
        found = _HKL[1 + int(np.searchsorted(_LAST_SPACE_GROUP, space_group))]
    if point_group is not None:
        symbol = point_group.replace(" ", "")
        found = next((laue for laue, symbols in _POINT_GROUPS.items() if symbol in symbols.split()), None)
    if not found:
        name, code = next(iter(given.items()))
        raise InvalidParameter(name, expected="the code of a crystal symmetry", got=code)
    return found


def symmetry_operators(laue_group: str) -> np.ndarray:
    """Proper rotations of a Laue group: float64 [k, 4], the identity first. Raises InvalidParameter for other names."""
    from scipy.spatial.transform import Rotation

    symbol, axis, _, _ = _group(laue_group)
    turns = Rotation.create_group(symbol, axis=axis).as_quat()[:, [3, 0, 1, 2]]
    turns = np.where(turns[:, :1] < 0, -turns, turns)
    return turns[np.argsort(-turns[:, 0], kind="stable")]


def _group(laue_group: str) -> tuple[str, str, float, float]:
    if laue_group not in _GROUPS:
        raise InvalidParameter("laue_group", expected=f"one of {', '.join(LAUE_GROUPS)}", got=laue_group)
    return _GROUPS[laue_group]


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Product a b, broadcast over [..., 4]: first b, then a (P = -1)."""
    return np.ascontiguousarray(np.moveaxis(_product(np.moveaxis(a, -1, 0), np.moveaxis(b, -1, 0)), 0, -1))


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The same for components in front: [4, ...]."""
    (aw, ax, ay, az), (bw, bx, by, bz) = a, b
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + bw * ax - ay * bz + az * by,
            aw * by + bw * ay - az * bx + ax * bz,
            aw * bz + bw * az - ax * by + ay * bx,
        ]
    )


def conjugate(q: np.ndarray) -> np.ndarray:
    """Inverse of unit quaternions [..., 4]."""
    return np.asarray(q) * np.array([1.0, -1.0, -1.0, -1.0])


def rotate(q: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Crystal coordinates [..., 3] of sample `vectors` [..., 3]: G(q) v = (w² - u·u) v + 2 u (u·v) - 2 w u x v."""
    w, u = np.asarray(q)[..., :1], np.asarray(q)[..., 1:]
    v = np.asarray(vectors, float)
    along = np.sum(u * v, axis=-1, keepdims=True)
    return (w * w - np.sum(u * u, axis=-1, keepdims=True)) * v + 2 * u * along - 2 * w * np.cross(u, v)


def from_euler(phi1: np.ndarray | float, Phi: np.ndarray | float, phi2: np.ndarray | float) -> np.ndarray:  # noqa: N803
    """Quaternions [..., 4] of Bunge Euler angles in radians (z, x', z''), scalar not negative (Rowenhorst, A.5)."""
    phi1, Phi, phi2 = np.broadcast_arrays(*(np.asarray(x, float) for x in (phi1, Phi, phi2)))  # noqa: N806
    sigma, delta = (phi1 + phi2) / 2, (phi1 - phi2) / 2
    c, s = np.cos(Phi / 2), np.sin(Phi / 2)
    q = np.stack([c * np.cos(sigma), s * np.cos(delta), s * np.sin(delta), c * np.sin(sigma)], axis=-1)
    return _upper(q)


def to_euler(q: np.ndarray) -> np.ndarray:
    """Bunge Euler angles [..., 3], radians: phi1, phi2 in [0, 2 pi), Phi in [0, pi]; phi2 = 0 where Phi is 0 or pi."""
    w, x, y, z = np.moveaxis(np.asarray(q, float), -1, 0)
    sigma, delta = np.arctan2(z, w), np.arctan2(y, x)
    sine, cosine = np.hypot(x, y), np.hypot(w, z)
    flat, turned = sine < 1e-12, cosine < 1e-12
    phi1 = np.where(flat, 2 * sigma, np.where(turned, 2 * delta, sigma + delta))
    phi2 = np.where(flat | turned, 0.0, sigma - delta)
    # A tiny negative angle would round up to 2 pi itself.
    turn = 2 * np.pi
    phi1, phi2 = (np.where((p := x % turn) >= turn, 0.0, p) for x in (phi1, phi2))
    return np.stack([phi1, 2 * np.arctan2(sine, cosine), phi2], axis=-1)


def _upper(q: np.ndarray) -> np.ndarray:
    """The one of q and -q with scalar not negative."""
    return np.where(q[..., :1] < 0, -q, q)


def misorientation_angle(a: np.ndarray, b: np.ndarray, laue_group: str) -> np.ndarray:
    """Least rotation angle, radians [...], between orientations a and b [..., 4] of one phase.

    omega = 2 arccos(max over S of |<a b^-1, S>|). S on one side is enough: S1 m S2 and m S2 S1 are conjugate, so they
    turn by the same angle, and S2 S1 runs through the whole group as S1 and S2 do.
    """
    a, b = np.broadcast_arrays(np.asarray(a, float), np.asarray(b, float))
    scalar = _largest_scalar(a.reshape(-1, 4), b.reshape(-1, 4), symmetry_operators(laue_group))[0]
    return 2 * np.arccos(np.minimum(scalar, 1.0)).reshape(a.shape[:-1])


def _largest_scalar(a: np.ndarray, b: np.ndarray, operators: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest |<a b^-1, S>| of rows a, b [n, 4], and the number of that operator S."""
    scalar, best = np.empty(len(a)), np.empty(len(a), int)
    for start in range(0, len(a), _CHUNK):
        rows = slice(start, start + _CHUNK)
        first, second = np.ascontiguousarray(a[rows].T), conjugate(b[rows]).T.copy()
        products = np.abs(operators @ _product(first, second))
        best[rows] = products.argmax(axis=0)
        scalar[rows] = products.max(axis=0)
    return scalar, best


def disorientation(a: np.ndarray, b: np.ndarray, laue_group: str) -> np.ndarray:
    """Misorientation a b^-1 of least angle with its axis in the standard triangle: quaternions [..., 4].

    Taken over S1 m S2 and, as no grain of a boundary comes first, their inverses (Mackenzie, Biometrika 45 (1958) 229).
    """
    m = multiply(a, conjugate(b))
    rows = m.reshape(-1, 4)
    operators = symmetry_operators(laue_group)
    best = _upper(multiply(rows, conjugate(operators[_nearest_to_none(rows, operators)])))
    axis = _to_sector(best[:, 1:], laue_group)
    return np.concatenate([best[:, :1], axis], axis=1).reshape(m.shape)


def _nearest_to_none(q: np.ndarray, operators: np.ndarray) -> np.ndarray:
    """Number of the operator S for which S^-1 q and q S^-1 turn least: their scalar is <q, S>."""
    return _largest_scalar(q, np.array([[1.0, 0.0, 0.0, 0.0]]).repeat(len(q), axis=0), operators)[1]


def _reduce(q: np.ndarray, operators: np.ndarray) -> np.ndarray:
    return _upper(multiply(conjugate(operators[_nearest_to_none(q, operators)]), q))


def reduce_to_fundamental_zone(q: np.ndarray, laue_group: str) -> np.ndarray:
    """Symmetric equivalent S q of least rotation angle, scalar not negative: float64 [..., 4]."""
    q = np.asarray(q, float)
    return _reduce(q.reshape(-1, 4), symmetry_operators(laue_group)).reshape(q.shape)


def slerp(a: np.ndarray, b: np.ndarray, t: float, laue_group: str) -> np.ndarray:
    """Orientations [n, 4] on the shortest way from a to the symmetric equivalents of b: a at t = 0, S b at t = 1.

    q(t) = (sin((1 - t) w) a + sin(t w) S b) / sin(w) with cos(w) = <a, S b> (Shoemake, SIGGRAPH 1985).
    """
    operators = symmetry_operators(laue_group)
    end = multiply(operators[_largest_scalar(a, b, operators)[1]], b)
    cosine = (a * end).sum(-1, keepdims=True)
    end = np.where(cosine < 0, -end, end)
    angle = np.arccos(np.minimum(np.abs(cosine), 1.0))
    sine = np.sin(angle)
    near = sine < 1e-9
    first, second = (np.where(near, s, np.sin(s * angle) / np.where(near, 1.0, sine)) for s in (1 - t, t))
    q = first * a + second * end
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


def mean_orientation(q: np.ndarray, laue_group: str, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean [4] of orientations q [n, 4] that lie within about half the group's zone of each other, reduced."""
    q = np.asarray(q, float)
    if q.ndim != 2 or q.shape[1] != 4 or len(q) == 0:
        raise InvalidParameter("q", expected="orientations of shape [n, 4], n > 0", got=q.shape)
    return grouped_mean_orientation(q, np.zeros(len(q), int), laue_group, weights=weights)[0]


def grouped_mean_orientation(
    q: np.ndarray, group: np.ndarray, laue_group: str, *, weights: np.ndarray | None = None
) -> np.ndarray:
    """Means [m, 4] of the rows of q [n, 4] that share a number in `group` [n], 0 .. m - 1, each occurring.

    Each row is replaced by its equivalent nearest to the mean, starting from the group's first row, until none changes;
    the mean is the eigenvector to the largest eigenvalue of sum w q q^T (Markley et al., J. Guid. Control Dyn. 30
    (2007) 1193). Reduced to the fundamental zone.
    """
    operators = symmetry_operators(laue_group)
    _, first = np.unique(group, return_index=True)
    mean, chosen = q[first], None
    for _ in range(10):
        nearest = _largest_scalar(mean[group], q, operators)[1]
        if chosen is not None and np.array_equal(nearest, chosen):
            break
        chosen = nearest
        mean = _principal(multiply(operators[chosen], q), group, np.ones(len(q)) if weights is None else weights)
    return _reduce(mean, operators)


def grain_means(q: np.ndarray, grain_id: np.ndarray, phase_id: np.ndarray, laue_groups: Sequence[str]) -> np.ndarray:
    """Means [n, 4] of orientations q [..., 4] over the points of grains 1 .. n; that of the first where all agree.

    `phase_id` [n] numbers the group of each grain in `laue_groups`. Grains without points have the identity.
    """
    labels, points, n = grain_id.ravel(), np.asarray(q).reshape(-1, 4), len(phase_id) + 1
    parts = [slice(k, k + _PART) for k in range(0, len(labels), _PART)]
    first, apart = np.full(n, -1), np.zeros(n, bool)
    for part in reversed(parts):  # in parts, as volumes of orientations are large; the first point is written last
        first[labels[part][::-1]] = np.arange(part.start, min(part.stop, len(labels)))[::-1]
    table = np.where(first[:, None] >= 0, points[first], np.array([1, 0, 0, 0], points.dtype))
    for part in parts:
        apart[labels[part][(points[part] != table[labels[part]]).any(axis=1)]] = True
    table, differ = table.astype(float), np.flatnonzero(apart)
    differ = differ[differ > 0]
    for k in np.unique(phase_id[differ - 1]):
        grains = differ[phase_id[differ - 1] == k]
        rows = np.isin(labels, grains)
        number = np.searchsorted(grains, labels[rows])
        table[grains] = grouped_mean_orientation(points[rows].astype(float), number, laue_groups[int(k)])
    return table[1:]


def _principal(q: np.ndarray, group: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Principal axis of the rows of each group: [m, 4]."""
    i, j = np.triu_indices(4)
    moments = np.stack([np.bincount(group, weights * q[:, a] * q[:, b]) for a, b in zip(i, j)])
    scatter = np.zeros((moments.shape[1], 4, 4))
    scatter[:, i, j] = scatter[:, j, i] = moments.T
    return np.linalg.eigh(scatter)[1][:, :, -1]


def random_orientations(n: int, rng: np.random.Generator) -> np.ndarray:
    """n uniformly random orientations [n, 4], scalar not negative."""
    q = rng.standard_normal((n, 4))
    return _upper(q / np.linalg.norm(q, axis=1, keepdims=True))


def kernel_exponent(half_width: float) -> float:
    """kappa of the de la Vallée Poussin kernel cos(omega/2)^(2 kappa) that falls to one half at omega = half_width.

    kappa = ln(1/2) / (2 ln cos(half_width/2)); Schaeben, Phys. Status Solidi B 200 (1997) 367. Radians.
    """
    if not 0 < half_width < np.pi:
        raise InvalidParameter("half_width", expected="an angle between 0 and pi, radians", got=half_width)
    return float(np.log(0.5) / (2 * np.log(np.cos(half_width / 2))))


def perturb(q: np.ndarray, half_width: float, rng: np.random.Generator) -> np.ndarray:
    """Orientations [..., 4] drawn from the de la Vallée Poussin kernel of `half_width` (radians) around each of q.

    sin(omega/2)^2 is Beta(3/2, kappa + 1/2) distributed and the axis uniform, which is the kernel's law on SO(3).
    """
    q = np.asarray(q, float)
    shape = q.shape[:-1]
    axis = rng.standard_normal((*shape, 3))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    sine2 = rng.beta(1.5, kernel_exponent(half_width) + 0.5, shape)[..., None]
    turn = np.concatenate([np.sqrt(1 - sine2), np.sqrt(sine2) * axis], axis=-1)
    return _upper(multiply(turn, q))


def ipf_color(q: np.ndarray, laue_group: str, direction: tuple[float, float, float] = (0.0, 0.0, 1.0)) -> np.ndarray:
    """Colours of the crystal directions along the sample's `direction`: uint8 [..., 3], as EDAX/TSL draws them.

    In the standard triangle with polar angle chi from c (red) and azimuth eta: red 1 - chi/chi_max, blue
    (eta - eta_min)/(eta_max - eta_min) chi/chi_max, green the rest; square roots, then scaled to a maximum of one.
    Groups without vertical mirrors (-1, 2/m, -3, 4/m, 6/m, m-3) jump between green and blue across one edge.
    """
    d = np.asarray(direction, float)
    if d.shape != (3,) or not np.linalg.norm(d) > 0:
        raise InvalidParameter("direction", expected="a vector of three numbers, not all zero", got=direction)
    q = np.asarray(q, float)
    h = _to_sector(rotate(q.reshape(-1, 4), d / np.linalg.norm(d)), laue_group)
    _, _, low, high = _group(laue_group)
    eta = np.degrees(np.arctan2(h[:, 1], h[:, 0])) % 360.0
    # Just below the lower edge the remainder is just below 360: bring it to that edge, not to the upper one.
    eta = np.where(eta - high > 360.0 + low - eta, low, np.clip(eta, low, high))
    tilt = np.arctan2(np.hypot(h[:, 0], h[:, 1]), h[:, 2]) / _largest_tilt(eta, laue_group)
    tilt, turn = np.clip(tilt, 0.0, 1.0), (eta - low) / (high - low)
    rgb = np.sqrt(np.stack([1 - tilt, (1 - turn) * tilt, turn * tilt], axis=1))
    return np.rint(255 * rgb / rgb.max(axis=1, keepdims=True)).astype(np.uint8).reshape(*q.shape[:-1], 3)


def _largest_tilt(eta: np.ndarray, laue_group: str) -> np.ndarray | float:
    """chi_max, radians: the equator, but x = z and y = z in the cubic groups."""
    if not laue_group.startswith("m-3"):
        return np.pi / 2
    return np.arctan(1 / np.cos(np.radians(np.minimum(eta, 90.0 - eta))))


def _to_sector(h: np.ndarray, laue_group: str) -> np.ndarray:
    """Symmetric equivalents of vectors h [n, 3] under the Laue group, inversion included, in the standard triangle.

    Of all equivalents the triangle holds the one with the largest product with a direction c inside it. Where no mirror
    lies in the equator c must be (all but) the z axis, or the region would not be the triangle.
    """
    _, _, low, high = _group(laue_group)
    chi = {"-1": 1e-7, "-3": 1e-7, "-3m": 1e-7}.get(laue_group, 0.5)
    eta = np.radians((low + high) / 2)
    inside = np.array([np.sin(chi) * np.cos(eta), np.sin(chi) * np.sin(eta), np.cos(chi)])
    operators = symmetry_operators(laue_group)
    images = rotate(conjugate(operators), inside)
    out = np.empty_like(h)
    for start in range(0, len(h), _CHUNK):
        rows = slice(start, start + _CHUNK)
        products = images @ h[rows].T
        best = np.abs(products).argmax(axis=0)
        sign = np.where(np.take_along_axis(products, best[None], axis=0)[0] < 0, -1.0, 1.0)
        out[rows] = sign[:, None] * rotate(operators[best], h[rows])
    return out
