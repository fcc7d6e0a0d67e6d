"""The n-channel MOS transistor: current from drain to source, body effect included, symmetric in drain and source.

model "level1" (Shichman, Hodges, IEEE J. Solid-State Circuits 3, 285 (1968), as SPICE's level 1 has it), for v_ds >= 0:

    V_T = V_TO + gamma (sqrt(phi - v_bs) - sqrt(phi)),   x = v_gs - V_T                                            (1)
    i = 0 (x <= 0),   beta (1 + lambda v_ds) x^2 / 2 (x <= v_ds),   beta (1 + lambda v_ds) v_ds (x - v_ds / 2)      (2)

beta = kp w / l. With a forward-biased body (v_bs > 0) the root goes on as its tangent, down to 0.

model "ekv" (Enz, Krummenacher, Vittoz, Analog Integr. Circuits Signal Process. 8, 83 (1995)): smooth, and valid below threshold;
voltages against the body, U_T = k T / e, phi and gamma as in (1):

    v_p = v - phi - gamma (sqrt(v + gamma^2/4) - gamma/2),   v = v_g - V_TO + phi + gamma sqrt(phi)   (-phi where v <= 0)  (3)
    i = 2 n beta U_T^2 [F(v_p - v_s) - F(v_p - v_d)] (1 + lambda |v_ds|),   F(x) = ln^2(1 + exp(x / (2 U_T)))        (4)
    n = 1 + gamma / (2 sqrt(phi + v_p + 4 U_T))                                                                 (5)

The 4 U_T in (5) keeps n finite in accumulation; it is that of the model's version 2.6 (Bucher et al., EPFL, 1997). Neither model
has junction diodes, a gate current or a gmin. Both rise with v_d and fall with v_s everywhere, with continuous slopes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from crossbar.checks import choice
from crossbar.elements import cell_kernels
from crossbar.elements.base import Array, Batch
from crossbar.elements.fields import Device, Value, entry
from crossbar.summaries import short_repr
from crossbar.units import E_CHARGE, K_BOLTZMANN


@dataclass(frozen=True, kw_only=True, eq=False)
class NMOS(Device):
    """One transistor, or many: every field but `model` is a number or an array that broadcasts to the cells' shape.

    Names and defaults are those of SPICE's level 1 (w and l: ngspice's 100 um). Of a mobility u0 and a gate capacitance per area
    c_ox, kp = u0 c_ox. Raises DataError where a value is not finite or out of range, or where shapes do not broadcast.
    """

    __repr__ = short_repr

    kp: Value = entry("A/V^2", 2e-5, least=1e-30, high=1e6)              # transconductance of a square channel
    w: Value = entry("m", 1e-4, least=1e-15, high=1e3)                   # channel width
    l: Value = entry("m", 1e-4, least=1e-15, high=1e3)                   # channel length
    vto: Value = entry("V", 0.0, low=-np.inf, high=1e6)     # threshold at v_bs = 0
    gamma: Value = entry("V^0.5", 0.0, closed=True, high=1e6)   # body effect
    phi: Value = entry("V", 0.6, least=1e-6, high=1e6)                  # surface potential in strong inversion
    lambda_: Value = entry("1/V", 0.0, closed=True, high=1e6)   # channel-length modulation
    temperature: Value = entry("K", 300.15, least=1e-4, high=1e5)       # sets U_T of "ekv"; the other values hold at it
    model: Literal["level1", "ekv"] = "level1"

    def __post_init__(self) -> None:
        choice(self.model, ("level1", "ekv"), "an NMOS model")
        super().__post_init__()

    @property
    def beta(self) -> Value:
        """kp w / l [A/V^2]."""
        return self.kp * self.w / self.l

    @property
    def u_t(self) -> Value:
        """Thermal voltage k T / e [V]."""
        return self.temperature * (K_BOLTZMANN / E_CHARGE)

    @property
    def kind(self) -> int:
        """Number of the law in `cell_kernels`."""
        return cell_kernels.EKV if self.model == "ekv" else cell_kernels.LEVEL1

    @property
    def values(self) -> tuple[Value, ...]:
        """The six parameters that `cell_kernels` takes."""
        return self.beta, self.vto, self.gamma, self.phi, self.lambda_, self.u_t

    def current(self, v_d: npt.ArrayLike, v_g: npt.ArrayLike, v_s: npt.ArrayLike,
                v_b: npt.ArrayLike = 0.0) -> tuple[Array, Array, Array, Array]:
        """Current from drain to source i [A] and its slopes di/dv_d, di/dv_g, di/dv_s [S]; di/dv_b is minus their sum.

        v_d, v_g, v_s, v_b : node voltages [V]; they broadcast against each other and the fields.
        """
        volts = [np.asarray(v, dtype=float) for v in (v_d, v_g, v_s, v_b)]
        shape = np.broadcast_shapes(self.shape, *(v.shape for v in volts))
        drain, gate, source, body = (np.broadcast_to(v, shape).ravel() for v in volts)
        values = tuple(np.full(1, x) if np.ndim(x) == 0 else np.broadcast_to(x, shape).flatten() for x in self.values)
        out = np.empty((4, drain.size))
        cell_kernels.transistors(self.kind, values, drain - source, gate - source, body - source, out)
        i, by_drain, minus_by_source, by_gate = out.reshape(4, *shape)
        return i, by_drain, by_gate, -minus_by_source


@dataclass(frozen=True, kw_only=True, eq=False)
class NMOSes(Batch):
    """Transistors. nodes (n, 4): drain, source, gate, body; the channel joins the first two."""

    __repr__ = short_repr

    transistor: NMOS  # fields are scalars or (n,)
    terminals: ClassVar[int] = 4
    linear: ClassVar[bool] = False
    stencil: ClassVar[Array] = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]])

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        drain, source, gate, body = x.T
        i, by_drain, by_gate, by_source = self.transistor.current(drain, gate, source, body)
        row = np.column_stack((by_drain, by_source, by_gate, -(by_drain + by_gate + by_source)))
        none = np.zeros_like(i)
        return np.column_stack((i, -i, none, none)), np.hstack((row, -row))
