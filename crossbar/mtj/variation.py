"""Device variation, defects and read noise of MTJ arrays.

Physical causes x in {diameter, RA, TMR, K_i, alpha} vary from device to device, independently of each other:

    normal     x = x_0 (1 + sigma z),                       mean x_0, standard deviation / mean = sigma
    lognormal  x = x_0 exp(s z),  s^2 = ln(1 + sigma^2),    median x_0, standard deviation / mean = sigma

with z standard normal. What a circuit sees is not drawn: it follows from the causes through MTJParams, and so stays
correlated: a wider junction has a lower R_P and a higher Delta and I_c0, all by its area.

K_eff = K_i / t - (shape anisotropy) is a small difference: 1 % of K_i moves Delta of the default junction by 8.6 %. A device
is usable if every x / x_0 > 0 and K_eff > 0, the latter being K_i / K_i0 > 1 - K_eff0 t / K_i0.
"""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from crossbar import memory
from crossbar.checks import generator, real_array
from crossbar.errors import CrossbarWarning, DataError
from crossbar.mtj.arguments import MOST
from crossbar.mtj.conduction import as_state
from crossbar.mtj.parameters import MTJParams
from crossbar.mtj.presets import Params, as_params
from crossbar.summaries import short_repr

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Shape = int | tuple[int, ...]
Law = Literal["normal", "lognormal"]

_CAUSES = ("diameter", "ra", "tmr", "k_i", "alpha")  # in the order in which they are drawn
_MAGNETISM = ("diameter", "thickness", "m_s", "k_i")  # what Delta follows from
_NOWHERE: Any = np.False_

#: Conductance of a short [S] unless another is given: 100 ohm, an assumption, not a measured value.
G_SHORT = 1e-2


@dataclass(frozen=True, kw_only=True)
class Variation:
    """Relative standard deviations of the physical causes from device to device (0.05 is 5 %; at most 1), and their law.

    Raises DataError where one is negative, above 1 or not finite, or where the law is unknown.
    """

    diameter: float = 0.0  # [1]
    ra: float = 0.0        # [1], of the resistance-area product
    tmr: float = 0.0       # [1], of the TMR at zero bias
    k_i: float = 0.0       # [1], of the interface anisotropy; belongs below 0.01, see above
    alpha: float = 0.0     # [1], of the damping
    distribution: Law = "normal"

    def __post_init__(self) -> None:
        for cause in _CAUSES:
            object.__setattr__(self, cause, _share(getattr(self, cause), f"the variation of {cause}"))
        check_law(self.distribution)


def sample(p: Params, variation: Variation, shape: Shape, rng: np.random.Generator, *,
           max_unstable: float = 0.0) -> MTJParams:
    """Devices of an array, drawn around nominal ones.

    p : MTJParams whose fields broadcast to `shape`, or a preset's name: the nominal values.
    max_unstable : share of devices that may come out unusable (K_eff <= 0, or a factor of the normal law that is not
        positive). They are drawn again, all causes anew, and a CrossbarWarning says how many.
    Returns MTJParams of `shape`; fields that nothing moves stay as they are.

    Where RA or diameter is unknown, both scale r_p. Where the magnetism is (no diameter, thickness, m_s or k_i), the area
    scales a given delta and i_c0, and RA a given v_c0 (its critical current density stays).
    The same generator draws the same devices, and one sigma changed leaves the other causes' draws as they were (unless
    devices are drawn again).
    Raises DataError if p lacks what varies, does not fit `shape` or is not stable itself, and if more than the share
    `max_unstable` comes out unusable; SizeError if the devices would not fit in memory.
    """
    if not isinstance(variation, Variation):
        raise DataError(f"a variation is xb.mtj.Variation(diameter=0.03, ...), not {type(variation).__name__}")
    p = as_params(p)
    shape, max_unstable = _shape(shape), _share(max_unstable, "max_unstable")
    _require(p, variation, shape)
    size = math.prod(shape)
    lowest = _lowest(p, variation, shape)
    factors = _factors(variation, size, rng)
    bad = {cause: factor <= lowest[cause] for cause, factor in factors.items()}
    which = np.flatnonzero(_any(bad, size))
    if which.size:
        _judge(bad, which.size, size, max_unstable)
    while which.size:  # ends: the nominal device is stable, so that a fifth of the draws or more are usable
        again = _factors(variation, which.size, rng)
        for cause, factor in factors.items():
            factor[which] = again[cause]
        which = which[_any({cause: again[cause] <= lowest[cause][which] for cause in again}, which.size)]
    return _varied(p, {cause: factor.reshape(shape) for cause, factor in factors.items()}, shape)


def _require(p: MTJParams, variation: Variation, shape: tuple[int, ...]) -> None:
    """That p has what varies, fits the shape and is stable."""
    memory.require("device variation", 250.0 * math.prod(shape))
    try:
        fits = np.broadcast_shapes(p.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise DataError(f"nominal parameters of shape {p.shape} do not fit devices of shape {shape}")
    if variation.k_i:
        p.need(*_MAGNETISM, what="a variation of k_i")
    if variation.alpha:
        p.need("alpha", *_MAGNETISM, what="a variation of alpha")
    if _has_magnetism(p) and not np.all(p.k_eff > 0):
        raise DataError(f"the nominal junction has K_eff = {np.min(p.k_eff):.4g} J/m^3, but only K_eff > 0 is stable: raise "
                        "k_i or reduce the thickness")


def _factors(variation: Variation, size: int, rng: np.random.Generator) -> dict[str, Array]:
    """x / x_0 of every cause that varies, each (size,). All causes are drawn, so that none moves another's draws."""
    factors = {}
    for cause in _CAUSES:
        z, sigma = generator(rng).standard_normal(size), getattr(variation, cause)
        if sigma:
            factors[cause] = scattered(z, sigma, variation.distribution)
    return factors


def scattered(z: Array, sigma: float, distribution: Law) -> Array:
    """x / x_0 of standard normal z, by the law of that name."""
    return 1 + sigma * z if distribution == "normal" else np.exp(math.sqrt(math.log1p(sigma ** 2)) * z)


def check_law(distribution: str) -> None:
    """Raise DataError unless it is a law of variation."""
    if not isinstance(distribution, str) or distribution not in ("normal", "lognormal"):
        raise DataError(f"the distribution of a variation is 'normal' or 'lognormal', got {distribution!r}")


def _lowest(p: MTJParams, variation: Variation, shape: tuple[int, ...]) -> dict[str, Array]:
    """What the factor of each cause must exceed, each (size,)."""
    size = math.prod(shape)
    lowest = dict.fromkeys(_CAUSES, np.broadcast_to(0.0, size))
    if variation.k_i:
        shape_share = 1 - p.k_eff * np.asarray(p.thickness, dtype=float) / p.interface_anisotropy
        lowest["k_i"] = np.broadcast_to(np.maximum(shape_share, 0.0), shape).ravel()
    return lowest


def _any(masks: Mapping[str, Mask], size: int) -> Mask:
    return np.logical_or.reduce(list(masks.values())) if masks else np.zeros(size, dtype=bool)


def _judge(bad: Mapping[str, Mask], count: int, size: int, allowed: float) -> None:
    """Warn of `count` unusable devices, or raise DataError if they are more than the share `allowed`."""
    whats = [f"{np.count_nonzero(mask)} with {'K_eff' if cause == 'k_i' else cause} <= 0"
             for cause, mask in bad.items() if mask.any()]
    text = f"{count} of {size} devices came out unusable ({', '.join(whats)})"
    if count > allowed * size:
        raise DataError(f"{text}: a share of {count / size:.3g} where max_unstable = {allowed:.3g}. Reduce the variation, take "
                        "a more stable junction, or raise max_unstable to have them drawn again")
    warnings.warn(f"{text} and were drawn again", CrossbarWarning, stacklevel=3)


def _varied(p: MTJParams, factors: Mapping[str, Array], shape: tuple[int, ...]) -> MTJParams:
    """p with its causes times the factors, each of `shape`; what stands for itself is scaled as it would follow."""
    area = np.square(factors.get("diameter", np.ones(())))
    changes: dict[str, Any] = {cause: getattr(p, cause) * factor for cause, factor in factors.items()
                               if getattr(p, cause) is not None}
    changes["tmr"] = np.broadcast_to(changes.get("tmr", p.tmr), shape)  # the result has this shape, whatever varies
    if p.ra is None or p.diameter is None:
        changes["r_p"] = np.asarray(p.r_p, dtype=float) * factors.get("ra", 1.0) / area
    if p.delta is not None and not _has_magnetism(p):
        changes["delta"] = p.delta * area
    varied = p.replace(**changes)
    if _has_magnetism(p) and p.alpha is not None:
        return varied
    stability = area if p.delta is None or varied.delta is None else varied.delta / np.asarray(p.delta)
    factor = {"v_c0": factors.get("ra", np.ones(())), "i_c0": stability}
    alone = {f"{kind}_{name}": factor[kind] for name in ("p", "ap")
             for kind in ("i_c0" if getattr(p, f"v_c0_{name}") is None else "v_c0",)}
    return varied.replace(**{name: getattr(p, name) * x for name, x in alone.items() if getattr(p, name) is not None})


def _has_magnetism(p: MTJParams) -> bool:
    """Whether Delta follows from geometry and material."""
    return all(getattr(p, name) is not None for name in _MAGNETISM)


@dataclass(frozen=True, kw_only=True, eq=False)
class Defects:
    """Broken cells of an array: boolean masks that broadcast to one shape, at most one of them true in a cell.

    Raises DataError for masks that are not boolean, do not broadcast or overlap.
    """

    __repr__ = short_repr

    short: Mask = _NOWHERE     # pinhole in the barrier: a resistor of 1 / g_short
    open: Mask = _NOWHERE      # no contact: carries no current
    stuck_p: Mask = _NOWHERE   # P, and never switches
    stuck_ap: Mask = _NOWHERE  # AP, and never switches

    def __post_init__(self) -> None:
        kinds = [e.name for e in fields(self)]
        masks = [_mask(getattr(self, kind), kind) for kind in kinds]
        for kind, mask in zip(kinds, masks, strict=True):
            if mask.dtype != bool:
                raise DataError(f"the defect mask {kind} must be boolean, got {mask.dtype}; write mask != 0")
        try:
            masks = list(np.broadcast_arrays(*masks))
        except ValueError:
            raise DataError(f"the defect masks have shapes that do not fit: {', '.join(str(m.shape) for m in masks)}") from None
        memory.require("defect masks", 10.0 * masks[0].size)
        if (overlap := np.sum(masks, axis=0, dtype=np.int8) > 1).any():
            raise DataError(f"{np.count_nonzero(overlap)} cells have two defects at once; the masks must exclude each other")
        for kind, mask in zip(kinds, masks, strict=True):
            mask = mask.copy()
            mask.flags.writeable = False
            object.__setattr__(self, kind, mask)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.short.shape

    @property
    def mask(self) -> Mask:
        """True where a cell has any defect."""
        return self.short | self.open | self.stuck_p | self.stuck_ap

    @property
    def any(self) -> bool:
        """Whether any cell is defective."""
        return bool(self.mask.any())

    @property
    def count(self) -> int:
        """Number of defective cells."""
        return int(np.count_nonzero(self.mask))

    def states(self, state: npt.ArrayLike) -> npt.NDArray[np.int8]:
        """`state` (..., *shape), as `as_state` takes it, with stuck cells in the state they are stuck in."""
        state = as_state(state)
        self._fits(state.shape, "states")
        return np.where(self.stuck_p, 1, np.where(self.stuck_ap, -1, state)).astype(np.int8)

    def conductance(self, g: npt.ArrayLike, g_short: npt.ArrayLike = G_SHORT) -> Array:
        """Conductances g [S] (..., *shape) of the cells in their `states`, with 0 for open cells and g_short for shorts.

        Raises DataError for shapes that do not fit and a g_short that is not positive and finite.
        """
        g, g_short = real_array(g, "conductances [S]"), real_array(g_short, "g_short [S]")
        if not np.all((g_short > 0) & np.isfinite(g_short)):
            raise DataError("g_short [S] must be positive and finite; a cell that does not conduct is open")
        self._fits(g.shape, "conductances")
        self._fits(g_short.shape, "g_short values")
        return np.where(self.open, 0.0, np.where(self.short, g_short, g))

    def _fits(self, shape: tuple[int, ...], what: str) -> None:
        try:
            joint = np.broadcast_shapes(shape, self.shape)
        except ValueError:
            joint = ()
        if joint[len(joint) - len(self.shape):] != self.shape:
            raise DataError(f"{what} of shape {shape} do not fit defects of shape {self.shape}")


def sample_defects(shape: Shape, rng: np.random.Generator, *, short: float = 0.0, open: float = 0.0, stuck_p: float = 0.0,
                   stuck_ap: float = 0.0) -> Defects:
    """Defects at given rates (probabilities per cell), independent from cell to cell, at most one in a cell.

    Raises DataError where a rate is not within 0 and 1 or where they add up to more than 1; SizeError where the masks would
    not fit in memory.
    """
    shape = _shape(shape)
    rates = {"short": short, "open": open, "stuck_p": stuck_p, "stuck_ap": stuck_ap}
    edges = np.cumsum([0.0, *(_share(rate, f"the rate of {kind} cells") for kind, rate in rates.items())])
    if edges[-1] > 1 + 1e-12:
        raise DataError(f"the rates of defects add up to {edges[-1]:.6g}, but a cell has one defect at most")
    memory.require("defects", 24.0 * math.prod(shape))
    u = generator(rng).random(shape)
    return Defects(**{kind: (low <= u) & (u < high) for kind, low, high in zip(rates, edges, edges[1:])})


def read_noise(i: npt.ArrayLike, sigma: float, rng: np.random.Generator) -> Array:
    """Read currents i [A] of any shape with cycle-to-cycle noise: i (1 + sigma z), z standard normal.

    `sigma` is the relative standard deviation of one read, independent for every element of i (read a cell n times: n
    elements). It stands for what differs from read to read (thermal and 1/f fluctuation of the junction, the amplifier)
    and not for device variation, which a second read repeats.
    Raises DataError for currents that are not finite and a sigma that is not within 0 and 1.
    """
    i, sigma = real_array(i, "read currents [A]"), _share(sigma, "read noise")
    if not np.all(np.isfinite(i)):
        raise DataError("read currents [A] must be finite")
    memory.require("read noise", 24.0 * i.size)
    return i * (1 + sigma * generator(rng).standard_normal(i.shape))


def _share(value: float, what: str) -> float:
    """A number within 0 and 1."""
    number = real_array(value, what)
    if number.ndim or not 0 <= number <= 1:
        raise DataError(f"{what} must be one number between 0 and 1 (0.05 is 5 %), got {value!r}")
    return float(number)


def _shape(shape: Shape) -> tuple[int, ...]:
    try:
        sizes = tuple(map(operator.index, np.atleast_1d(np.asarray(shape, dtype=object)).tolist()))
    except TypeError:
        raise DataError(f"a shape is a tuple of integers, got {shape!r}") from None
    if any(size < 1 for size in sizes):
        raise DataError(f"a shape has at least one cell on every axis, got {shape!r}")
    if math.prod(sizes) > MOST:
        raise DataError(f"a shape has at most {MOST:g} cells, got {shape!r:.80}")
    return sizes


def _mask(value: Any, kind: str) -> npt.NDArray[Any]:
    try:
        return np.asarray(value)
    except ValueError:
        raise DataError(f"the defect mask {kind} is not a regular array") from None
