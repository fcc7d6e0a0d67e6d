"""Fokker-Planck tails in decimal arithmetic: an expansion in Legendre polynomials whose rounding is 1e-45, not 1e-16.

With the moments c_n = integral of p P_n over z, (1 - z^2) P_n' = n (n + 1) / (2 n + 1) (P_(n-1) - P_(n+1)) makes the equation

    dc_n/ds = n (n + 1) / (2 n + 1) [q_(n-1) - q_(n+1)] - n (n + 1) / (2 Delta) c_n,
    q_n = [(n + 1) c_(n+1) + n c_(n-1)] / (2 n + 1) - i c_n,

exact but for the highest n; its exponential is a Taylor series in short steps.
"""

from decimal import Decimal, localcontext
from math import ceil

import numpy as np

DIGITS = 45


def switched(i: float, delta: float, s: float, modes: int = 120) -> float:
    """Probability of z < 0 after a pulse of width s from the Boltzmann density of the well z > 0."""
    with localcontext() as context:
        context.prec = DIGITS
        n = decimals(range(modes))
        drive, stability = Decimal(repr(i)), Decimal(repr(delta))
        upper, lower = (n + 1) / (2 * n + 1), n / (2 * n + 1)
        transport, decay = n * (n + 1) / (2 * n + 1), n * (n + 1) / (2 * stability)
        zero = decimals([0])

        def rate(c):
            q = upper * np.concatenate((c[1:], zero)) + lower * np.concatenate((zero, c[:-1])) - drive * c
            return transport * (np.concatenate((zero, q[:-1])) - np.concatenate((q[1:], zero))) - decay * c

        moments = start(stability, modes)
        steps = ceil(s * (modes ** 2 / (2 * delta) + modes * (abs(i) + 1)) / 15)
        for _ in range(steps):
            term = moments
            for k in range(1, 200):
                term = rate(term) * (Decimal(repr(s)) / steps / k)
                moments = moments + term
                if max(abs(x) for x in term) < Decimal(10) ** (10 - DIGITS):
                    break
        return float((moments * lower_half(modes) * (2 * n + 1) / 2).sum())


def decimals(numbers) -> np.ndarray:
    return np.array([Decimal(int(x)) for x in numbers], dtype=object)


def start(delta: Decimal, modes: int) -> np.ndarray:
    """Moments of exp(Delta z^2) on 0 < z < 1, by Gauss's rule of 100 points."""
    z, weight = gauss(100)
    z, weight = (z + 1) / 2, weight / 2
    density = weight * np.array([(delta * (x * x - 1)).exp() for x in z], dtype=object)
    density = density / density.sum()
    before, now = decimals([1] * z.size), z
    moments = [density.sum(), (density * z).sum()]
    for n in range(1, modes - 1):
        before, now = now, ((2 * n + 1) * z * now - n * before) / (n + 1)
        moments.append((density * now).sum())
    return np.array(moments, dtype=object)


def gauss(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on -1 < z < 1: numpy's, made better by Newton's method."""
    z = np.array([Decimal(float(x)) for x in np.polynomial.legendre.leggauss(count)[0]], dtype=object)
    for _ in range(3):
        before, now = decimals([1] * count), z
        for n in range(1, count):
            before, now = now, ((2 * n + 1) * z * now - n * before) / (n + 1)
        slope = count * (before - z * now) / (1 - z * z)
        z = z - now / slope
    return z, 2 / ((1 - z * z) * slope * slope)


def lower_half(modes: int) -> np.ndarray:
    """Integrals of P_n over z < 0: [P_(n+1)(0) - P_(n-1)(0)] / (2 n + 1)."""
    at_zero = [Decimal(1), Decimal(0)]
    for n in range(1, modes):
        at_zero.append(-n * at_zero[n - 1] / (n + 1))
    integrals = [Decimal(1)] + [(at_zero[n + 1] - at_zero[n - 1]) / (2 * n + 1) for n in range(1, modes)]
    return np.array(integrals, dtype=object)
