"""What the benchmarks share: solvers in processes of their own, interleaved repeats, markdown, targets, the machine's name.

Solvers other than crossbar ("peers") run in an interpreter of their own choice (`--python`), so that one virtual environment
holds them all:

    apt install ngspice libcairo2-dev libsuitesparse-dev libopenblas-dev   # CHOLMOD is only as fast as the system's BLAS
    python -m venv peers
    peers/bin/pip install badcrossbar "scikit-sparse==0.4.16" pypardiso PyKLU
    python benchmarks/solve_scaling.py --python peers/bin/python           # or CROSSBAR_BADCROSSBAR_PYTHON=peers/bin/python

A peer that is missing is named under the table and left out. This module imports numpy only: a process starts with the peak
memory of the one that launches it.
"""

import argparse
import datetime
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import IO, Any

import numpy as np
from read_worker import Array, difference, versions

AGREE = 1e-9  # largest relative difference of a current that counts as agreement
_START_LIMIT = 900  # for import, compilation and warm-up [s]
_PAUSE = 0.3  # until the threads of the solver before have stopped to spin [s]
_LOAD = os.getloadavg()[0]  # before this process does anything
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def add_options(parser: argparse.ArgumentParser, *, repeats: int, peers: bool = True) -> None:
    """--quick, --repeats, --seed, and what the solvers' processes need."""
    add = parser.add_argument
    add("--quick", action="store_true", help="small arrays, few repeats: does it run at all?")
    add("--repeats", type=int, default=repeats, help="at most; slow cases are repeated less")
    add("--seed", type=int, default=7302519)
    if peers:
        add("--budget", type=float, default=15.0, help="seconds of one solver at one size after which it is not repeated")
        add("--limit", type=float, default=300.0, help="seconds after which one array is given up")
        add("--threads", type=int, default=os.cpu_count() or 1, help="of every solver's own pools")
        add("--peers", type=lambda text: text.split(","), help="only these, separated by commas", metavar="NAMES")
        add("--python", metavar="PYTHON", default=os.environ.get("CROSSBAR_BADCROSSBAR_PYTHON", sys.executable),
            help="interpreter that has the peers; this one if not given")


def chosen(args: argparse.Namespace, peers: Iterable[str]) -> list[str]:
    """crossbar and those peers that --peers names; ends the program where it names others."""
    known = list(peers)
    for name in args.peers or ():
        if name not in known:
            sys.exit(f"--peers: {name!r} is none of {', '.join(known)}")
    return ["crossbar", *(name for name in known if args.peers is None or name in args.peers)]


class Worker:
    """One solver's process; `problem` says why it is of no (further) use."""

    def __init__(self, name: str, args: argparse.Namespace, cache: Path | None = None) -> None:
        self.name, self.problem, self.startup = name, "", np.nan
        self.hello: dict[str, Any] = {}
        self.process: subprocess.Popen[str] | None = None
        self._errors = tempfile.TemporaryFile("w+")
        environment = os.environ | dict.fromkeys(_THREADS, str(args.threads))
        if cache is not None:
            environment["NUMBA_CACHE_DIR"] = str(cache)
        ours = name.startswith("crossbar") or name == "splu"
        start = time.perf_counter()
        try:
            self.process = subprocess.Popen(
                [sys.executable if ours else args.python, str(Path(__file__).with_name("read_worker.py")), name], text=True,
                env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True)
        except OSError as error:
            self.problem = f"not installed ({error})"
            return
        self.hello = self._reply(_START_LIMIT)
        self.startup = time.perf_counter() - start - self.hello.get("first", 0.0)
        if "missing" in self.hello:
            self.problem = f"not installed ({self.hello['missing']})"

    def solve(self, case: Path, answer: Path, limit: float) -> dict[str, Any]:
        """What the worker says of the array in `case`; {} if it died or took longer than `limit` [s]."""
        stdin = self._pipes()[0]
        stdin.write(f"{case}\t{answer}\n")
        stdin.flush()
        return self._reply(limit)

    def versions(self) -> str:
        """What the solver's process said of its packages."""
        if "versions" not in self.hello:
            return ""
        blas = self.hello["blas"]
        slow = "" if any(fast in blas for fast in ("openblas", "mkl", "blis", "atlas")) else " (slow: install libopenblas-dev)"
        return joined(self.hello["versions"]) + (f", BLAS {blas}{slow}" if blas else "")

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            stdin, stdout = self._pipes()
            stdin.close()
            self.process.wait()
            stdout.close()
            self.process = None
        self._errors.close()

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self.process and self.process.stdin and self.process.stdout
        return self.process.stdin, self.process.stdout

    def _reply(self, limit: float) -> dict[str, Any]:
        timer = Timer(limit, self._kill, (f"> {limit:g} s",))
        timer.start()
        line = self._pipes()[1].readline()
        timer.cancel()
        if not line and not self.problem:
            self._errors.seek(0)
            self.problem = f"failed ({(self._errors.read().strip().splitlines() or ['no message'])[-1]})"
        return json.loads(line) if line else {}

    def _kill(self, why: str) -> None:
        assert self.process
        self.problem = why
        os.killpg(self.process.pid, signal.SIGKILL)  # with ngspice and its launcher


@dataclass
class Row:
    """What was measured of one solver on arrays of n lines."""

    n: int
    solver: str
    problem: str = ""
    seconds: list[float] = field(default_factory=list)
    parts: list[dict[str, float]] = field(default_factory=list)  # seconds of the stages, a repeat
    memory: float = np.nan     # [byte]
    deviation: float = np.nan  # from crossbar, relative
    kcl: float = np.nan        # sum |KCL misfit| / sum |cell current|
    iterations: int = 0
    versions: str = ""         # of the solver's packages

    @property
    def median(self) -> float:
        """Median time [s]; inf if nothing was measured."""
        return float(np.median(self.seconds)) if self.seconds else np.inf

    def part(self, stage: str) -> float:
        """Median time of a stage [s]; nan if the solver knows no such stage."""
        return float(np.median([parts[stage] for parts in self.parts])) if self.parts and stage in self.parts[0] else np.nan

    def add(self, reply: dict[str, Any], current: Array, reference: Array | None) -> None:
        """Take in one repeat."""
        if not self.seconds:
            self.memory = reply["memory"]
        self.seconds.append(reply["seconds"])
        self.parts.append(reply["parts"])
        differs = np.nan if reference is None else difference(current, reference)
        self.deviation = float(np.fmax(self.deviation, differs))
        self.kcl = float(np.fmax(self.kcl, reply.get("kcl", np.nan)))
        self.iterations = max(self.iterations, int(reply.get("iterations", 0)))


def interleaved(rows: Sequence[Row], cases: Iterable[tuple[Array, Array]], args: argparse.Namespace, folder: Path,
                cache: Path | None = None) -> Iterator[None]:
    """Fill the rows: every case to every solver in turn, crossbar (the reference) first; yields after each.

    A solver that has used its budget is not repeated; one beyond the time limit is given up.
    """
    pairs = [(row, Worker(row.solver, args, cache)) for row in rows if not row.problem]
    try:
        for r, volts in cases:
            np.savez(folder / "case.npz", r=r, volts=volts)
            reference = None
            for row, worker in pairs:
                if worker.problem or sum(row.seconds) + (row.median if row.seconds else 0) > args.budget:
                    continue
                time.sleep(_PAUSE)
                reply = worker.solve(folder / "case.npz", folder / "answer.npz", args.limit)
                if reply:
                    with np.load(folder / "answer.npz") as answer:
                        current = answer["current"]
                    row.add(reply, current, reference)
                    reference = current if row.solver == "crossbar" else reference
            yield
    finally:
        for row, worker in pairs:
            row.problem, row.versions = worker.problem, worker.versions()
            worker.close()


def number(x: float) -> str:
    """Three digits, no exponent; nothing for nan."""
    if np.isnan(x):
        return ""
    return f"{x:.3g}" if x < 999.5 else f"{float(f'{x:.3g}'):.0f}"


def seconds(times: Sequence[float]) -> str:
    """Median [ms] with the range and the count."""
    low, middle, high = (number(1e3 * float(t)) for t in (min(times), np.median(times), max(times)))
    return f"{middle} ({low} to {high} of {len(times)})"


def table(head: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Markdown; columns of `head` are separated by |, and a column that begins with `:` stands to the left."""
    names = head.split("|")
    yield "| " + " | ".join(name.strip(" :") for name in names) + " |"
    yield "|" + "|".join("---" if name.strip().startswith(":") else "--:" for name in names) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


@dataclass(frozen=True)
class Target:
    """A measured figure and what it should be: at least, or at most, `wanted`."""

    what: str
    measured: float
    wanted: float
    most: bool = False
    unit: str = ""

    @property
    def holds(self) -> bool:
        """Whether the target is met."""
        return self.measured <= self.wanted if self.most else self.measured >= self.wanted


def targets(found: Iterable[Target]) -> Iterator[str]:
    """Table of the targets, if there are any."""
    rows = [(t.what, _figure(t.measured, t.unit), ("<= " if t.most else ">= ") + _figure(t.wanted, t.unit),
             "yes" if t.holds else "NO") for t in found]
    if rows:
        yield ""
        yield from table(":target | measured | wanted | :holds", rows)


def _figure(x: float, unit: str) -> str:
    return (f"{x:.1e}" if 0 < x < 1e-3 else number(x)) + (f" {unit}" if unit else "")


def machine(args: argparse.Namespace, rows: Iterable[Row] = ()) -> Iterator[str]:
    """What the numbers were measured on: processor, commit, versions by solver, or of this interpreter."""
    threads = getattr(args, "threads", os.environ.get("NUMBA_NUM_THREADS", os.cpu_count()))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True,
                            check=False).stdout.strip()
    yield ""
    yield (f"Machine: {cpu()}, {os.cpu_count()} cores, {_memory():.0f} GB, {threads} threads, load before the run {_LOAD:.1f}; "
           f"{datetime.date.today()}, commit {commit or 'unknown'}.")
    same: dict[str, list[str]] = {}
    for name, found in ({row.solver: row.versions for row in rows if row.versions} or {"crossbar": joined(versions())}).items():
        same.setdefault(found, []).append(name)
    yield from (f"{', '.join(names)}: {found}." for found, names in same.items())


def cpu() -> str:
    """Name of the processor, as far as the system tells."""
    path = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*:\s*(.*)", path.read_text()) if path.exists() else None
    return model[1] if model else platform.processor()


def _memory() -> float:
    """Memory of the machine [GB]."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def joined(found: dict[str, str]) -> str:
    """Names and versions as text."""
    return ", ".join(map(" ".join, found.items()))
