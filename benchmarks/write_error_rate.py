"""Do the closed formulas, the Fokker-Planck equation and the stochastic macrospin agree where each is valid?

    python benchmarks/write_error_rate.py                       # four markdown tables, some minutes
    python benchmarks/write_error_rate.py --samples 20000       # quicker, wider intervals

All three levels describe one junction (N_x = N_y, efficiency independent of the angle, no field-like torque) that starts from
its Boltzmann distribution and carries a constant current i I_c0 for s tau_D. The interval of a sampled probability is Clopper
and Pearson's, of a confidence that leaves one false alarm in a thousand runs of this script; a Fokker-Planck value outside it,
or a grid that is too coarse, makes the script fail.
"""

import argparse
import sys

import numpy as np
from scipy.stats import binomtest
from tqdm import tqdm

import crossbar.mtj as mtj

DELTAS = (40.0, 60.0)
OVERDRIVES = (0.7, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0)
ERRORS = (0.1, 1e-3)     # wanted write-error rates of the sampled table, if LONGEST is enough
LONGEST = 60.0           # [tau_D]
DEEP = (1e-3, 1e-12)     # and of the table without samples
FALSE_ALARM = 1e-3


def width(i: float, delta: float, error: float) -> float:
    """Pulse width [tau_D] of a write-error rate, by the table."""
    junction = mtj.MTJParams(delta=delta)
    v = np.interp(i, mtj.overdrive(-np.linspace(0, 5, 50001), junction, 1), np.linspace(0, 5, 50001))
    return float(mtj.pulse_width(1 - error, -v, junction, 1) / junction.tau_d)


def formula(i: float, s: float, delta: float) -> tuple[float, float]:
    """Write-error rate of the formula for this side of i = 1; beyond it the one with Butler's constant."""
    if i < 1:
        return float(np.exp(-mtj.thermal_rate(i, delta) * s)), np.nan
    if i == 1:
        return np.nan, np.nan
    return float(mtj.precessional_error(i, s, delta)), float(mtj.precessional_error(i, s, delta, "butler"))


def sampled(samples: int, seed: int) -> bool:
    """The table of the three levels; whether every Fokker-Planck value lies inside its interval."""
    rows = [(delta, i, s) for delta in DELTAS for i in OVERDRIVES
            for s in sorted({min(width(i, delta, error), LONGEST) for error in ERRORS})]
    print("| Delta | i | width [tau_D] | Fokker-Planck: switched | not switched | formula / F-P: switched | not switched | "
          f"s-LLGS: not switched of {samples} | its interval | inside |\n|--:|--:|--:|--:|--:|--:|--:|--:|---|---|")
    every = True
    for (delta, i, s), rng in zip(tqdm(rows, disable=None), np.random.default_rng(seed).spawn(len(rows)), strict=True):
        junction = mtj.MTJParams(delta=delta, eta_p=0.5, eta_ap=0.5)
        run = mtj.simulate_llgs(junction, None, s * junction.tau_d, samples, rng, current=-i * junction.i_c0_p, progress=False)
        left = int((run.m_z[-1] > 0).sum())
        low, high = binomtest(left, samples).proportion_ci(1 - FALSE_ALARM / len(rows))
        exact = mtj.evolve(i, delta, [s], cells=1200)
        p, error = exact.switched[0, 0], exact.error[0, 0]
        close, _ = formula(i, s, delta)
        inside = low <= error <= high
        every &= inside
        ratios = ("", "") if np.isnan(close) else (f"{(1 - close) / p:.3g}", f"{close / error:.3g}")
        print(f"| {delta:g} | {i:g} | {s:.2f} | {p:.3g} | {error:.3g} | {ratios[0]} | {ratios[1]} | {left} | "
              f"{low:.3g} to {high:.3g} | {'yes' if inside else 'NO'} |")
    return every


def deep() -> bool:
    """The table of rare errors; whether halving the grid moves none by 0.01 in log10."""
    print("\n| Delta | i | width [tau_D] | log10 of the write-error rate | moved by half the grid | by half the step | "
          "formula / F-P: flow | Butler |\n|--:|--:|--:|--:|--:|--:|--:|--:|")
    every = True
    for delta in DELTAS:
        for i in (1.2, 1.5, 2.0, 3.0, 5.0):
            for wanted in DEEP:
                s = width(i, delta, wanted)
                error, coarse, quick = (mtj.evolve(i, delta, [s], **options).error[0, 0]
                                        for options in ({}, {"cells": 300}, {"step": 0.5}))
                moved = np.log10([coarse / error, quick / error])
                every &= bool((np.abs(moved) < 0.01).all())
                flow, butler = formula(i, s, delta)
                print(f"| {delta:g} | {i:g} | {s:.2f} | {np.log10(error):.3f} | {moved[0]:.4f} | {moved[1]:.4f} | "
                      f"{flow / error:.3g} | {butler / error:.3g} |")
    return every


def half_select() -> None:
    """Disturb probabilities of half-selected cells; 10 ns at tau_D = 1.89 ns, from rest, and per 10 ns of a long pulse."""
    print("\n| Delta | i | exponent 2 | exponent 1 | Fokker-Planck, a pulse from rest | Fokker-Planck, per 10 ns of a long "
          "pulse |\n|--:|--:|--:|--:|--:|--:|")
    s = 10 / 1.89
    for delta, i in ((60.0, 0.4), (60.0, 0.6), (40.0, 0.6)):
        two, one = mtj.thermal_rate(i, delta) * s, mtj.thermal_rate(i, delta, 1, tau_d=1.89e-9) * s
        e = mtj.evolve(i, delta, [s, 100, 100 + s], cells=1200)
        late = -np.diff(np.log1p(-e.switched[:, 0]))[-1]
        print(f"| {delta:g} | {i:g} | {two:.1e} | {one:.1e} | {e.switched[0, 0]:.1e} | {late:.1e} |")


def voltage_driven(samples: int, seed: int) -> bool:
    """Pulses of constant voltage: exact for a TMR independent of bias, and what is neglected where it falls with bias; whether
    the exact ones lie within 4 sigma."""
    print(f"\n| V_h [V] | direction | V / V_c0 | width [ns] | Fokker-Planck: not switched | s-LLGS, {samples}: not switched | "
          "ratio |\n|--:|---|--:|--:|--:|--:|--:|")
    rows = [(v_h, state, factor, width) for v_h in (np.inf, 0.5) for state in (1, -1)
            for factor, width in ((0.8, 20e-9), (1.3, 10e-9), (1.6, 6e-9))]
    every = True
    for row, rng in zip(tqdm(rows, disable=None), np.random.default_rng(seed).spawn(len(rows)), strict=True):
        v_h, state, factor, width = row
        junction = mtj.MTJParams(v_h=v_h)
        v = -state * junction.v_c0(state) * factor
        run = mtj.simulate_llgs(junction, v, width, samples, rng, state=state, progress=False)
        error, seen = float(mtj.write_error_rate(v, width, junction, state)), float(np.mean(run.m_z[-1] * state > 0))
        every &= bool(v_h < np.inf or abs(seen - error) < 4 * np.sqrt(error * (1 - error) / samples))
        print(f"| {v_h:g} | {'P -> AP' if state > 0 else 'AP -> P'} | {factor:g} | {width * 1e9:g} | {error:.4g} | {seen:.4g} +- "
              f"{np.sqrt(seen * (1 - seen) / samples):.1g} | {error / seen:.3g} |")
    return every


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=100_000, help="trajectories per row")
    parser.add_argument("--seed", type=int, default=271_828)
    arguments = parser.parse_args()
    inside = sampled(arguments.samples, arguments.seed)
    converged = deep()
    half_select()
    driven = voltage_driven(arguments.samples, arguments.seed + 1)
    if not (inside and converged and driven):
        print("a value is outside its interval, or moved with the grid", file=sys.stderr)
    return 0 if inside and converged and driven else 1


if __name__ == "__main__":
    sys.exit(main())
