"""How fast are switching probabilities of a million different junctions, and how exact?

    python benchmarks/switching_throughput.py

Each junction has its own voltage, diameter, anisotropy and TMR. The table's answer is compared in time with the closed formula
(vectorised NumPy) on the same junctions, and in value with the Fokker-Planck equation itself, solved for some of them on three
grids and carried to the limit. Fails if the table takes more than 5 times the formula's time, or is off by 0.02 in log10.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

import crossbar.mtj as mtj

WIDTH = 10e-9  # [s]


def median_time(function: Callable[[], object], repeats: int) -> float:
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def direct(i: np.ndarray, s: np.ndarray, delta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log10 of P and of 1 - P by the equation itself, one junction after the other."""
    logs = []
    for one in zip(i, delta, s, strict=True):
        levels = [mtj.evolve(one[0], one[1], [one[2]], cells=cells) for cells in (900, 1800, 3600)]
        with np.errstate(divide="ignore", invalid="ignore"):  # nothing left: not compared
            coarse, middle, fine = (np.log10([e.switched[0, 0], e.error[0, 0]]) for e in levels)
            logs.append((64 * fine - 20 * middle + coarse) / 45)
    switched, error = np.array(logs).T
    return switched, error


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--junctions", type=int, default=1_000_000)
    parser.add_argument("--checked", type=int, default=200, help="junctions for which the equation is solved")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seed", type=int, default=161_803)
    arguments = parser.parse_args()
    rng, n = np.random.default_rng(arguments.seed), arguments.junctions
    p = mtj.MTJParams(diameter=rng.normal(50e-9, 1e-9, n), k_i=rng.normal(1.09e-3, 4e-6, n), tmr=rng.normal(1.2, 0.05, n))
    state = rng.choice(np.array([-1, 1], dtype=np.int8), n)
    v = -state * p.v_c0(state) * rng.uniform(0.2, 2.5, n)

    seconds = {method: median_time(lambda m=method: mtj.switching_probability(v, WIDTH, p, state, m), arguments.repeats)
               for method in ("formula", "fokker-planck")}
    some = rng.choice(n, min(arguments.checked, n), replace=False)
    delta, tau_d = np.asarray(p.delta)[some], np.asarray(p.tau_d)[some]
    exact = direct(mtj.overdrive(v, p, state)[some], WIDTH / tau_d, delta)
    got = (mtj.switching_probability(v, WIDTH, p, state), mtj.write_error_rate(v, WIDTH, p, state))
    worst = max(np.abs(np.log10(x[some]) - log)[log > -12].max() for x, log in zip(got, exact, strict=True))
    ratio = seconds["fokker-planck"] / seconds["formula"]
    print("| junctions | closed formula [s] | Fokker-Planck table [s] | ratio | worst log10 error of P or 1 - P above 1e-12 |\n"
          f"|--:|--:|--:|--:|--:|\n| {n} | {seconds['formula']:.3f} | {seconds['fokker-planck']:.3f} | {ratio:.2f} | {worst:.4f} "
          f"({some.size} checked) |")
    return 0 if ratio <= 5 and worst < 0.02 else 1


if __name__ == "__main__":
    sys.exit(main())
