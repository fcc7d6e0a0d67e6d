"""How do time and memory of one array read grow with its size, against other solvers on the same cells?

    python benchmarks/solve_scaling.py                    # some ten minutes
    python benchmarks/solve_scaling.py --sizes 32,64 --csv scaling.csv --plot scaling.png
    python benchmarks/solve_scaling.py --badcrossbar-python peers/bin/python  # or CROSSBAR_BADCROSSBAR_PYTHON

The arrays: N x N ohmic cells of 10-20 kohm (log-uniform), wire segments of 2 ohm, left ends of the word lines
at 0-1 V (uniform), bottom ends of the bit lines at 0 V, the other ends open. The solvers:

    crossbar      PassiveArray.solve, all node voltages kept
    badcrossbar   badcrossbar.compute, node voltages kept, currents of cells and wires not asked for
    splu          scipy's sparse LU of the nodal matrix (2 N^2 nodes, assembled in numpy), the faster of two
                  orderings: MMD_AT_PLUS_A with diagonal pivots (SymmetricMode), or COLAMD
    ngspice       `ngspice -b` on a flat deck of R and V, the currents of the bottom sources saved

Every solver runs in a fresh process for every size (read_worker.py), all with the same number of threads.

Time is cold: from a new array of resistances to node voltages and bit currents, nothing kept from the array
before. Import, and compilation or loading of compiled code, happen before, in a warm-up on an 8 x 8 array,
and are printed apart (crossbar's with an empty and with a full cache of compiled code). For ngspice it is the
run of the program on a deck already written, parsing included. Medians over repeats with new random cells and
inputs, the repeats of all solvers interleaved, so that drift of the machine hits all. A solver that has used
half the time limit is not repeated.

Memory is the peak resident set of the process (getrusage) after its first array less that after the warm-up;
for ngspice the peak of the program less that of the same program on an 8 x 8 deck. A process starts with the
peak of the one that launches it, so this one imports numpy only, and ngspice is launched from an interpreter
smaller than itself.

Deviation is max |difference of bit current from crossbar's| / max |bit current|; crossbar's own error is its
relative KCL residual, sum |KCL misfit| / sum |cell current|. Both are the worst of all repeats.
"""

import argparse
import csv
import datetime
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import IO, Any

import numpy as np
from read_worker import SOLVERS, Array, random_case

_START_LIMIT = 900  # for import, compilation and warm-up [s]
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_CLAIMS = {256: (30, 0), 512: (50, 10)}  # size: times faster, times less memory than badcrossbar, at least


class Worker:
    """One solver's process; `problem` says why it is of no (further) use."""

    def __init__(self, name: str, args: argparse.Namespace, folder: Path) -> None:
        self.name, self.problem, self.startup = name, "", np.nan
        self.hello: dict[str, Any] = {}
        self.process: subprocess.Popen[str] | None = None
        environment = (os.environ | dict.fromkeys(_THREADS, str(args.threads))
                       | {"NUMBA_CACHE_DIR": str(folder / "compiled")})
        python = args.badcrossbar_python if name == "badcrossbar" else sys.executable
        start = time.perf_counter()
        try:
            self.process = subprocess.Popen(
                [python, str(Path(__file__).with_name("read_worker.py")), name], text=True, env=environment,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
                stderr=None if name == "crossbar" else subprocess.DEVNULL)
        except OSError:
            self.problem = "not installed"
            return
        self.hello = self._reply(_START_LIMIT)
        self.startup = time.perf_counter() - start - self.hello.get("first", 0.0)
        if "missing" in self.hello:
            self.problem = "not installed"

    def solve(self, case: Path, answer: Path, limit: float) -> dict[str, Any]:
        """What the worker says of the array in `case`; {} if it died or took longer than `limit` [s]."""
        stdin = self._pipes()[0]
        stdin.write(f"{case}\t{answer}\n")
        stdin.flush()
        return self._reply(limit)

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self._pipes()[0].close()
            self.process.wait()
            self.process = None

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self.process and self.process.stdin and self.process.stdout
        return self.process.stdin, self.process.stdout

    def _reply(self, limit: float) -> dict[str, Any]:
        timer = Timer(limit, self._kill, (f"> {limit:g} s",))
        timer.start()
        line = self._pipes()[1].readline()
        timer.cancel()
        if not line:
            self.problem = self.problem or "failed"
        return json.loads(line) if line else {}

    def _kill(self, why: str) -> None:
        assert self.process
        self.problem = why
        os.killpg(self.process.pid, signal.SIGKILL)  # with ngspice and its launcher


@dataclass
class Row:
    """What was measured for one solver at one size."""

    n: int
    solver: str
    problem: str = ""
    seconds: list[float] = field(default_factory=list)
    memory: float = np.nan   # [byte]
    deviation: float = 0.0   # from crossbar, relative
    kcl: float = 0.0         # crossbar's relative residual

    @property
    def median(self) -> float:
        """Median time [s]; inf if nothing was measured."""
        return float(np.median(self.seconds)) if self.seconds else np.inf

    def add(self, reply: dict[str, Any], current: Array, reference: Array | None) -> None:
        """Take in one repeat."""
        if not self.seconds:
            self.memory = reply["memory"]
        self.seconds.append(reply["seconds"])
        differs = np.nan if reference is None else np.abs(current - reference).max() / np.abs(reference).max()
        self.deviation = float(np.maximum(self.deviation, differs))
        self.kcl = max(self.kcl, reply["kcl"])


def measure(n: int, args: argparse.Namespace, hopeless: set[str], folder: Path,
            tick: Callable[[], Any]) -> list[Row]:
    """All solvers at one size; `hopeless` ones are not tried, those beyond the time limit join them."""
    rows = [Row(n, name, "-" if name in hopeless else "") for name in SOLVERS]
    pairs = [(row, Worker(row.solver, args, folder)) for row in rows if not row.problem]
    for repeat in range(args.repeats):
        case = random_case(n, [args.seed, n, repeat])
        np.savez(folder / "case.npz", r=case[0], volts=case[1])
        reference = None
        for row, worker in pairs:
            if not worker.problem and sum(row.seconds) < args.limit / 2:
                reference = one_repeat(row, worker, reference, args.limit, folder)
        tick()
    for row, worker in pairs:
        row.problem = worker.problem
        worker.close()
    hopeless.update(row.solver for row in rows if row.problem.startswith(">"))
    return rows


def one_repeat(row: Row, worker: Worker, reference: Array | None, limit: float, folder: Path) -> Array | None:
    """One array, one solver. Returns the bit currents to compare with: crossbar's, once it had its turn."""
    reply = worker.solve(folder / "case.npz", folder / "answer.npz", limit)
    if not reply:
        return reference
    with np.load(folder / "answer.npz") as answer:
        current = answer["current"]
    reference = current if row.solver == "crossbar" else reference
    row.add(reply, current, reference)
    return reference


def first_solves(args: argparse.Namespace, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Lines about import and first solve, versions by solver; fills the cache of compiled code."""
    lines, versions = [], {}
    for name, what in (("crossbar", "with compilation"), ("crossbar", "compiled code cached"),
                       ("badcrossbar", ""), ("splu COLAMD", "")):
        worker = Worker(name, args, folder)
        worker.close()
        if name == "crossbar" and worker.problem:
            sys.exit(f"crossbar: {worker.problem} {worker.hello.get('missing', '')}")
        versions[name] = ", ".join(map(" ".join, worker.hello.get("versions", {}).items()))
        if not worker.problem:
            lines.append(f"{name.split()[0]}: start and import {worker.startup:.2f} s, "
                         f"first solve (8 x 8) {worker.hello['first']:.2g} s {what}".rstrip())
    return lines, versions


def better_splu(rows: list[Row]) -> list[Row]:
    """The rows without the slower of the two orderings at each size."""
    def slower(row: Row) -> bool:
        return any(x.n == row.n and x.solver.startswith("splu") and x.median < row.median for x in rows)
    return [row for row in rows if not (row.solver.startswith("splu") and slower(row))]


def table(rows: list[Row]) -> Iterator[str]:
    """Markdown."""
    yield ("| N | solver | time [ms], median (min to max of k) | memory [MB] "
           "| badcrossbar / this: time | memory | deviation from crossbar |")
    yield "|--:|---|--:|--:|--:|--:|--:|"
    peers = {row.n: row for row in rows if row.solver == "badcrossbar"}
    for row in rows:
        cells = [row.problem, "", "", "", ""]
        if row.seconds:
            low, middle, high = (number(1e3 * s) for s in (min(row.seconds), row.median, max(row.seconds)))
            peer = peers[row.n]
            visible = bool(peer.seconds) and min(row.memory, peer.memory) >= 1e6
            cells = [f"{middle} ({low} to {high} of {len(row.seconds)})",
                     number(row.memory / 1e6) if row.memory >= 1e6 else "< 1",
                     number(peer.median / row.median) if peer.seconds else "",
                     number(peer.memory / row.memory) if visible else "",
                     f"(KCL {row.kcl:.0e})" if row.solver == "crossbar" else f"{row.deviation:.0e}"]
        yield f"| {row.n} | {row.solver} | " + " | ".join(cells) + " |"


def number(x: float) -> str:
    """Three digits, no exponent."""
    return f"{x:.3g}" if x < 999.5 else f"{float(f'{x:.3g}'):.0f}"


def claims(rows: list[Row]) -> Iterator[str]:
    """Whether the claims hold, for those sizes that were measured."""
    measured = {(row.n, row.solver): row for row in rows if row.seconds}
    for n, (faster, smaller) in _CLAIMS.items():
        ours, peer = measured.get((n, "crossbar")), measured.get((n, "badcrossbar"))
        if ours and peer:
            speed, size = peer.median / ours.median, peer.memory / ours.memory
            verdict = "holds" if speed >= faster and size >= smaller else "FAILS"
            memory = f", 1/{smaller} of the memory" if smaller else ""
            yield (f"Claim at {n}, at most 1/{faster} of badcrossbar's time{memory}: {verdict} "
                   f"(1/{speed:.0f} of the time, 1/{size:.0f} of the memory).")


def machine(args: argparse.Namespace, versions: dict[str, str], load: float) -> Iterator[str]:
    """What the numbers were measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*:\s*(.*)", cpuinfo.read_text()) if cpuinfo.exists() else None
    yield (f"Machine: {model[1] if model else platform.processor()}, {os.cpu_count()} cores; {args.threads} "
           "threads for numba and BLAS, SuperLU and ngspice use 1; "
           f"load before the run {load:.1f}; {datetime.date.today()}")
    program = shutil.which("ngspice")
    banner = subprocess.run([program, "-v"], capture_output=True, text=True).stdout if program else ""
    release = re.search(r"ngspice-(\S+)", banner)
    missing = "not installed"
    yield (f"crossbar and splu: {versions['crossbar']}; badcrossbar: {versions['badcrossbar'] or missing}; "
           f"ngspice: {release[1] if release else missing}")


def write_csv(path: Path, rows: list[Row]) -> None:
    """One line a solver and size, both orderings of splu among them."""
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(("n", "solver", "problem", "median_s", "memory_byte", "deviation", "kcl", "seconds"))
        for row in rows:
            out.writerow((row.n, row.solver, row.problem, row.median, row.memory, row.deviation, row.kcl,
                          " ".join(f"{s:.6g}" for s in row.seconds)))


def plot(path: Path, rows: list[Row]) -> None:
    """Time and memory against N, both logarithmic."""
    import matplotlib
    matplotlib.use("agg")
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for name in dict.fromkeys(row.solver.split()[0] for row in rows):
        timed = [row for row in rows if row.solver.split()[0] == name and row.seconds]
        large = [row for row in timed if row.memory >= 1e6]
        axes[0].loglog([row.n for row in timed], [row.median for row in timed], "o-", label=name)
        axes[1].loglog([row.n for row in large], [row.memory / 1e6 for row in large], "o-")
    for ax, label in zip(axes, ("time of a cold read [s]", "memory [MB]"), strict=True):
        ax.set(xlabel="lines N of an N x N array", ylabel=label)
        ax.set_xticks(sizes := sorted({row.n for row in rows}), [str(n) for n in sizes])
        ax.minorticks_off()
        ax.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(path, dpi=150)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--sizes", default="32,64,128,256,512", help="values of N",
        type=lambda text: [int(n) for n in text.split(",")])
    add("--repeats", type=int, default=7, help="random arrays a size")
    add("--limit", type=float, default=120.0, help="seconds a solver may take for one array")
    add("--seed", type=int, default=7302519)
    add("--threads", type=int, default=os.cpu_count() or 1, help="of numba and BLAS")
    add("--badcrossbar-python", metavar="PYTHON", help="interpreter that has badcrossbar",
        default=os.environ.get("CROSSBAR_BADCROSSBAR_PYTHON", sys.executable))
    add("--csv", type=Path, metavar="FILE")
    add("--plot", type=Path, metavar="FILE")
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    from tqdm import tqdm
    rows: list[Row] = []
    hopeless: set[str] = set()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines, versions = first_solves(args, folder)
        with tqdm(total=len(args.sizes) * args.repeats, disable=None) as bar:  # None: only on a terminal
            for n in args.sizes:
                rows += measure(n, args, hopeless, folder, bar.update)
    shown = better_splu(rows)
    print(*table(shown), "", *claims(shown), *lines, *machine(args, versions, load), sep="\n")
    if args.csv:
        write_csv(args.csv, rows)
    if args.plot:
        plot(args.plot, shown)


if __name__ == "__main__":
    main(arguments())
