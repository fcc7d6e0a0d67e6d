"""GMRES without restart for a few unknowns or a few iterations: Saad, Schultz, SIAM J. Sci. Stat. Comput. 7, 856 (1986)."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def gmres(apply: Callable[[Array], Array], b: Array, *, rtol: float, limit: int) -> tuple[Array, float]:
    """x (n,) that makes |b - A x| least over the Krylov space of b (n,), and that norm over |b|.

    apply : x -> A x. The space grows until the norm is rtol |b|, it is exhausted, or it has `limit` dimensions.
    """
    size = float(np.linalg.norm(b))
    if size == 0:
        return np.zeros_like(b), 0.0
    basis = [b / size]
    images: list[Array] = []  # columns of the Hessenberg matrix
    for count in range(1, min(limit, b.size) + 1):
        w = apply(basis[-1])
        column = np.zeros(count + 1)
        for _ in range(2):  # twice is enough (Kahan, Parlett)
            overlap = np.array([q @ w for q in basis])
            column[:-1] += overlap
            w = w - np.array(basis).T @ overlap
        column[-1] = float(np.linalg.norm(w))
        images.append(column)
        h = np.zeros((count + 1, count))
        for k, entries in enumerate(images):
            h[:entries.size, k] = entries
        goal = np.zeros(count + 1)
        goal[0] = size
        y = np.linalg.lstsq(h, goal, rcond=None)[0]
        left = float(np.linalg.norm(goal - h @ y)) / size
        if left <= rtol or column[-1] <= 1e-14 * np.abs(column).max():
            break
        basis.append(w / column[-1])
    return np.array(basis[:len(y)]).T @ y, left
