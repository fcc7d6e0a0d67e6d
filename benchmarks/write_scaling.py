"""What does it cost to write an array with the voltages that it really has?

    python benchmarks/write_scaling.py            # some six minutes, most of it the million cells
    python benchmarks/write_scaling.py --rows 64  # only so many rows of each array

Every cell gets its target state, row by row, one phase for each state in a row: the array is solved anew in every phase, with the
states as they are, and every cell, selected or not, is drawn and accounted for. (Of the array with EKV transistors, whose rows
that are off leak and have to be solved, an eighth of the rows.) The yardstick is one linear solve of a passive
array of that size, measured in turns with the writes. Then: a thousand writes of one array, side by side and one after the other.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np
from harness import Target, add_options, machine, number, table, targets

import crossbar as xb

P = xb.mtj.presets["mtj-60kT"]
NMOS = {"kp": 3e-4, "w": 2e-6, "l": 1e-7, "vto": 0.4, "gamma": 0.4, "lambda_": 0.05}
WIRE = 0.1        # [ohm] a segment
PIECES = 16       # between which the yardstick is measured
SOLVES = 3        # at a time
WORST = 3.0       # linear solves that a phase may take
BATCH = 20.0      # times that a batch must be faster


@dataclass
class Written:
    """One array, written whole or in part."""

    name: str
    n: int
    phases: int
    solves: int
    phase: list[float]   # seconds a phase, of every piece
    linear: list[float]  # seconds a linear solve
    errors: int
    disturbed: float     # expected

    @property
    def ratio(self) -> float:
        return float(np.median(self.phase) / np.median(self.linear))


def write(name: str, n: int, rows: int, rng: np.random.Generator) -> Written:
    """The first rows of an n x n array, in pieces, each into the array that the last one left."""
    states, target = rng.choice([-1, 1], (2, n, n))
    linear = xb.PassiveArray(xb.mtj.conductance(P, states), r_word=WIRE, r_bit=WIRE)
    cells = xb.MTJCells(P, states)
    if name == "passive, V/2":
        array = xb.PassiveArray(cells, r_word=WIRE, r_bit=WIRE)
        options = {"scheme": "v/2", "pulse": xb.Pulse((0.52, 0.64), 10e-9)}
    else:
        nmos = xb.NMOS(model=name.split()[-1], **NMOS)
        array = xb.OneTransistorArray(cells, transistor=nmos, r_bit=WIRE, r_source=WIRE)
        options = {"scheme": xb.writing.GatedScheme(gate=1.8), "pulse": xb.Pulse((0.6, 1.2), 10e-9)}
    drive = 0.1 * rng.random(n)
    linear.solve(word_left=drive)
    warm = np.zeros((n, n), bool)
    warm[0] = True
    xb.program(array, target, only=warm, rng=rng, **options)  # compiles
    out = Written(name, n, 0, 0, [], [], 0, 0.0)
    for piece in np.array_split(np.arange(rows), min(PIECES, rows)):
        only = np.zeros((n, n), bool)
        only[piece] = True
        start = time.perf_counter()
        report = xb.program(array, target, only=only, rng=rng, **options)
        out.phase.append((time.perf_counter() - start) / report.phases)
        array = report.array
        out.phases, out.solves = out.phases + report.phases, out.solves + report.solves
        out.errors, out.disturbed = out.errors + int(report.errors.sum()), out.disturbed + float(report.expected_disturb.sum())
        for _ in range(SOLVES):
            start = time.perf_counter()
            linear.solve(word_left=drive)
            out.linear.append(time.perf_counter() - start)
    return out


def repeated(n: int, repeats: int, calls: int, rng: np.random.Generator) -> tuple[float, float]:
    """Seconds of `repeats` writes of an n x n array in one call, and of as many calls (`calls` of them measured)."""
    states, target = rng.choice([-1, 1], (2, n, n))
    array, pulse = xb.PassiveArray(xb.MTJCells(P, states), r_word=2.0, r_bit=2.0), xb.Pulse((0.6, 0.75), 10e-9)
    for many in (None, 2):
        xb.program(array, target, pulse=pulse, repeats=many, rng=rng)
    start = time.perf_counter()
    xb.program(array, target, pulse=pulse, repeats=repeats, rng=rng)
    middle = time.perf_counter()
    for _ in range(calls):
        xb.program(array, target, pulse=pulse, rng=rng)
    return middle - start, (time.perf_counter() - middle) * repeats / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, repeats=1, peers=False)
    parser.add_argument("--rows", type=int, help="written of each array; all of them if not given")
    parser.add_argument("--calls", type=int, help="of the repeated write that are measured; all 1000 if not given")
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    cases = [("passive, V/2", 64 if args.quick else 256), ("1T1R, level1", 64 if args.quick else 1024),
             ("1T1R, ekv", 64 if args.quick else 1024)]
    found = [write(name, n, min(args.rows or n, 4 if args.quick else n // 8 if "ekv" in name else n), rng) for name, n in cases]
    print("\n".join(table(":array | n | phases | solves | a phase [ms] | a linear solve [ms] | linear solves a phase "
                          "| write errors | disturbed, expected",
                          [(w.name, str(w.n), str(w.phases), str(w.solves), number(1e3 * float(np.median(w.phase))),
                            number(1e3 * float(np.median(w.linear))), number(w.ratio), str(w.errors), f"{w.disturbed:.3g}")
                           for w in found])))
    repeats = 50 if args.quick else 1000
    batch, calls = repeated(15, repeats, min(args.calls or repeats, 5 if args.quick else repeats), rng)
    print()
    print("\n".join(table(":writes of a 15 x 15 array, V/2 | in one call [s] | in as many calls [s] | times faster",
                          [(str(repeats), number(batch), number(calls), number(calls / batch))])))
    if not args.quick:
        print("\n".join(targets([Target(f"{w.name}: linear solves a phase", w.ratio, WORST, most=True) for w in found[:2]]
                                + [Target("1000 writes in one call, times faster", calls / batch, BATCH)])))
    print("\n".join(machine(args)))


if __name__ == "__main__":
    main()
