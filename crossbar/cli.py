"""The command `crossbar`: the only module that prints or ends the process.

Exit codes: 0 ok; 1 the simulation failed (no convergence, no unique solution); 2 netlist, data file or size; 3 usage,
missing file.
"""

import argparse
import contextlib
import functools
import gc
import io
import json
import logging
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

import numpy as np

import crossbar as xb
from crossbar import session, topology
from crossbar.io.tables import default_outputs, listing, write_csv
from crossbar.units import format_si

OK, FAILED, BAD_INPUT, USAGE = 0, 1, 2, 3

WARNINGS = 20                           # of a deck, that are shown
FORMATS = ("png", "svg", "pdf")         # of figures, those of crossbar.plots; matplotlib is not loaded for their names
WRITE_ERROR, WRITE_WIDTH = 1e-6, 10e-9  # of the write pulse that `device` speaks of; width [s]
FLIPPED = 1e-9                          # share lost at the end of the retention time
DYNAMICS, THRESHOLDS = ("delta", "tau_d"), ("i_c0_p", "i_c0_ap")  # what rows of `device` need


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        _write_anything(stream)
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as end:  # --help, --version, usage
        return int(end.code or 0)
    if getattr(arguments, "formats", None) and arguments.plot is None:
        return _complain("--format is of figures; --plot DIR says where to put them", USAGE)
    logging.basicConfig(level=logging.INFO if arguments.verbose else logging.WARNING, format="%(name)s: %(message)s",
                        force=True)
    try:
        return int(arguments.command(arguments))
    except (xb.TopologyError, xb.ConvergenceError) as error:
        return _complain(error, FAILED)
    except xb.CrossbarError as error:
        return _complain(error, BAD_INPUT)
    except MemoryError:
        return _complain("out of memory", BAD_INPUT)
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away; nothing more can be said to it
        return OK
    except OSError as error:
        return _complain(f"{error.filename or 'file'}: {error.strerror or error}", USAGE)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)


def _write_anything(stream: TextIO) -> None:
    """Let a stream write what its encoding lacks as \\u escapes: titles, nodes and files have names in any language, and the
    locale may know ASCII only."""
    if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
        stream.reconfigure(errors="backslashreplace")


def _complain(what: object, code: int) -> int:
    print(f"crossbar: {what}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="crossbar", description="The SPICE for magnetic-tunnel-junction crossbars.")
    parser.add_argument("--version", action="version", version=f"crossbar {xb.__version__}")
    common = _Parser(add_help=False)
    common.add_argument("-v", "--verbose", action="store_true", help="say on stderr what is being done")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    run = commands.add_parser("run", parents=[common], help="run every analysis of a deck")
    run.add_argument("deck", type=Path)
    run.add_argument("-b", action="store_true", help="accepted for ngspice's sake: there is no other mode")
    run.add_argument("-r", "--raw", type=Path, metavar="RAW", help="write an ngspice raw file")
    run.add_argument("--ascii", action="store_true", help="write the raw file as text")
    run.add_argument("-o", "--output", type=Path, metavar="LOG", help="write the listing to a file, not to the screen")
    run.add_argument("--csv", type=Path, metavar="DIR", help="write tables, and matrices of the arrays")
    _add_plot(run, "draw maps of the arrays and curves of the sweeps")
    run.add_argument("--json", action="store_true", help="print the listing as JSON")
    run.set_defaults(command=_run)

    check = commands.add_parser("check", parents=[common], help="read a deck, check its topology, solve nothing")
    check.add_argument("deck", type=Path)
    check.set_defaults(command=_check)

    export = commands.add_parser("export", parents=[common], help="write a deck as flat SPICE for ngspice")
    export.add_argument("deck", type=Path)
    export.set_defaults(command=_export)

    write = commands.add_parser("write", parents=[common], help="write the arrays of a deck as its .write cards say")
    write.add_argument("deck", type=Path)
    write.add_argument("--repeats", type=_count, metavar="N", help="N independent writes of each card")
    write.add_argument("--workers", type=_count, default=1, metavar="W", help="processes that share many writes; the result is "
                       "the same")
    write.add_argument("-o", "--output", type=Path, metavar="LOG", help="write the report to a file, not to the screen")
    write.add_argument("--csv", type=Path, metavar="DIR", help="write states, errors, pulses, energy over the array")
    _add_plot(write, "draw maps of expected errors, disturbed cells, energy")
    write.add_argument("--json", action="store_true", help="print the whole report as JSON")
    write.set_defaults(command=_write)

    device = commands.add_parser("device", parents=[common], help="tell what a junction does: thresholds, write, disturb")
    device.add_argument("device", metavar="PRESET|FILE", help=f"{', '.join(xb.mtj.presets)}, or a TOML file of parameters")
    device.add_argument("--temperature", type=float, metavar="K", help="of the junction; 300 if not given")
    _add_plot(device, "draw resistance, TMR, write errors and disturb maps")
    device.set_defaults(command=_device)

    study = commands.add_parser("study", help="reproduce a published study")
    studies = study.add_subparsers(required=True, metavar="NAME", parser_class=_Parser)
    wine = studies.add_parser("wine", parents=[common], help="binary network on a passive array, Wine data")
    wine.add_argument("--solutions", type=Path, metavar="NPZ", help="trained solutions; without it those shipped")
    wine.add_argument("--solution", type=int, default=0, metavar="N", help="which solution classifies the sample")
    wine.add_argument("--sample", type=int, metavar="K", help="carry one test sample through both layers")
    wine.set_defaults(command=_wine)
    return parser


def _add_plot(parser: argparse.ArgumentParser, what: str) -> None:
    """The options of a command that draws."""
    parser.add_argument("--plot", type=Path, metavar="DIR", help=what)
    parser.add_argument("--format", type=_formats, metavar="LIST", dest="formats",
                        help=f"of figures, separated by commas: {', '.join(FORMATS)}; {FORMATS[0]} if not given")


def _formats(text: str) -> list[str]:
    names = [name.strip().lower() for name in text.split(",")]
    for name in names:
        if name not in FORMATS:
            raise argparse.ArgumentTypeError(f"there is no format {name!r}; there are {', '.join(FORMATS)}")
    return names


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


@contextlib.contextmanager
def _no_collector() -> Iterator[None]:
    """For what makes millions of small objects, none of them garbage, at which the collector would look again and again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _read(path: Path) -> xb.Deck:
    """The deck in a file; its warnings go to stderr."""
    try:
        with _no_collector():
            deck = xb.read_netlist(path)
    except xb.NetlistError as error:
        _warn(error.warnings)
        raise
    _warn(deck.warnings)
    return deck


def _warn(warnings: Sequence[str]) -> None:
    for warning in warnings[:WARNINGS]:
        print(f"warning: {warning}", file=sys.stderr)
    if len(warnings) > WARNINGS:
        print(f"warning: ... and {len(warnings) - WARNINGS} more warnings", file=sys.stderr)


def _run(arguments: argparse.Namespace) -> int:
    deck = _read(arguments.deck)
    with _delivered(xb.Run(deck, {}), arguments) as run:
        for name, result in session.analyses(deck):
            run.add(name, result)
    return OK


def _write(arguments: argparse.Namespace) -> int:
    deck = _read(arguments.deck)
    cards = {name: card for name, card in deck.analyses.items() if isinstance(card, session.WriteAnalysis)}
    if not cards:
        return _complain(f"{arguments.deck}: nothing to write; add a card .write <array> target=<file> scheme= amplitude= width= "
                         "seed=", BAD_INPUT)
    with _delivered(xb.Run(deck, {}), arguments) as run, _workers(arguments.workers) as share:
        for name, card in cards.items():
            report = session.write(deck, card, repeats=arguments.repeats, map=share)
            run.add(name, report)
            if arguments.repeats is None:
                deck = deck.after_write(card.array, report.states)
    return OK


@contextlib.contextmanager
def _delivered(run: xb.Run, arguments: argparse.Namespace) -> Iterator[xb.Run]:
    """A run that is filled, and delivered as far as it came whatever happens."""
    try:
        yield run
    except xb.CrossbarError as error:
        run.add_partial(error)
        if run.finished:
            print(f"crossbar: {', '.join(run.finished)} finished before the error and kept", file=sys.stderr)
        raise
    finally:
        if run.finished:
            with _no_collector():
                _deliver(run, arguments)


@contextlib.contextmanager
def _workers(count: int) -> Iterator[Callable[..., Any]]:
    """`map` of so many processes, started afresh: threads of kernels do not survive a fork."""
    if count == 1:
        yield map
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context
    with ProcessPoolExecutor(count, get_context("spawn")) as pool:
        yield pool.map


def _deliver(run: xb.Run, arguments: argparse.Namespace) -> None:
    """Everything that was asked for of a run."""
    with _output(arguments.output) as stream:
        if arguments.json:
            json.dump({name: _as_json(run, name) for name in run.analyses}
                      | {name: report.as_dict() for name, report in run.writes.items()}, stream, indent=1)
            stream.write("\n")
        else:
            stream.write(f"{run.title}\n")
            for name in run.analyses:
                stream.write("\n" + _report(run, name))
            for name, report in run.writes.items():
                stream.write(f"\n{name}:\n{report.summary()}\n")
    if run.analyses and arguments.raw:
        xb.write_raw(run, arguments.raw, binary=not arguments.ascii)
    if arguments.csv:
        write_csv(run, arguments.csv)
        if run.writes:
            from crossbar.io.writes import write_report_csv  # with numba, which a small deck does without
            for name, report in run.writes.items():
                write_report_csv(report, arguments.csv, name)
    if arguments.plot:
        from crossbar import plots  # matplotlib is loaded only where somebody wants to look
        formats = arguments.formats or FORMATS[:1]
        drawn = plots.save_run(run, arguments.plot, formats)
        for name, report in run.writes.items():
            drawn += plots.save_report(report, arguments.plot, name, run.title, formats)
        for path in drawn:
            print(f"drew {path}", file=sys.stderr)


@contextlib.contextmanager
def _output(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
    else:
        with path.open("w", encoding="utf-8", errors="backslashreplace") as stream:
            yield stream


def _wanted(run: xb.Run, name: str) -> list[str]:
    """Outputs to list: those of .print, else of .save, else the usual ones."""
    return list(run.printed(name) or run.outputs(name) or default_outputs(run.analyses[name].circuit))


def _report(run: xb.Run, name: str) -> str:
    result = run.analyses[name]
    lines = [f"{name}:", listing(result, _wanted(run, name)).rstrip()]
    if isinstance(result, xb.OperatingPoint):
        for array in result.circuit.arrays:
            lines.append(_array_line(array.name, result.array(array.name)))
        lines.append(f"solved by {result.method} in {result.iterations} step{'s'[:result.iterations != 1]}")
    lines.append(f"KCL residual: {format_si(float(np.nanmax(result.residual)), 'A')} at worst, "
                 f"{float(np.nanmax(result.relative_residual)):.1e} of the currents that meet there")
    return "\n".join(lines) + "\n"


def _array_line(name: str, solution: xb.ArraySolution) -> str:
    power = {k: format_si(float(p), "W") for k, p in solution.power.items()}
    return (f"array {name}: {solution.cells.shape[0]} x {solution.cells.shape[1]} cells, power of sources "
            f"{power['sources']} = cells {power['cells']} + wires {power['wires']} + drivers {power['drivers']}; "
            f"sum |KCL| / sum |cell current| {solution.relative_residual:.1e}")


def _as_json(run: xb.Run, name: str) -> dict[str, object]:
    result = run.analyses[name]
    out: dict[str, object] = {"outputs": {o: _plain(result[o]) for o in _wanted(run, name)}}
    if isinstance(result, xb.Sweep):
        out["axes"] = {axis: _plain(points) for axis, points in result.axes.items()}
    return out | {"residual": _plain(result.residual), "relative_residual": _plain(result.relative_residual)}


def _plain(value: object) -> object:
    """Numbers as JSON knows them; what is not finite becomes null."""
    array = np.asarray(value, dtype=float)
    if array.ndim:
        return [_plain(x) for x in array]
    return float(array) if math.isfinite(array) else None


def _check(arguments: argparse.Namespace) -> int:
    deck = _read(arguments.deck)
    circuit = deck.circuit
    topology.check(circuit)
    count = sum(len(b.nodes) for b in circuit.batches)
    print(f"{arguments.deck}: {count} elements, {len(circuit.arrays)} arrays, {len(circuit.nodes) - 1} named nodes; no "
          "mistakes found")
    return OK


def _export(arguments: argparse.Namespace) -> int:
    sys.stdout.write(xb.to_spice(_read(arguments.deck)))
    return OK


def _device(arguments: argparse.Namespace) -> int:
    p = _junction(arguments.device)
    if p is None:
        return _complain(f"invalid choice {arguments.device!r}: no file, and none of {', '.join(xb.mtj.presets)}", USAGE)
    if arguments.temperature is not None:
        try:
            p = p.replace(temperature=arguments.temperature)
        except xb.DataError as error:
            return _complain(f"--temperature: {error}", USAGE)
    print(f"{arguments.device}\n\n{xb.mtj.summary(p)}\n\n{_directions(p)}", flush=True)
    if arguments.plot:
        from crossbar import plots
        title = f"{arguments.device}, {float(np.asarray(p.temperature)):g} K"
        drawn = plots.save_device(p, arguments.plot, title, write_error=WRITE_ERROR, write_width=WRITE_WIDTH,
                                  formats=arguments.formats or FORMATS[:1])
        for path in drawn.files:
            print(f"drew {path}", file=sys.stderr)
        for reason in dict.fromkeys(drawn.left_out.values()):
            names = ", ".join(name for name, why in drawn.left_out.items() if why == reason)
            print(f"left out {names}: {reason}", file=sys.stderr)
    return OK


def _junction(name: str) -> xb.mtj.MTJParams | None:
    """A preset, or the parameters in a file; None if there is neither."""
    if name in xb.mtj.presets:
        return xb.mtj.presets[name]
    if not Path(name).exists():
        return None
    p = xb.mtj.read_parameters(name)
    if p.shape:
        raise xb.DataError(f"{name}: a device is one junction, these parameters are single numbers, not lists of {p.shape}")
    return p


def _directions(p: xb.mtj.MTJParams) -> str:
    """Table of both directions of switching; what cannot be told says why."""
    pulse = format_si(WRITE_WIDTH, "s")

    @functools.cache
    def write(state: int) -> float:
        return float(xb.mtj.pulse_amplitude(1 - WRITE_ERROR, WRITE_WIDTH, p, state))

    def disturb(share: int, state: int) -> str:
        return f"{float(xb.mtj.switching_probability(-state * write(state) / share, WRITE_WIDTH, p, state)):.2g}"

    def retention(state: int) -> str:
        return _duration(float(xb.mtj.retention_time(p, FLIPPED)))

    rows: list[tuple[str, tuple[str, ...], bool, Callable[[int], str]]] = [
        ("V_c0", (), True, lambda state: format_si(float(p.v_c0(state)), "V")),
        (f"write V: WER {_power(WRITE_ERROR)} in {pulse}", DYNAMICS, True, lambda state: format_si(write(state), "V")),
        (f"disturb at V/2, per {pulse}", DYNAMICS, True, functools.partial(disturb, 2)),
        (f"disturb at V/3, per {pulse}", DYNAMICS, True, functools.partial(disturb, 3)),
        (f"retention, {_power(FLIPPED)} flipped", DYNAMICS, False, retention)]
    lines = [("switching", "P -> AP (V < 0)", "AP -> P (V > 0)")]
    said: set[str] = set()
    for name, needed, driven, value in rows:
        cells = [_cell(p, state, (*needed, threshold) if driven else needed, value, said)
                 for state, threshold in zip((1, -1), THRESHOLDS, strict=True)]
        if not cells[0][1] and not cells[1][1]:  # nothing to tell of either
            lines.append((name, _reasons(cells[0][0], cells[1][0]), ""))
        else:
            lines.append((name, cells[0][0], cells[1][0]))
    return "\n".join(f"{name:<28} {first:<17} {second}".rstrip() for name, first, second in lines)


def _cell(p: xb.mtj.MTJParams, state: int, needed: Sequence[str], value: Callable[[int], str],
          said: set[str]) -> tuple[str, bool]:
    """Text of one direction, and whether it is a value; a reason that was given above is not given again."""
    missing = [name for name in needed if getattr(p, name) is None]
    if missing:
        return f"unknown: needs {', '.join(missing)}", False
    try:
        return value(state), True
    except xb.DataError as error:
        reason = str(error)
        known = reason in said
        said.add(reason)
        return f"none: {'as above' if known else reason}", False


def _reasons(first: str, second: str) -> str:
    """One text for two directions of which nothing can be told."""
    unknown = "unknown: needs "
    if first.startswith(unknown) and second.startswith(unknown):
        names = first.removeprefix(unknown).split(", ") + second.removeprefix(unknown).split(", ")
        return unknown + ", ".join(dict.fromkeys(names))
    if second == "none: as above":
        return first
    return first if first == second else f"{first}; {second}"


def _power(x: float) -> str:
    return f"{x:g}".replace("e-0", "e-")


def _duration(seconds: float) -> str:
    """A time as people count it."""
    if math.isinf(seconds):
        return "unlimited"
    for unit, length in (("years", 365.25 * 86400), ("days", 86400.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return format_si(seconds, "s", digits=3)


def _wine(arguments: argparse.Namespace) -> int:
    from crossbar.studies import wine
    solutions = wine.load_solutions(arguments.solutions)
    if arguments.sample is not None:
        print(wine.classify(solutions, arguments.solution, arguments.sample).report())
    else:
        print(wine.run(solutions).table())
    return OK
