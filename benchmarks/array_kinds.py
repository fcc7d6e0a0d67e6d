"""What do nonlinear cells and access transistors cost, against linear cells of the same number?

    python benchmarks/array_kinds.py               # 1024 x 1024 cells
    python benchmarks/array_kinds.py --lines 256 --repeats 3
    python benchmarks/array_kinds.py --quick

All arrays have N x N cells of 10-20 kohm at zero bias and wire segments of 2 ohm, and carry one input:

    linear           PassiveArray, ohmic cells (log-uniform); word lines at 0.3-0.5 V at the left, bit lines at 0 V at the bottom
    MTJ              the same drive on junctions of random states whose TMR of 100 % halves at 0.5 V
    1T1R parallel    OneTransistorArray, such junctions in series with transistors; bit lines at 0.3 V at the top, source lines at
                     0 V at the bottom, gates of a random half of the rows at 1 V, the others at 0 V
    1T1R orthogonal  the same, source lines along the rows, at 0 V at the left; both with the level 1 and the EKV transistor

Time is cold, from given cells to currents and node voltages, in a warmed process (an 8 x 8 array of the same kind was solved
before); medians over repeats with new random cells and inputs, the kinds in turn. KCL is the result's certificate, the worst of
all repeats. An array kind that this version of crossbar does not have is named and left out.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from harness import Row, Target, add_options, machine, number, seconds, table, targets

import crossbar as xb

_WIRE = 2.0     # segment resistance [ohm]
_BIT = 0.3      # of the bit lines of 1T1R arrays [V]
_GATE = 1.0     # of selected rows [V]
_AT_MOST = {"MTJ": 5, "1T1R parallel": 4, "1T1R orthogonal": 10}  # times the linear array's time, whatever the transistor
_JUNCTION = xb.MTJParams(r_p=10e3, tmr=1.0, v_h=0.5)

Case = Callable[[], xb.ArraySolution]  # from given cells to the solution


def _volts(n: int, rng: np.random.Generator) -> np.ndarray:
    return 0.3 + 0.2 * rng.random(n)


def linear(n: int, rng: np.random.Generator) -> Case:
    """Ohmic cells."""
    g, volts = 1 / (10e3 * 2 ** rng.random((n, n))), _volts(n, rng)
    return lambda: xb.PassiveArray(g, r_word=_WIRE, r_bit=_WIRE).solve(word_left=volts)


def mtj(n: int, rng: np.random.Generator) -> Case:
    """Junctions."""
    state, volts = rng.integers(0, 2, (n, n)), _volts(n, rng)
    return lambda: xb.PassiveArray(xb.MTJCells(_JUNCTION, state), r_word=_WIRE, r_bit=_WIRE).solve(word_left=volts)


def transistors(n: int, rng: np.random.Generator, source_lines: str, model: str) -> Case:
    """Junctions with access transistors; AttributeError where crossbar has no such array."""
    array, nmos = xb.OneTransistorArray, xb.NMOS  # type: ignore[attr-defined]
    state, gate = rng.integers(0, 2, (n, n)), np.where(rng.random(n) < 0.5, _GATE, 0.0)
    transistor = nmos(model=model, kp=2e-4, w=1e-6, l=1e-7, vto=0.4, gamma=0.4, phi=0.8, lambda_=0.05)
    grounded = "source_bottom" if source_lines == "parallel" else "source_left"
    return lambda: array(xb.MTJCells(_JUNCTION, state), transistor=transistor, r_bit=_WIRE, r_source=_WIRE,
                         source_lines=source_lines).solve(gate=gate, bit_top=_BIT, **{grounded: 0.0})


KINDS: dict[str, Callable[[int, np.random.Generator], Case]] = {
    "linear": linear,
    "MTJ": mtj,
    **{f"1T1R {lines}, {model}": partial(transistors, source_lines=lines, model=model)
       for lines in ("parallel", "orthogonal") for model in ("level1", "ekv")},
}


def measure(args: argparse.Namespace) -> list[Row]:
    """All kinds, in turn."""
    from tqdm import tqdm
    rows = [Row(args.lines, name) for name in KINDS]
    for row in rows:
        try:
            KINDS[row.solver](8, np.random.default_rng(args.seed))()
        except AttributeError as error:
            row.problem = f"not available ({error})"
    for repeat in tqdm(range(args.repeats), disable=None):
        for row in rows:
            if not row.problem and sum(row.seconds) < args.budget:
                one_repeat(row, KINDS[row.solver](row.n, np.random.default_rng([args.seed, row.n, repeat])))
    return rows


def one_repeat(row: Row, case: Case) -> None:
    """Solve one array and note how it went."""
    start = time.perf_counter()
    s = case()
    row.seconds.append(time.perf_counter() - start)
    row.iterations = max(row.iterations, s.iterations)
    row.kcl = float(np.fmax(row.kcl, np.max(s.relative_residual)))


def shown(rows: list[Row]) -> Iterator[str]:
    """The table; the linear array is the first."""
    return table(":cells | time [ms], median (min to max of k) | time / linear | iterations | KCL", [
        (row.solver, seconds(row.seconds), number(row.median / rows[0].median), str(row.iterations), f"{row.kcl:.0e}")
        if row.seconds else (row.solver, row.problem, "", "", "") for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, repeats=7, peers=False)
    parser.add_argument("--lines", type=int, help="N of an N x N array; 1024 if not given")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds after which a kind is not repeated")
    args = parser.parse_args()
    args.lines = args.lines or (32 if args.quick else 1024)
    args.repeats = min(args.repeats, 2) if args.quick else args.repeats
    rows = measure(args)
    full = args.lines >= 1024
    print(f"{args.lines} x {args.lines} cells\n", *shown(rows), *targets(
        Target(f"{row.solver}: time / linear", row.median / rows[0].median, _AT_MOST[row.solver.split(",")[0]], True)
        for row in rows[1:] if row.seconds and full), *machine(args), sep="\n")


if __name__ == "__main__":
    main()
