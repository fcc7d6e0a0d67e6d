"""How long does a crossbar written as a flat netlist take, from the shell, and where does the time go?

    python benchmarks/flat_netlist.py            # needs ngspice for the comparison
    python benchmarks/flat_netlist.py --lines 32,64,96 --phases 256
    python benchmarks/flat_netlist.py --quick

The deck is one that any tool could write (read_worker.deck_lines): N x N cells and their wires as resistors between plain
nodes, a voltage source at every word line, a 0 V source under every bit line, whose currents are saved, and .op; nothing in it
says that it is a crossbar. Compared are whole runs, `crossbar run FILE -r RAW -o LOG` and `ngspice -b -r RAW FILE`: start of
the program, reading, solving and writing; medians, the two in turn. Deviation is the largest relative difference of a saved
current.

The phases are those of one `crossbar run` in a warmed process, on the larger deck: `reading` parses and elaborates, `solvers` is
all time inside crossbar.solvers, `operating point` what that analysis needs beside it (topology, equations, certificate). Start
and import are those of `crossbar --version`.
"""

import argparse
import functools
import inspect
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from harness import AGREE, Row, Target, add_options, machine, number, seconds, table, targets
from read_worker import Array, deck_lines, difference, random_case, versions

import crossbar as xb

_FASTER = {64: 8}   # lines: times faster than ngspice, at least
_SHARE = 10.0       # of the solvers in a whole run [%], at most
_WARM_UP = 128      # lines: enough for the structured path
_COMMAND = [sys.executable, "-m", "crossbar"]


def write_deck(path: Path, n: int, seed: list[int]) -> None:
    """A random flat N x N array."""
    r, volts = random_case(n, 1, seed)
    path.write_text("\n".join(deck_lines(r, volts[0])) + "\n")


def timed(command: list[str]) -> float:
    """Seconds that a program takes; what it prints is shown only if it fails."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return taken


def saved(raw: Path, n: int) -> Array:
    """The currents [A] of n bit lines from a raw file."""
    plot, = xb.read_raw(raw)
    return np.array([plot[f"i(vb{k})"][0] for k in range(n)])


def compare(n: int, args: argparse.Namespace, folder: Path) -> list[Row]:
    """Whole runs of both programs on decks of one size."""
    deck, raw, log = folder / "flat.cir", folder / "flat.raw", folder / "flat.log"
    runs = {"crossbar": [*_COMMAND, "run", str(deck), "-r", str(raw), "-o", str(log)]}
    if program := shutil.which("ngspice"):
        runs["ngspice"] = [program, "-b", "-r", str(raw), str(deck)]
    rows = [Row(n, name, versions=_version(name)) for name in runs]
    for repeat in range(args.repeats):
        write_deck(deck, n, [args.seed, n, repeat])
        currents = []
        for row in rows:
            row.seconds.append(timed(runs[row.solver]))
            currents.append(saved(raw, n))
            row.deviation = float(np.fmax(row.deviation, difference(currents[-1], currents[0])))
    return rows


def _version(name: str) -> str:
    return ", ".join(map(" ".join, versions(name).items()))


class Stopwatch:
    """Seconds spent in functions, by label; of nested ones the innermost counts."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._last = 0.0

    def switch(self, label: str | None) -> None:
        """From now on time goes to `label`; None: to what was watched before."""
        now = time.perf_counter()
        if self._open:
            self.spent[self._open[-1]] += now - self._last
        if label is None:
            self._open.pop()
        else:
            self._open.append(label)
        self._last = now

    def timing(self, label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""
        @functools.wraps(function)
        def wrapped(*args: Any, **options: Any) -> Any:
            self.switch(label)
            try:
                return function(*args, **options)
            finally:
                self.switch(None)
        return wrapped

    def watch_solvers(self, label: str) -> None:
        """Time every function of crossbar.solvers, under whatever name it was imported, and every method."""
        loaded = [module for name, module in sys.modules.items() if name.startswith("crossbar.")]
        for module in loaded:
            for name, value in list(vars(module).items()):
                if not getattr(value, "__module__", "").startswith("crossbar.solvers."):
                    continue
                if inspect.isfunction(value):
                    setattr(module, name, self.timing(label, value))
                elif inspect.isclass(value) and value.__module__ == module.__name__:
                    for method, body in list(vars(value).items()):
                        if inspect.isfunction(body) and (method == "__call__" or not method.startswith("__")):
                            setattr(value, method, self.timing(label, body))


def phases(n: int, args: argparse.Namespace, folder: Path) -> tuple[dict[str, float], float]:
    """Seconds of every phase of one run on N x N cells, and of a whole run from the shell."""
    from crossbar import cli, session
    deck, raw, log = folder / "phases.cir", folder / "phases.raw", folder / "phases.log"

    def run() -> int:
        return cli.main(["run", str(deck), "-r", str(raw), "-o", str(log)])
    write_deck(deck, _WARM_UP, [args.seed])
    run()
    write_deck(deck, n, [args.seed, n])
    whole = [timed([*_COMMAND, "run", str(deck), "-r", str(raw), "-o", str(log)]) for _ in range(args.repeats)]
    start = [timed([*_COMMAND, "--version"]) for _ in range(args.repeats)]
    watch = Stopwatch()
    watch.watch_solvers("solvers")
    xb.read_netlist = watch.timing("reading", xb.read_netlist)
    xb.write_raw = watch.timing("raw file", xb.write_raw)
    session.operating_point = watch.timing("operating point", session.operating_point)
    if watch.timing("listing and the rest", run)():
        sys.exit("crossbar run failed")
    return {"start and import": float(np.median(start)), **watch.spent}, float(np.median(whole))


def report(args: argparse.Namespace, folder: Path) -> Iterator[str]:
    """Both tables, and the targets."""
    from tqdm import tqdm
    rows = [row for n in tqdm(args.lines, disable=None) for row in compare(n, args, folder)]
    ours = {row.n: row.median for row in rows if row.solver == "crossbar"}
    yield from table("N | :program | time [ms], median (min to max of k) | time / crossbar's | deviation", [
        (str(row.n), row.solver, seconds(row.seconds), "" if row.solver == "crossbar" else number(row.median / ours[row.n]),
         "" if row.solver == "crossbar" else f"{row.deviation:.0e}") for row in rows])
    if not shutil.which("ngspice"):
        yield "\nngspice: not installed."
    found, whole = phases(args.phases, args, folder)
    total = sum(found.values())
    yield f"\nPhases of {args.phases} x {args.phases} cells; a whole run from the shell takes {number(1e3 * whole)} ms.\n"
    yield from table(":phase | time [ms] | share [%]",
                     [(name, number(1e3 * t), number(100 * t / total)) for name, t in found.items()])
    peers = [row for row in rows if row.solver == "ngspice"]
    aims = [Target(f"{row.n}: time of ngspice / crossbar's", row.median / ours[row.n], _FASTER[row.n])
            for row in peers if row.n in _FASTER]
    if args.phases >= 256:
        aims.append(Target(f"{args.phases}: share of the solvers", 100 * found["solvers"] / total, _SHARE, True, "%"))
    if peers:
        aims.append(Target("largest deviation of a saved current", max(row.deviation for row in peers), AGREE, True))
    yield from targets(aims)
    yield from machine(args, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, repeats=5, peers=False)
    parser.add_argument("--lines", type=lambda text: [int(n) for n in text.split(",")],
                        help="values of N to compare, separated by commas; 64 if not given")
    parser.add_argument("--phases", type=int, metavar="N", help="size of the deck whose phases are told; 256 if not given")
    args = parser.parse_args()
    args.lines, args.phases = args.lines or ([12] if args.quick else [64]), args.phases or (16 if args.quick else 256)
    args.repeats = 1 if args.quick else args.repeats
    with tempfile.TemporaryDirectory() as name:
        print(*report(args, Path(name)), sep="\n")


if __name__ == "__main__":
    main()
