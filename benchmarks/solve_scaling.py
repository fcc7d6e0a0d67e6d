"""How do time and memory of one array read grow with its size, against other solvers on the same cells?

    python benchmarks/solve_scaling.py --python peers/bin/python      # some ten minutes; peers: see harness.py
    python benchmarks/solve_scaling.py --sizes 64,128,256 --csv scaling.csv --plot scaling.png
    python benchmarks/solve_scaling.py --quick

The arrays: N x N ohmic cells of 10-20 kohm (log-uniform), wire segments of 2 ohm, left ends of the word lines
at 0-1 V (uniform), bottom ends of the bit lines at 0 V, the other ends open. The solvers:

    crossbar      PassiveArray.solve with its defaults, all node voltages kept
    badcrossbar   badcrossbar.compute, node voltages kept, currents of cells and wires not asked for
    CHOLMOD, Pardiso, splu, KLU    the nodal matrix (2 N^2 nodes) factorised: see read_worker.py for their options
    ngspice       `ngspice -b` on a flat deck of R and V, the currents of the bottom sources saved

Every solver runs in a fresh process for every size (read_worker.py), all with the same number of threads, up to the size at
which it would take minutes or memory that a laptop has not (_LARGEST; --limit and --budget bound the rest).

Time is cold: from a new array of resistances to node voltages and bit currents, nothing kept from the array before; the
direct solvers' includes the assembly of their matrix, and is split. Import, and compilation or loading of compiled code,
happen before, in a warm-up on an 8 x 8 array, and are printed apart (crossbar's with an empty and with a full cache of
compiled code). For ngspice it is the run of the program on a deck already written, parsing included. Medians over repeats
with new random cells and inputs, the repeats of all solvers interleaved, so that drift of the machine hits all.

Memory is the peak resident set of the process (VmHWM, reset after the warm-up; getrusage where that cannot be) during its first
array, less the resident set after the warm-up; the cells themselves, 4 bytes a node, are in it. For ngspice it is the peak of the
program less that of the same program on an 8 x 8 deck.

Deviation is the largest relative difference of a bit line's current from crossbar's, line by line. KCL is sum |KCL misfit| /
sum |cell current|: crossbar's own certificate, and for the others from their node voltages, whose rounding is seen first. Both
are the worst of all repeats.
"""

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import iterations
import numpy as np
from harness import AGREE, Row, Target, Worker, add_options, chosen, interleaved, machine, number, seconds, table, targets
from read_worker import random_case

_LARGEST = {"badcrossbar": 1024, "CHOLMOD": 1024, "Pardiso": 1024, "splu": 512, "KLU": 512, "ngspice": 64}  # lines
_STAGES = ("assembly", "factor", "solve")
_FASTER = {256: {"badcrossbar": 100, "CHOLMOD": 30}, 512: {"badcrossbar": 120, "CHOLMOD": 25},
           1024: {"badcrossbar": 200, "CHOLMOD": 50, "Pardiso": 30}}  # times that crossbar should be faster, at least
_LARGE = (2048, 4096)
_BYTES_A_NODE = 120.0  # that crossbar may take at these sizes,
_SLOWDOWN = 2.0        # and its time a node, relative to that at 1024


def first_solves(args: argparse.Namespace, cache: Path | None) -> tuple[list[str], list[str]]:
    """Names of the solvers that work, and lines about import and first solve; fills the cache of compiled code."""
    working, lines = [], [""]
    starts = [(name, "") for name in chosen(args, _LARGEST)]
    if cache is not None:  # it is empty
        starts[:1] = [("crossbar", ", compilation included"), ("crossbar", ", compiled code cached")]
    for name, how in starts:
        worker = Worker(name, args, cache)
        worker.close()
        if worker.problem:
            lines.append(f"{name}: {worker.problem}.")
            continue
        working.append(name)
        lines.append(f"{name}: start and import {worker.startup:.2f} s, first solve (8 x 8) {worker.hello['first']:.2g} s{how}.")
    if "crossbar" not in working:
        sys.exit(lines[1])
    return list(dict.fromkeys(working)), lines


def measure(names: list[str], args: argparse.Namespace, folder: Path, cache: Path | None) -> list[Row]:
    """Some solvers at all sizes; one that takes too long, or fails, is not tried at the next size."""
    from tqdm import tqdm
    rows: list[Row] = []
    hopeless: set[str] = set()
    with tqdm(total=len(args.sizes) * args.repeats, disable=None) as bar:  # None: only on a terminal
        for n in args.sizes:
            here = [Row(n, name) for name in names if n <= _LARGEST.get(name, n) and name not in hopeless]
            cases = (random_case(n, 1, [args.seed, n, repeat]) for repeat in range(args.repeats))
            for _ in interleaved(here, cases, args, folder, cache):
                bar.update()
            hopeless |= {row.solver for row in here if row.problem}
            rows += here
    return rows


def shown(rows: list[Row]) -> Iterator[str]:
    """The table of all rows that were measured, or given up."""
    ours = {row.n: row.median for row in rows if row.solver == "crossbar"}

    def cells(row: Row) -> Iterator[str]:
        yield str(row.n)
        yield row.solver
        if not row.seconds:
            yield from (row.problem, *[""] * 6)
            return
        yield seconds(row.seconds)
        yield " / ".join(number(1e3 * row.part(stage)) for stage in _STAGES) if row.parts[0] else ""
        yield number(row.memory / 1e6) if row.memory >= 1e6 else "< 1"
        yield number(row.memory / (2 * row.n ** 2)) if row.memory >= 1e6 else ""
        yield "" if row.solver == "crossbar" or row.n not in ours else number(row.median / ours[row.n])
        yield "" if np.isnan(row.kcl) else f"{row.kcl:.0e}"
        yield "" if np.isnan(row.deviation) else f"{row.deviation:.0e}"
    return table("N | :solver | time [ms], median (min to max of k) | assembly / factor / solve | memory [MB] | bytes a node | "
                 "time / crossbar's | KCL | deviation", (list(cells(row)) for row in rows))


def wanted(rows: list[Row]) -> Iterator[Target]:
    """The targets, for those sizes that were measured."""
    measured = {(row.n, row.solver): row for row in rows if row.seconds}
    for n, factors in _FASTER.items():
        for name, factor in factors.items():
            ours, peer = measured.get((n, "crossbar")), measured.get((n, name))
            if ours and peer:
                yield Target(f"{n}: time of {name} / crossbar's", peer.median / ours.median, factor)
    base = measured.get((1024, "crossbar"))
    for n in _LARGE:
        ours = measured.get((n, "crossbar"))
        if ours:
            yield Target(f"{n}: memory of crossbar", ours.memory / (2 * n ** 2), _BYTES_A_NODE, True, "bytes a node")
        if ours and base:
            yield Target(f"{n}: time a node, relative to 1024", ours.median / n ** 2 / (base.median / 1024 ** 2), _SLOWDOWN, True)
    deviations = [row.deviation for row in rows if row.deviation >= 0]
    if deviations:
        yield Target("largest deviation of a bit line's current", max(deviations), AGREE, True)


def write_csv(path: Path, rows: list[Row]) -> None:
    """One line a solver and size."""
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(("n", "solver", "problem", "median_s", *(f"{stage}_s" for stage in _STAGES), "memory_byte", "deviation",
                      "kcl", "iterations", "seconds"))
        for row in rows:
            out.writerow((row.n, row.solver, row.problem, row.median, *map(row.part, _STAGES), row.memory, row.deviation,
                          row.kcl, row.iterations, " ".join(f"{s:.6g}" for s in row.seconds)))


def plot(path: Path, rows: list[Row]) -> None:
    """Time and memory against N, both logarithmic."""
    import matplotlib
    matplotlib.use("agg")
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(1, 2, figsize=(9.5, 4), layout="constrained")
    for name, marker in zip(("crossbar", *_LARGEST), "osD^v<>", strict=True):
        timed = [row for row in rows if row.solver == name and row.seconds]
        large = [row for row in timed if row.memory >= 1e6]
        style = f"{marker}-"
        if timed:
            axes[0].loglog([row.n for row in timed], [row.median for row in timed], style, label=name)
            axes[1].loglog([row.n for row in large], [row.memory / 1e6 for row in large], style)
    for ax, label in zip(axes, ("time of a cold read [s]", "memory [MB]"), strict=True):
        ax.set(xlabel="lines N of an N x N array", ylabel=label)
        ax.set_xscale("log", base=2)
        ax.set_xticks(sizes := sorted({row.n for row in rows}), [str(n) for n in sizes])
        ax.minorticks_off()
        ax.grid(alpha=0.3)
    figure.legend(loc="outside right center")
    figure.savefig(path, dpi=150)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, repeats=15)
    parser.add_argument("--sizes", help="values of N, separated by commas; 64 to 4096 if not given",
                        type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--no-iterations", action="store_true", help="leave out the table of iterations (iterations.py)")
    parser.add_argument("--csv", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE")
    args = parser.parse_args()
    args.sizes = args.sizes or ([16, 32] if args.quick else [64, 128, 256, 512, 1024, 2048, 4096])
    args.repeats = min(args.repeats, 2) if args.quick else args.repeats
    return args


def main(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cache = None if args.quick else folder / "compiled"
        names, starts = first_solves(args, cache)
        rows = measure(names, args, folder, cache)
    print(*shown(rows), *targets(wanted(rows)), *starts, *machine(args, rows), sep="\n", flush=True)
    if args.csv:
        write_csv(args.csv, rows)
    if args.plot:
        plot(args.plot, rows)
    if not args.no_iterations:  # last: in this process, which has to stay small for the others
        print("", *iterations.report(args.seed, 16 if args.quick else 1), sep="\n")


if __name__ == "__main__":
    main(arguments())
