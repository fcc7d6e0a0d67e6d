"""What happens to cells while others are written, and when does a closed formula for a pulse fail?

    python benchmarks/write_physics.py

1. A 15 x 15 array written whole under each scheme, with and without reads: errors, disturbed cells, energy, time.
2. The write error at the corners of a passive array with wires, and what amplitudes by cell make of it.
3. A 2 x 2 array whose cells pull at each other's voltage, because every line hangs on a driver of the order of a junction:
   shares of writes in which none, one or both cells of a row flip, by macrospins (s-LLGS) in a network solved densely at every
   instant, by pulses followed from within (Stepping), and by probabilities at the voltages of the pulse's beginning.
"""

import argparse
from dataclasses import dataclass

import numpy as np
from harness import add_options, machine, number, table

import crossbar as xb
from crossbar import writing

P = xb.mtj.presets["mtj-60kT"]
N = 15
R = 4e3          # of every driver of the 2 x 2 array [ohm]
CHUNK = 10e-12   # for which the macrospins' voltages stand still [s]


@dataclass(frozen=True)
class Case:
    """Row 0 of the 2 x 2 array written at once, row 1 grounded; all cells begin in one state."""

    name: str
    state: int
    volts: float     # amplitude
    width: float

    @property
    def array(self) -> xb.PassiveArray:
        return xb.PassiveArray(xb.MTJCells(P, np.full((2, 2), self.state)), r_word=0.0, r_bit=0.0, r_driver=R)

    @property
    def overdrive(self) -> float:
        """i of the cells of row 0 at the beginning."""
        solution = self.array.solve(word_left=np.array([-self.state * self.volts, 0.0]))
        return float(xb.mtj.overdrive(solution.cell_voltage, P, self.state)[0, 0])


ABOVE = Case("AP to P, above I_c0", state=-1, volts=1.3, width=4e-9)
BELOW = Case("AP to P, below I_c0", state=-1, volts=0.78, width=25e-9)
AWAY = Case("P to AP, above I_c0", state=1, volts=2.1, width=5e-9)
CASES = (ABOVE, BELOW, AWAY)


def programmed(case: Case, repeats: int, rng: np.random.Generator, stepping: writing.Stepping | None) -> np.ndarray:
    """How many cells of row 0 flipped (repeats,)."""
    only = np.array([[True, True], [False, False]])
    report = xb.program(case.array, np.full((2, 2), -case.state), pulse=xb.Pulse(case.volts, case.width), scheme="grounded",
                        only=only, repeats=repeats, stepping=stepping, breakdown=5.0, rng=rng)
    return (report.states[:, 0] != case.state).sum(axis=1)


def macrospins(case: Case, n: int, rng: np.random.Generator) -> np.ndarray:
    """The same by n networks of four conductances and four macrospins each."""
    sign, m = -case.state, None
    z, volts = np.full((n, 2, 2), float(case.state)), np.full((n, 2, 2), 0.1 * sign)
    for _ in range(round(case.width / CHUNK)):
        g = xb.mtj.current(volts, P, z)[0] / volts
        a = np.zeros((n, 4, 4))
        a[:, :2, :2] = np.eye(2) / R + g.sum(axis=2)[:, :, None] * np.eye(2)
        a[:, 2:, 2:] = np.eye(2) / R + g.sum(axis=1)[:, :, None] * np.eye(2)
        a[:, :2, 2:], a[:, 2:, :2] = -g, -np.swapaxes(g, 1, 2)
        x = np.linalg.solve(a, np.broadcast_to(np.array([sign * case.volts / R, 0, 0, 0])[:, None], (n, 4, 1)))[..., 0]
        volts = x[:, :2, None] - x[:, None, 2:]
        m = xb.mtj.simulate_llgs(P, volts.ravel(), CHUNK, 4 * n, rng, state=case.state, m0=m, progress=False).final
        z = m[:, 2].reshape(n, 2, 2)
    return (z[:, 0] * case.state < 0).sum(axis=1)


def shares(flipped: np.ndarray) -> str:
    """Shares of 0, 1 and 2, with the largest standard error."""
    share = np.bincount(flipped, minlength=3) / flipped.size
    return " / ".join(f"{s:.3f}" for s in share) + f" +- {np.sqrt(share * (1 - share) / flipped.size).max():.3f}"


def schemes(rng: np.random.Generator) -> list[tuple[str, ...]]:
    """Rows of the first table."""
    states, target = rng.choice([-1, 1], (2, N, N))
    cells = xb.MTJCells(P, states)
    passive = xb.PassiveArray(cells, r_word=2.0, r_bit=2.0)
    gated = xb.OneTransistorArray(cells, transistor=xb.NMOS(kp=3e-4, w=2e-6, l=1e-7, vto=0.4, gamma=0.4, lambda_=0.05))
    rows = []
    for name, array, scheme, volts in (("V/2", passive, "v/2", (0.52, 0.66)), ("V/3", passive, "v/3", (0.52, 0.66)),
                                       ("1T1R", gated, writing.GatedScheme(gate=1.8), (0.55, 0.72))):
        for order in ("rows", "cells"):
            for verify in (None, xb.Verify(8)):
                report = xb.program(array, target, pulse=xb.Pulse(volts, 10e-9), scheme=scheme, order=order, verify=verify,
                                    rng=rng)
                rows.append((name, order, "8" if verify else "", str(int(report.errors.sum())),
                             f"{report.expected_error.sum():.2g}" if verify is None else "", str(int(report.disturbed.sum())),
                             f"{report.expected_disturb.sum():.2g}", str(int(report.pulses.sum())),
                             number(1e12 * float(report.energy.sources)), number(1e9 * float(report.time))))
    return rows


def corners(wire: float) -> list[tuple[str, ...]]:
    """Rows of the second table."""
    array, pulse = xb.PassiveArray(xb.MTJCells(P, -np.ones((N, N))), r_word=wire, r_bit=wire), xb.Pulse(0.52, 12e-9)
    lifted = writing.compensated(array, np.ones((N, N)), pulse, order="cells")
    rows = []
    for name, p in (("one amplitude", pulse), ("compensated", lifted)):
        error = writing.write_error_map(array, p, 1)
        rows.append((number(wire), name, *(f"{error[i, j]:.3g}" for i, j in ((N - 1, 0), (N - 1, N - 1), (0, 0), (0, N - 1))),
                     number(error.max() / error.min())))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, repeats=1, peers=False)
    parser.add_argument("--writes", type=int, help="of the 2 x 2 array, by macrospins")
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    print("\n".join(table(":scheme | :order | pulses allowed | errors | expected | disturbed | expected | pulses | energy [pJ] "
                          "| time [ns]", schemes(rng))))
    print()
    print("\n".join(table("wire [ohm] | :amplitudes | error at the near corner | near row, far column | far row, near column "
                          "| far corner | largest / smallest", [row for wire in (2.0, 5.0) for row in corners(wire)])))
    print()
    n = args.writes or (100 if args.quick else 8000)
    rows = [(case.name, number(case.overdrive), shares(macrospins(case, n, rng)),
             shares(programmed(case, 2 * n, rng, writing.Stepping())), shares(programmed(case, 2 * n, rng, None)))
            for case in CASES]
    print("\n".join(table(":2 x 2 array, one row written | i at the beginning | :macrospins: none / one / both flip | :Stepping "
                          "| :probabilities at the beginning", rows)))
    print("\n".join(machine(args)))


if __name__ == "__main__":
    main()
