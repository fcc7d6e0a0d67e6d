"""Other simulators, asked for the same array: a flat deck for ngspice, badcrossbar's own function.

Both run as separate processes. Where one is missing the test is skipped and says so; CROSSBAR_REQUIRE_PEERS=1
makes that a failure. CROSSBAR_BADCROSSBAR_PYTHON names an interpreter with badcrossbar (default: this one).
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from functools import cache

import numpy as np
import numpy.ma as ma
import pytest

SIDES = ("word_left", "word_right", "bit_top", "bit_bottom")

_BADCROSSBAR = """
import sys
import numpy as np
import badcrossbar
given = np.load(sys.argv[1], allow_pickle=False)
solved = badcrossbar.compute(given["volts"], given["resistance"], r_i_word_line=float(given["r_word"]),
                             r_i_bit_line=float(given["r_bit"]), node_voltages=False)
np.savez(sys.argv[2], output=np.asarray(solved.currents.output, dtype=float))
"""


@cache
def ngspice_path() -> str | None:
    """The ngspice executable, or None."""
    return shutil.which("ngspice")


@cache
def badcrossbar_python() -> str | None:
    """An interpreter that can import badcrossbar, or None."""
    python = os.environ.get("CROSSBAR_BADCROSSBAR_PYTHON")
    if python:
        probe = subprocess.run([python, "-c", "import badcrossbar"], capture_output=True, check=False)
        return python if probe.returncode == 0 else None
    return sys.executable if importlib.util.find_spec("badcrossbar") else None


def need(peer: str) -> str:
    """Path of a peer's executable; the calling test is skipped without it, or fails if peers are required."""
    path = {"ngspice": ngspice_path, "badcrossbar": badcrossbar_python}[peer]()
    if path is None:
        missing = f"{peer} is not installed: nothing to compare with"
        if os.environ.get("CROSSBAR_REQUIRE_PEERS") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return path


def junction(r_p: float, tmr: float, v_h: float, m_z: float, a: str, b: str) -> str:
    """ngspice's expression for a junction's current [A], G_P [1 - (1 - m_z)/2 TMR(v) / (1 + TMR(v))] v."""
    v = f"V({a},{b})"
    bias = f"{tmr:.17g}/(1+({v}/{v_h:.17g})*({v}/{v_h:.17g}))"
    return f"{v}/{r_p:.17g}*(1-{(1 - m_z) / 2:.17g}*({bias})/(1+{bias}))"


def ngspice_array(folder, drives, r_word, r_bit, *, g=None, mtj=None, r_driver=None):
    """Terminal currents {side: (lines,)} [A] out of the array, word and bit node voltages (M, N) [V].

    drives : {side: (lines,) volts, masked where an end is open}; a missing side is open.
    r_word, r_bit : (M, N+1), (M+1, N) positive segment resistances [ohm].
    r_driver : {side: (lines,)} [ohm], added to the leads.
    g : (M, N) cell conductances [S], 0 open; or mtj : {"r_p", "tmr", "v_h", "m_z"}, each (M, N).
    """
    shape = np.shape(g) if g is not None else np.shape(mtj["m_z"])
    lines = ["array", *_sources(drives), *_wires(shape, drives, r_word, r_bit, r_driver or {})]
    for i, j in np.ndindex(shape):
        word, bit = f"w{i}_{j}", f"b{i}_{j}"
        if mtj is not None:
            law = junction(*(mtj[name][i, j] for name in ("r_p", "tmr", "v_h", "m_z")), word, bit)
            lines.append(f"BC{i}_{j} {word} {bit} I={law}")
        elif g[i, j] > 0:
            lines.append(f"RC{i}_{j} {word} {bit} {1 / g[i, j]:.17g}")
    lines += [".options reltol=1e-10 abstol=1e-18 vntol=1e-14 gmin=1e-20 itl1=500", ".op", ".end"]
    values = run_ngspice(folder, lines)
    out = {
        side: np.array([values.get(f"i(v{side}_{k})", 0.0) for k in range(shape[side.startswith("bit")])])
        for side in SIDES
    }
    nodes = [
        np.array([[values[f"v({plane}{i}_{j})"] for j in range(shape[1])] for i in range(shape[0])])
        for plane in "wb"
    ]
    return out, *nodes


def run_ngspice(folder, lines: list[str]) -> dict[str, float]:
    """The operating point of a deck, by the names of the raw file in lower case."""
    deck, raw = folder / "array.cir", folder / "array.raw"
    deck.write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        [need("ngspice"), "-b", "-r", str(raw), str(deck)], capture_output=True, text=True, check=False
    )
    if done.returncode or not raw.exists():
        raise RuntimeError(f"ngspice failed ({done.returncode}): {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return read_raw(raw)


def read_raw(path) -> dict[str, float]:
    """The one point of a binary raw file. (spicelib's RawRead takes two minutes for 6000 names.)"""
    header, values = path.read_bytes().split(b"Binary:\n", 1)
    lines = header.decode().splitlines()
    fields = dict(line.split(": ", 1) for line in lines if ": " in line)
    names = [line.split()[1].lower() for line in lines[lines.index("Variables:") + 1:]]
    if fields["Flags"].strip() != "real" or int(fields["No. Points"]) != 1 or len(values) != 8 * len(names):
        raise RuntimeError(f"{path} is no operating point in double precision")
    return dict(zip(names, np.frombuffer(values).tolist(), strict=True))


def _connected(drives, side: str, line: int) -> bool:
    return side in drives and not ma.getmaskarray(ma.asarray(drives[side]))[line]


def _sources(drives):
    for side, volts in drives.items():
        for k, v in enumerate(ma.asarray(volts)):
            if v is not ma.masked:
                yield f"V{side}_{k} {side}_{k} 0 DC {v:.17g}"


def _wires(shape, drives, r_word, r_bit, r_driver):
    m, n = shape
    lines = [
        (f"RW{i}_", [("word_left", i), *((f"w{i}_{j}",) for j in range(n)), ("word_right", i)], r_word[i])
        for i in range(m)
    ]
    lines += [
        (f"RB{j}_", [("bit_top", j), *((f"b{i}_{j}",) for i in range(m)), ("bit_bottom", j)], r_bit[:, j])
        for j in range(n)
    ]
    for name, stops, ohms in lines:
        for s, (a, b, r) in enumerate(zip(stops[:-1], stops[1:], ohms, strict=True)):
            ends = [end for end in (a, b) if len(end) == 2]
            if any(not _connected(drives, *end) for end in ends):
                continue
            total = r + sum(r_driver[side][line] for side, line in ends if side in r_driver)
            if not total > 0:
                raise ValueError("ngspice turns 0 ohm into 1 mohm: give positive resistances")
            if np.isfinite(total):
                yield f"{name}{s} {'_'.join(map(str, a))} {'_'.join(map(str, b))} {total:.17g}"


def badcrossbar_array(folder, volts, resistance, r_word: float, r_bit: float):
    """Output currents (batch, N) [A] for word voltages (batch, M) at the left; bit lines grounded at the
    bottom."""
    given, got = folder / "given.npz", folder / "got.npz"
    np.savez(given, volts=np.asarray(volts).T, resistance=resistance, r_word=r_word, r_bit=r_bit)
    subprocess.run(
        [need("badcrossbar"), "-c", _BADCROSSBAR, str(given), str(got)], check=True, capture_output=True
    )
    with np.load(got, allow_pickle=False) as data:
        return data["output"]
