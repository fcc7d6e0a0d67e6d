"""How do time and memory of one array read grow with the size of the array, against other solvers on the same cells?

    python benchmarks/solve_scaling.py                    # all sizes; minutes, most of them spent in ngspice
    python benchmarks/solve_scaling.py --sizes 32,64 --csv scaling.csv --plot scaling.png
    python benchmarks/solve_scaling.py --badcrossbar-python ~/peers/bin/python     # or CROSSBAR_BADCROSSBAR_PYTHON

The arrays: N x N ohmic cells of 10-20 kohm (log-uniform), wire segments of 2 ohm, left ends of the word lines driven at 0-1 V
(uniform), bottom ends of the bit lines at 0 V, the other ends open.  The solvers:

    crossbar      PassiveArray.solve, all node voltages kept
    badcrossbar   badcrossbar.compute, node voltages kept, branch currents not asked for (its leanest comparable call)
    scipy splu    nodal matrix of the 2 N^2 nodes assembled in numpy, sparse LU, the faster of two orderings: MMD_AT_PLUS_A with
                  diagonal pivots (SymmetricMode), or COLAMD
    ngspice       `ngspice -b` on a flat deck of R and V, the currents of the bottom sources saved

Every solver runs in a fresh process for every size, all with the same number of threads.  Time is cold: from a new array of
resistances to the node voltages and bit currents, nothing kept from the array before. Import, and compilation or loading of
compiled kernels, happen before the clock starts, in a warm-up on an 8 x 8 array, and are printed apart (crossbar's once with
an empty and once with a full cache of compiled code).  For ngspice it is the run of the program, parsing included, on a deck
already written.  Medians are taken over repeats with new random arrays; the repeats of all solvers are interleaved, so that
drift of the machine hits all of them. A solver gets no further repeat once it has used half of the time limit.

Memory is the peak resident set of the process (getrusage) after its first array less that after the warm-up; for ngspice the
peak of the program on the array less that on a deck with 8 x 8 cells. A process starts with the peak of the one that launches
it, so this one imports numpy only, and ngspice is launched from an interpreter smaller than itself.

Deviation is max |difference of bit current from crossbar| / max |bit current|; crossbar's own accuracy is its relative KCL residual,
sum |KCL misfit| / sum |cell current|, the worst of all repeats.
"""

import argparse
import csv
import datetime
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

WIRE = 2.0      # [ohm]
WARM_UP = 8     # lines of the warm-up array
START_LIMIT = 900  # for import, compilation and warm-up [s]
MAXRSS = 1 if sys.platform == "darwin" else 1024  # unit of ru_maxrss [byte]
CLAIMS = {256: (30, 0), 512: (50, 10)}  # size: times faster and smaller than badcrossbar, at least

LAUNCHER = """
import os, resource, sys, time
start = time.perf_counter()
quiet = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (1, 2)]
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, usage = os.wait4(pid, 0)
print(time.perf_counter() - start, usage.ru_maxrss, status)
"""


# --- worker: one solver in one process, imported by no one else ---------------------------------------------------------------

@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a solver returns; seconds and peak [byte] only where the worker cannot measure them itself."""

    current: Array         # (N,) out of the bit lines [A]
    kcl: float = np.nan    # relative residual
    seconds: float | None = None
    peak: float | None = None


Solver = Callable[[Array, Array], Answer]  # resistances (N, N) [ohm], inputs (N,) [V]


def crossbar_solver() -> Solver:
    from crossbar.arrays.passive import PassiveArray

    def solve(r: Array, volts: Array) -> Answer:
        s = PassiveArray.from_resistance(r, r_word=WIRE, r_bit=WIRE).solve(word_left=volts)
        return Answer(current=s.bit_current, kcl=float(s.relative_residual))
    return solve


def badcrossbar_solver() -> Solver:
    import badcrossbar

    def solve(r: Array, volts: Array) -> Answer:
        s = badcrossbar.compute(volts[:, None], r, r_i=WIRE, all_currents=False)
        return Answer(current=np.ravel(s.currents.output))
    return solve


def splu_solver(ordering: str) -> Solver:
    from scipy.sparse import csc_array
    from scipy.sparse.linalg import splu
    symmetric = {"diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}} if ordering != "COLAMD" else {}

    def solve(r: Array, volts: Array) -> Answer:
        rows, columns = r.shape
        matrix = csc_array(nodal_triplets(1 / r), shape=(2 * r.size, 2 * r.size))
        b = np.zeros(2 * r.size)
        b[:r.size:columns] = volts / WIRE
        x = splu(matrix, permc_spec=ordering, **symmetric).solve(b)
        return Answer(current=x[-columns:] / WIRE)
    return solve


def nodal_triplets(g: Array) -> tuple[Array, tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]]:
    """Nodal matrix of an array of conductances g (M, N) [S]: word nodes row by row, then bit nodes row by row."""
    word = np.arange(g.size, dtype=np.int32).reshape(g.shape)
    bit = word + np.int32(g.size)
    branches = ((word[:, :-1], word[:, 1:]), (bit[:-1], bit[1:]), (word, bit))
    a, b = (np.concatenate([pair[k].ravel() for pair in branches]) for k in (0, 1))
    y = np.concatenate((np.full(a.size - g.size, 1 / WIRE), g.ravel()))
    leads = np.concatenate((word[:, 0], bit[-1]))
    values = np.concatenate((y, y, -y, -y, np.full(leads.size, 1 / WIRE)))
    return values, (np.concatenate((a, b, a, b, leads)), np.concatenate((a, b, b, a, leads)))


def ngspice_solver() -> Solver:
    program = shutil.which("ngspice")
    if program is None:
        raise FileNotFoundError("ngspice is not on the path")

    def solve(r: Array, volts: Array) -> Answer:
        with tempfile.TemporaryDirectory() as folder:
            deck, raw = Path(folder, "read.cir"), Path(folder, "read.raw")
            deck.write_text("\n".join(deck_lines(r, volts)) + "\n")
            done = subprocess.run([sys.executable, "-S", "-c", LAUNCHER, program, "-b", "-r", str(raw), str(deck)],
                                  capture_output=True, text=True, check=True)
            seconds, peak, status = map(float, done.stdout.split())
            if status or not raw.exists():
                raise RuntimeError("ngspice failed")
            current = np.frombuffer(raw.read_bytes().partition(b"Binary:\n")[2])
        return Answer(current=current[-r.shape[1]:], seconds=seconds, peak=peak * MAXRSS)
    return solve


def deck_lines(r: Array, volts: Array) -> Iterator[str]:
    rows, columns = r.shape
    yield f"* {rows} x {columns} passive array"
    yield from (f"vw{i} w{i}_0 0 {v}" for i, v in enumerate(volts.tolist()))
    yield from (f"vb{j} b{rows}_{j} 0 0" for j in range(columns))
    for i, row in enumerate(r.tolist()):
        for j, value in enumerate(row):
            yield f"rw{i}_{j} w{i}_{j} w{i}_{j + 1} {WIRE}"
            yield f"rb{i}_{j} b{i}_{j} b{i + 1}_{j} {WIRE}"
            yield f"rc{i}_{j} w{i}_{j + 1} b{i}_{j} {value!r}"
    yield from (".save " + " ".join(f"i(vb{j})" for j in range(columns)), ".op", ".end")


SOLVERS: dict[str, Callable[[], Solver]] = {
    "crossbar": crossbar_solver,
    "badcrossbar": badcrossbar_solver,
    "splu MMD_AT_PLUS_A": lambda: splu_solver("MMD_AT_PLUS_A"),
    "splu COLAMD": lambda: splu_solver("COLAMD"),
    "ngspice": ngspice_solver,
}


def random_case(n: int, seed: list[int]) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return 10e3 * 2 ** rng.random((n, n)), rng.random(n)


def peak_memory() -> float:
    """Largest resident set of this process so far [byte]."""
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS)


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("numpy", "scipy", "numba", "badcrossbar"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def serve(name: str) -> None:
    """A line of JSON about this worker, then for every line `case.npz answer.npz` of standard input a line of results."""
    say = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # badcrossbar logs to standard output
    try:
        solve = SOLVERS[name]()
    except (ImportError, FileNotFoundError) as error:
        print(json.dumps({"missing": str(error)}), file=say, flush=True)
        return
    start = time.perf_counter()
    first = solve(*random_case(WARM_UP, [WARM_UP]))
    hello = {"first": time.perf_counter() - start, "versions": versions()}
    baseline = first.peak or peak_memory()
    print(json.dumps(hello), file=say, flush=True)
    for line in sys.stdin:
        source, target = line.split("\t")
        with np.load(source) as case:
            r, volts = case["r"], case["volts"]
        start = time.perf_counter()
        answer = solve(r, volts)
        seconds = answer.seconds or time.perf_counter() - start
        memory = (answer.peak or peak_memory()) - baseline
        np.savez(target.rstrip("\n"), current=answer.current)
        print(json.dumps({"seconds": seconds, "memory": memory, "kcl": answer.kcl}), file=say, flush=True)


# --- this process: starts the workers, hands out the arrays, compares -----------------------------------------------------------

class Worker:
    """One solver's process. `problem` says why it is of no (further) use."""

    def __init__(self, name: str, args: argparse.Namespace, cache: Path) -> None:
        self.problem, self.hello, self.startup = "", {}, np.nan
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"),
                                str(args.threads))
        python = args.badcrossbar_python if name == "badcrossbar" else sys.executable
        start = time.perf_counter()
        try:
            self.process = subprocess.Popen(
                [python, __file__, "--worker", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                stderr=subprocess.PIPE if name != "crossbar" else None,
                env=os.environ | threads | {"NUMBA_CACHE_DIR": str(cache)}, start_new_session=True)
        except OSError:
            self.problem = "not installed"
            return
        self.hello = self._reply(START_LIMIT)
        self.problem = "not installed" if "missing" in self.hello else self.problem
        self.startup = time.perf_counter() - start - self.hello.get("first", 0.0)

    def _reply(self, limit: float) -> dict[str, Any]:
        """The next line of the worker; {} if it died or took longer than `limit` [s]."""
        timer = Timer(limit, self._kill)
        timer.start()
        line = self.process.stdout.readline()
        if not timer.is_alive():
            self.problem = f"> {limit:g} s"
        elif not line:
            self.problem = "failed"
        timer.cancel()
        return json.loads(line) if line else {}

    def solve(self, case: Path, answer: Path, limit: float) -> dict[str, Any]:
        self.process.stdin.write(f"{case}\t{answer}\n")
        self.process.stdin.flush()
        return self._reply(limit)

    def _kill(self) -> None:
        os.killpg(self.process.pid, 9)  # the group: ngspice with its launcher too

    def close(self) -> None:
        if "process" in vars(self):
            self.process.stdin.close()
            self.process.wait()


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
    def time(self) -> float:
        return float(np.median(self.seconds)) if self.seconds else np.nan

    def add(self, reply: dict[str, Any], current: Array, reference: Array) -> None:
        self.seconds.append(reply["seconds"])
        self.memory = reply["memory"] if len(self.seconds) == 1 else self.memory
        self.deviation = max(self.deviation, float(np.abs(current - reference).max() / np.abs(reference).max()))
        self.kcl = max(self.kcl, reply["kcl"])


def measure(n: int, args: argparse.Namespace, hopeless: set[str], folder: Path, tick: Callable[[], object]) -> list[Row]:
    """All solvers at one size, crossbar first; `hopeless` ones are not tried, and those beyond the limit join them."""
    rows = [Row(n, name, "-" if name in hopeless else "") for name in SOLVERS]
    workers = {row.solver: Worker(row.solver, args, folder / "cache") for row in rows if not row.problem}
    case, answer = folder / "case.npz", folder / "answer.npz"
    for repeat in range(args.repeats):
        r, volts = random_case(n, [args.seed, n, repeat])
        np.savez(case, r=r, volts=volts)
        for row in rows:
            tick()
            worker = workers.get(row.solver)
            if worker is None or worker.problem or sum(row.seconds) > args.limit / 2:
                continue
            reply = worker.solve(case, answer, args.limit)
            if reply:
                with np.load(answer) as out:
                    current = out["current"]
                reference = current if row.solver == "crossbar" else reference
                row.add(reply, current, reference)
            elif row.solver == "crossbar":
                sys.exit(f"crossbar at {n} x {n}: {worker.problem}")
    for row in rows:
        worker = workers.get(row.solver)
        if worker:
            row.problem = worker.problem
            worker.close()
    hopeless.update(row.solver for row in rows if row.problem.startswith(">"))
    return rows


def first_solves(args: argparse.Namespace, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Lines about import and first solves, and versions; fills the cache of compiled code."""
    lines, found = [], {}
    for name, what in (("crossbar", "compiling"), ("crossbar", "compiled code cached"), ("badcrossbar", "8 x 8"),
                       ("splu COLAMD", "8 x 8"), ("ngspice", "8 x 8")):
        worker = Worker(name, args, folder / "cache")
        worker.close()
        if name == "crossbar" and worker.problem:
            sys.exit(f"crossbar: {worker.problem} {worker.hello.get('missing', '')}")
        found[name] = ", ".join(f"{k} {v}" for k, v in worker.hello.get("versions", {}).items())
        if not worker.problem and name != "ngspice":  # it starts anew for every array
            lines.append(f"{name}: start and import {worker.startup:.2f} s, first solve ({what}) "
                         f"{worker.hello['first']:.3g} s")
    return lines, found


def best_splu(rows: list[Row]) -> list[Row]:
    """The rows without the slower of the two orderings of each size."""
    def slowness(row: Row) -> float:
        return np.inf if np.isnan(row.time) else row.time
    lu = [row for row in rows if row.solver.startswith("splu")]
    return [row for row in rows if row not in lu or row is min((x for x in lu if x.n == row.n), key=slowness)]


def table(rows: list[Row]) -> Iterator[str]:
    yield ("| N | solver | time [ms] (min to max of k) | memory [MB] | badcrossbar / this: time | memory "
           "| deviation from crossbar |")
    yield "|--:|---|--:|--:|--:|--:|--:|"
    for row in rows:
        peer = next(x for x in rows if x.n == row.n and x.solver == "badcrossbar")
        if not row.seconds:
            yield f"| {row.n} | {row.solver} | {row.problem} | | | | |"
            continue
        ms = [1e3 * s for s in row.seconds]
        spread = f"{number(1e3 * row.time)} ({number(min(ms))} to {number(max(ms))}, k = {len(ms)})"
        memory = number(row.memory / 1e6) if row.memory >= 1e6 else "< 1"
        last = f"KCL {row.kcl:.0e}" if row.solver == "crossbar" else f"{row.deviation:.0e}"
        smaller = number(peer.memory / row.memory) if min(row.memory, peer.memory) >= 1e6 else ""
        yield (f"| {row.n} | {row.solver} | {spread} | {memory} | {number(peer.time / row.time)} | {smaller} "
               f"| {last} |").replace("nan", "")


def number(x: float) -> str:
    """Three digits, no exponent."""
    return f"{x:.3g}" if x < 1000 else f"{float(f'{x:.3g}'):,.0f}"


def claims(rows: list[Row]) -> Iterator[str]:
    for n, (faster, smaller) in CLAIMS.items():
        ours, peer = ([x for x in rows if x.n == n and x.solver == name and x.seconds] for name in ("crossbar", "badcrossbar"))
        if ours and peer:
            speed, size = peer[0].time / ours[0].time, peer[0].memory / ours[0].memory
            verdict = "holds" if speed >= faster and size >= smaller else "FAILS"
            asked = f"at least {faster} times faster" + (f" in a {smaller}th of the memory" if smaller else "")
            yield f"At {n}: {asked} than badcrossbar {verdict}: {speed:.0f} times, 1/{size:.0f} of the memory."


def machine(args: argparse.Namespace, found: dict[str, str]) -> Iterator[str]:
    cpuinfo = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*:\s*(.*)", cpuinfo.read_text()) if cpuinfo.exists() else None
    yield (f"Machine: {model[1] if model else platform.processor()}, {os.cpu_count()} cores, {args.threads} threads for numba and "
           f"BLAS; {found['crossbar']}; {datetime.date.today()}")
    program = shutil.which("ngspice")
    spice = subprocess.run([program, "-v"], capture_output=True, text=True).stdout if program else ""
    release = re.search(r"ngspice-(\S+)", spice)
    yield f"Peers: ngspice {release[1] if release else 'not installed'}; badcrossbar in {found['badcrossbar'] or '(not installed)'}"


def write_csv(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["n", "solver", "problem", "median_s", "seconds", "memory_byte", "deviation", "kcl"])
        writer.writeheader()
        for row in rows:
            values = asdict(row) | {"seconds": " ".join(f"{s:.6g}" for s in row.seconds), "median_s": row.time}
            values["memory_byte"] = values.pop("memory")
            writer.writerow(values)


def plot(path: Path, rows: list[Row]) -> None:
    import matplotlib
    matplotlib.use("agg")
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for name in dict.fromkeys(row.solver for row in rows):
        of = [row for row in rows if row.solver == name and row.seconds]
        axes[0].loglog([row.n for row in of], [row.time for row in of], "o-", label=name, base=10)
        large = [row for row in of if row.memory >= 1e6]
        axes[1].loglog([row.n for row in large], [row.memory / 1e6 for row in large], "o-")
    for ax, label in zip(axes, ("cold read [s]", "memory [MB]"), strict=True):
        ax.set(xlabel="lines N of an N x N array", ylabel=label)
        ax.grid(True, which="both", alpha=0.3)
    axes[0].legend()
    figure.savefig(path, dpi=150)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--sizes", default="32,64,128,256,512", type=lambda s: [int(n) for n in s.split(",")], help="lines, comma-separated")
    add("--repeats", type=int, default=5, help="random arrays a size")
    add("--limit", type=float, default=120.0, help="seconds for one array and solver")
    add("--seed", type=int, default=7302519)
    add("--threads", type=int, default=os.cpu_count(), help="of numba and BLAS")
    add("--badcrossbar-python", default=os.environ.get("CROSSBAR_BADCROSSBAR_PYTHON", sys.executable))
    add("--csv", type=Path, metavar="FILE")
    add("--plot", type=Path, metavar="FILE")
    add("--worker", choices=SOLVERS, help=argparse.SUPPRESS)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    from tqdm import tqdm
    rows, hopeless = [], set()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines, found = first_solves(args, folder)
        with tqdm(total=len(args.sizes) * args.repeats * len(SOLVERS), disable=None) as bar:
            for n in args.sizes:
                rows += measure(n, args, hopeless, folder, bar.update)
    shown = best_splu(rows)
    print(*table(shown), "", *claims(shown), *lines, *machine(args, found), sep="\n")
    if args.csv:
        write_csv(args.csv, rows)
    if args.plot:
        plot(args.plot, shown)


if __name__ == "__main__":
    options = arguments()
    if options.worker:
        serve(options.worker)
    else:
        main(options)
