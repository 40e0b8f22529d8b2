"""A map of many figures: textures that are alike lie side by side."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from microgen.errors import EnvironmentProblem, InvalidParameter

FEWEST = 5
"""Textures; below that there is nothing to arrange."""


def require_umap() -> None:
    """Raise EnvironmentProblem where umap-learn is missing, without loading it."""
    if find_spec("umap") is None:
        raise EnvironmentProblem(
            "the map of an atlas needs umap-learn, which is not installed: pip install 'microgen-gpu[atlas]'. "
            "A table alone does without: --out atlas.csv"
        )


def embed(features: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """float64 [n, 2]: places of the rows of `features` [n, d], between 0 and 1, by UMAP.

    McInnes, Healy & Melville (2018), arXiv:1802.03426, with 15 neighbours (fewer where there are few rows). The same
    seed gives the same map on one version. Raises InvalidParameter below 5 rows and EnvironmentProblem without
    umap-learn.
    """
    if len(features) < FEWEST:
        raise InvalidParameter("features", expected=f"{FEWEST} or more textures", got=len(features))
    require_umap()
    import warnings

    from umap import UMAP

    few = len(features) < 4 * FEWEST  # too few for the eigenvectors of the usual start
    layout = UMAP(
        n_neighbors=min(15, len(features) - 1),
        min_dist=0.25,
        init="random" if few else "spectral",
        random_state=seed % 2**32,
        n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on threads and on graphs in pieces, which both are as they should be
        places = np.asarray(layout.fit_transform(np.asarray(features, np.float32)), float)
    low = places.min(axis=0)
    return (places - low) / np.maximum(places.max(axis=0) - low, 1e-12)
