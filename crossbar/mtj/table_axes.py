"""Axes of the Fokker-Planck table and the limit of infinite overdrive, in which they end.

The nodes in i stand at equal distances of asinh(i - 1) from 0 to I_MAX, from there on at equal distances of 1 / i up to
infinity, where the density is carried past the equator unchanged by the flow dz/ds = -i (1 - z^2) before anything else
happens to it. What starts at z < tanh(i s) has then switched:

    P = exp{Delta [tanh^2(i s) - 1]} D(sqrt(Delta) tanh(i s)) / D(sqrt(Delta)),   D Dawson's integral               (1)

That holds well long before: relaxation and noise together keep the initial Boltzmann density, from which the flow has not yet
taken it far. So above I_MAX the time axis is that of i s, not s, along which ln H hardly depends on i: at Delta 90 it moves by
0.04 from i = 6 to infinity while P is 2e-17.
"""

import numpy as np
import numpy.typing as npt
import scipy

Array = npt.NDArray[np.float64]

I_MAX, I_MIN = 6.0, -2.0     # end of the axis of asinh(i - 1); below I_MIN that of I_MIN
DELTA = (1.0, 400.0)         # thermal stability
S = (0.01, 300.0)            # time / tau_D, and above I_MAX time / tau_D times i / I_MAX
WEAK = 76                    # nodes from i = 0 to I_MAX
STRONG = 4                   # nodes from I_MAX to infinity
I_STEP = float(np.arcsinh(I_MAX - 1) - np.arcsinh(-1.0)) / (WEAK - 1)  # of asinh(i - 1)
STEP = (I_STEP, 0.151, 0.1)  # distances of asinh(i - 1), Delta^(1/4) and ln(s)
BACK = (4.0, 0.1)            # below 0: nodes at equal distances of asinh(4 |i|)
BACK_TIMES = 68              # below 0: nodes in time, the last when the well is at rest, whatever the current
LEAST = 1e-200               # a smaller probability, or cumulative hazard, is none
FIRST = (float(np.arcsinh(-1.0)), DELTA[0] ** 0.25, float(np.log(S[0])))  # nodes 0


def nodes() -> tuple[Array, Array, Array]:
    """Nodes in i >= 0, the last infinite, in Delta and in s; the last two reach at least to the ends of their ranges."""
    weak = 1 + np.sinh(FIRST[0] + I_STEP * np.arange(WEAK))
    weak[0], weak[-1] = 0.0, I_MAX
    with np.errstate(divide="ignore"):
        strong = I_MAX / (1 - np.arange(1, STRONG) / (STRONG - 1))
    root = FIRST[1] + STEP[1] * np.arange(_count(DELTA[1] ** 0.25 - FIRST[1], STEP[1]))
    log_s = FIRST[2] + STEP[2] * np.arange(_count(np.log(S[1]) - FIRST[2], STEP[2]))
    return np.concatenate((weak, strong)), root ** 4, np.exp(log_s)


def back_nodes() -> Array:
    """Nodes in |i| below 0, the first 0."""
    return np.sinh(BACK[1] * np.arange(_count(np.arcsinh(-BACK[0] * I_MIN), BACK[1]))) / BACK[0]


def last_back_time() -> float:
    """Time up to which what lies below 0 is tabulated."""
    return float(np.exp(FIRST[2] + STEP[2] * (BACK_TIMES - 1)))


def _count(length: float, distance: float) -> int:
    """Nodes at a distance from each other that cover a length."""
    return int(np.ceil(length / distance - 1e-9)) + 1


def log_hazard_of_the_flow(delta: Array, path: Array) -> Array:
    """ln H of (1), H = -ln(1 - P), of shape (nd, ns); path (ns,) = i s."""
    root = np.sqrt(delta)[:, None]
    norm = scipy.special.dawsn(root)
    equator = np.tanh(path)  # the start that just reaches z = 0
    beyond = 2 / (1 + np.exp(np.minimum(2 * path, 700)))  # 1 - equator
    log_p = -delta[:, None] * beyond * (2 - beyond) + np.log(scipy.special.dawsn(root * equator) / norm)
    # What has not switched lies between equator and pole, where the density is smooth.
    x, weight = np.polynomial.legendre.leggauss(40)
    place = beyond[:, None] * (x + 1) / 2
    density = np.exp(-delta[:, None, None] * place * (2 - place))
    log_beyond = np.log(2) - 2 * path - np.log1p(np.exp(-2 * path))
    log_error = np.log(density @ weight / 2 * root / norm) + log_beyond
    switched = np.exp(np.minimum(log_p, np.log(0.5)))
    log_h = np.where(switched < 0.5, log_p + _log_ratio(switched), np.log(-np.minimum(log_error, -0.1)))
    return np.maximum(log_h, np.log(LEAST))


def _log_ratio(p: Array) -> Array:
    """ln[-ln(1 - p) / p], 0 at p = 0."""
    safe = np.maximum(p, 1e-300)
    return np.log(-np.log1p(-safe) / safe)
