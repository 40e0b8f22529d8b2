"""The Jacobian of the volumes by the weights: a graph Laplacian of the cells that touch, and systems with it."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags_array
from scipy.sparse.linalg import cg
from threadpoolctl import ThreadpoolController

from microgen.core.kernels import cpu


def pairs(swept: cpu.Sweep) -> tuple[np.ndarray, np.ndarray]:
    """The sweep's own interface terms, chunk after chunk."""
    pair = np.concatenate([swept.pair[k, :used] for k, used in enumerate(swept.pair_used)])
    return pair, np.concatenate([swept.pair_area[k, :used] for k, used in enumerate(swept.pair_used)])


def laplacian_of(pair: np.ndarray, area: np.ndarray, n: int) -> csr_matrix:
    """Graph Laplacian L = -Hessian of g: d volume / d weight, in voxels per unit of cost."""
    i, j = pair[:, 0], pair[:, 1]
    off = coo_matrix((np.r_[area, area], (np.r_[i, j], np.r_[j, i])), shape=(n, n)).tocsr()
    return csr_matrix(diags_array(np.asarray(off.sum(1)).ravel()) - off)


def held(change: np.ndarray, laplacian: csr_matrix, most: np.ndarray | float) -> np.ndarray:
    """Changes of the weights, none of which differs by more than `most` from the mean of its neighbours (by face).

    Neighbours drift together by more than that, and may.
    """
    diagonal = laplacian.diagonal()
    own = laplacian @ change / np.where(diagonal > 0, diagonal, np.inf)
    return change + np.clip(own, -most, most) - own


def solve(laplacian: csr_matrix, residual: np.ndarray) -> np.ndarray:
    """Conjugate gradients with Jacobi preconditioner; the gauge (a constant) is fixed by a mean of zero."""
    step = gradients(laplacian, residual - residual.mean())
    return step - step.mean()


def solve_among(laplacian: csr_matrix, residual: np.ndarray, active: np.ndarray) -> np.ndarray:
    """The same where only the weights of some sites, bool [n], may change: the others keep theirs."""
    step = np.zeros(len(residual))
    step[active] = gradients(csr_matrix(laplacian[active][:, active]), residual[active])
    return step


def gradients(matrix: csr_matrix, right: np.ndarray) -> np.ndarray:
    """x with matrix x = right, to 1e-4 of its norm: preconditioned conjugate gradients, symmetric semidefinite matrix.

    BLAS takes one thread: the sums of several depend on how many they are, and wait for one another on busy cores.
    """
    diagonal = matrix.diagonal()
    scale = np.where(diagonal > 0, 1 / np.maximum(diagonal, 1e-300), 0.0)
    with _blas().limit(limits=1, user_api="blas"):
        return cg(matrix, right, rtol=1e-4, maxiter=300, M=diags_array(scale))[0]


@cache
def _blas() -> ThreadpoolController:
    """The libraries that are loaded: to look for them takes longer than to solve."""
    return ThreadpoolController()
