"""What do a thousand inputs of one array cost, and what does one more?

    python benchmarks/many_inputs.py --python peers/bin/python   # some minutes; peers: see harness.py
    python benchmarks/many_inputs.py --terminals 1024            # memory of 1000 solves with keep="terminals"; minutes
    python benchmarks/many_inputs.py --quick

The array is that of solve_scaling.py, 256 x 256; so are the rules of time (cold, medians, solvers in turn) and memory. Every
solver is given one input and then, in a new process, all of them at once:

    crossbar      transfer("word_left", "bit_bottom"), then one matrix product
    badcrossbar   compute with all inputs, node voltages and currents of cells and wires not asked for
    CHOLMOD, Pardiso, splu, KLU    one factorisation, right-hand sides in blocks of 64

A further input costs what the last stage costs, divided by the inputs; badcrossbar does not split its time, so that it is the
difference to one input. Deviation is the largest relative difference of any bit line's current for any input.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from harness import AGREE, Row, Target, add_options, chosen, interleaved, machine, number, seconds, table, targets
from read_worker import random_case

_PEERS = ("badcrossbar", "CHOLMOD", "Pardiso", "splu", "KLU")
_FASTER, _FURTHER = 20, 1000  # times faster than badcrossbar in total, and for a further input, at least
_MEMORY = 2e9                 # of 1000 inputs at 1024 x 1024, only terminal currents kept [byte]


def measure(names: list[str], n: int, inputs: int, args: argparse.Namespace, folder: Path) -> list[Row]:
    """Some solvers, `inputs` inputs."""
    from tqdm import tqdm
    rows = [Row(n, name) for name in names]
    cases = (random_case(n, inputs, [args.seed, n, repeat]) for repeat in range(args.repeats))
    for _ in tqdm(interleaved(rows, cases, args, folder), total=args.repeats, desc=f"{inputs} inputs", disable=None):
        pass
    return rows


def further(one: Row, many: Row, inputs: int) -> float:
    """Time of one more input [s]."""
    split = many.part("solve") / inputs
    return (many.median - one.median) / (inputs - 1) if np.isnan(split) else split


def shown(ones: list[Row], manys: list[Row], inputs: int) -> Iterator[str]:
    """The table; crossbar stands first in both lists."""
    ours, our_next = manys[0].median, further(ones[0], manys[0], inputs)

    def cells(one: Row, many: Row) -> Iterator[str]:
        yield many.solver
        if not (one.seconds and many.seconds):
            yield from (many.problem, *[""] * 6)
            return
        yield number(1e3 * one.median)
        yield seconds(many.seconds)
        yield number(1e6 * further(one, many, inputs))
        yield number(many.memory / 1e6) if many.memory >= 1e6 else "< 1"
        yield "" if many is manys[0] else number(many.median / ours)
        yield "" if many is manys[0] else number(further(one, many, inputs) / our_next)
        yield "" if np.isnan(many.deviation) else f"{many.deviation:.0e}"
    return table(f":solver | one input [ms] | {inputs} inputs [ms], median (min to max of k) | a further one [us] | "
                 "memory [MB] | total / crossbar's | further / crossbar's | deviation",
                 (list(cells(*pair)) for pair in zip(ones, manys, strict=True)))


def wanted(ones: list[Row], manys: list[Row], args: argparse.Namespace) -> Iterator[Target]:
    """The targets, where badcrossbar was measured at full size."""
    found = {many.solver: (one, many) for one, many in zip(ones, manys, strict=True) if one.seconds and many.seconds}
    if "badcrossbar" in found and args.lines >= 256 and args.inputs >= 1000:
        ours, peer = found["crossbar"], found["badcrossbar"]
        yield Target(f"{args.inputs} inputs: time of badcrossbar / crossbar's", peer[1].median / ours[1].median, _FASTER)
        yield Target("a further input: time of badcrossbar / crossbar's",
                     further(*peer, args.inputs) / further(*ours, args.inputs), _FURTHER)
    deviations = [many.deviation for many in manys if many.deviation >= 0]
    if deviations:
        yield Target("largest deviation of a bit line's current", max(deviations), AGREE, True)


def compare(args: argparse.Namespace, folder: Path) -> Iterator[str]:
    """The table against the peers."""
    names = chosen(args, _PEERS)
    ones, manys = (measure(names, args.lines, inputs, args, folder) for inputs in (1, args.inputs))
    yield f"{args.inputs} inputs, {args.lines} x {args.lines} cells"
    yield ""
    yield from shown(ones, manys, args.inputs)
    yield from targets(wanted(ones, manys, args))
    yield from machine(args, manys)


def terminals(args: argparse.Namespace, folder: Path) -> Iterator[str]:
    """Memory of solving input by input and keeping terminal currents only."""
    args.repeats, n = 1, args.terminals
    row, = measure(["crossbar, input by input"], n, args.inputs, args, folder)
    yield f'{args.inputs} inputs, {n} x {n} cells, PassiveArray.solve with keep="terminals"'
    yield ""
    yield from table("time [s] | an input [ms] | memory [MB] | KCL, worst input", [
        (number(row.median), number(1e3 * row.median / args.inputs), number(row.memory / 1e6), f"{row.kcl:.0e}")
        if row.seconds else (row.problem, "", "", "")])
    if row.seconds and n >= 1024:
        yield from targets([Target("memory", row.memory / 1e9, _MEMORY / 1e9, True, "GB")])
    yield from machine(args, [row])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, repeats=5)
    parser.add_argument("--lines", type=int, help="N of an N x N array; 256 if not given")
    parser.add_argument("--inputs", type=int, help="1000 if not given")
    parser.add_argument("--terminals", type=int, metavar="N", help="instead: memory of solves of an N x N array, input by input")
    args = parser.parse_args()
    args.lines, args.inputs = (args.lines or (32 if args.quick else 256)), (args.inputs or (20 if args.quick else 1000))
    args.repeats = min(args.repeats, 2) if args.quick else args.repeats
    args.limit = max(args.limit, 3600.0) if args.terminals else args.limit
    with tempfile.TemporaryDirectory() as name:
        print(*(terminals if args.terminals else compare)(args, Path(name)), sep="\n")


if __name__ == "__main__":
    main()
