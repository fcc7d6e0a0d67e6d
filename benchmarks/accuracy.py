"""How well do the structured path, the general path, ngspice and badcrossbar agree on the currents of one array?

    python benchmarks/accuracy.py                       # a markdown table; peers that are missing are left out
    python benchmarks/accuracy.py --rows 64 --columns 48 --badcrossbar-python ~/peers/bin/python

Largest |difference of a bit-line current from the structured path's| / largest |bit-line current|. ngspice reads the exported
circuit with all its digits; badcrossbar knows linear cells, left drive and bottom ground only. `sneak` is a read of one cell, all
other lines floating. Where wires are far below an ohm ngspice, in nodal form, runs out of digits: the difference is its own.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

import crossbar as xb

Array = npt.NDArray[np.float64]
Drives = dict[str, npt.ArrayLike]

BADCROSSBAR = """
import sys, numpy as np, badcrossbar
case = np.load(sys.argv[1])
s = badcrossbar.compute(case["v"][:, None], case["r"], r_i=float(case["wire"]), all_currents=False)
np.save(sys.argv[2], np.ravel(s.currents.output))
"""


def cases(m: int, n: int, rng: np.random.Generator) -> list[tuple[str, str, float, xb.PassiveArray, Drives]]:
    """(cells, drive, wire, array, drives) of every row."""
    ohmic = {"10-20 kohm": 1 / rng.uniform(10e3, 20e3, (m, n)), "1-2 Mohm": 1 / rng.uniform(1e6, 2e6, (m, n))}
    junctions = xb.MTJCells(xb.MTJParams(), rng.integers(0, 2, (m, n)))
    v = rng.uniform(0.1, 1, m)
    read: Drives = {"word_left": v}
    both: Drives = {"word_left": v, "word_right": v[::-1].copy(), "bit_top": 0.0}
    sneak: Drives = {"word_left": xb.only(m, m // 2, 0.5), "bit_bottom": xb.only(n, n // 3, 0.0)}
    table = [("10-20 kohm", "left", 2.0, read), ("10-20 kohm", "both sides", 2.0, both),
             ("10-20 kohm", "sneak", 2.0, sneak), ("1-2 Mohm", "left", 1e3, read), ("1-2 Mohm", "left", 1e-6, read),
             ("1-2 Mohm", "sneak", 1e-6, sneak), ("10-20 kohm", "left", 0.0, read)]
    rows = [(cells, drive, wire, xb.PassiveArray(ohmic[cells], r_word=wire, r_bit=wire), drives)
            for cells, drive, wire, drives in table]
    return rows + [("MTJ, TMR(V)", drive, 2.0, xb.PassiveArray(junctions), drives)
                   for drive, drives in (("left", read), ("both sides", both), ("sneak", sneak))]


def by_ngspice(array: xb.PassiveArray, drives: Drives) -> Array:
    """Bit-line currents [A] from ngspice on the exported circuit."""
    deck = xb.to_spice(array.to_circuit(**drives))  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        path, raw = Path(folder, "array.cir"), Path(folder, "array.raw")
        path.write_text(deck)
        subprocess.run(["ngspice", "-b", "-r", str(raw), str(path)], check=True, capture_output=True)
        plot, = xb.read_raw(raw)
    on = ~np.ma.getmaskarray(np.ma.asarray(drives.get("bit_bottom", 0.0))) & np.ones(array.shape[1], bool)
    return np.array([float(plot[f"i(v_bit_bottom_{k})"][0]) if on[k] else 0.0 for k in range(array.shape[1])])


def by_badcrossbar(python: str, array: xb.PassiveArray, wire: float, v: npt.ArrayLike) -> Array:
    """Bit-line currents [A] from badcrossbar, in its own interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        case, out = Path(folder, "case.npz"), Path(folder, "out.npy")
        np.savez(case, v=v, r=1 / array.cells.conductance, wire=wire)
        subprocess.run([python, "-c", BADCROSSBAR, str(case), str(out)], check=True, capture_output=True)
        return np.load(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--columns", type=int, default=48)
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--badcrossbar-python", default=os.environ.get("CROSSBAR_BADCROSSBAR_PYTHON", ""))
    arguments = parser.parse_args()
    print(f"{arguments.rows} x {arguments.columns} cells\n")
    print("| cells | drive | wire segment [ohm] | KCL residual, relative | general path | ngspice | badcrossbar |")
    print("|---|---|---|---|---|---|---|")
    for cells, drive, wire, array, drives in cases(arguments.rows, arguments.columns,
                                                   np.random.default_rng(arguments.seed)):
        s = array.solve(**drives)  # type: ignore[arg-type]

        def off(other: Array, current: Array = s.bit_current) -> str:
            return f"{np.abs(other - current).max() / np.abs(current).max():.0e}"
        columns = [off(array.solve(**drives, method="general").bit_current)]  # type: ignore[arg-type]
        columns.append(off(by_ngspice(array, drives)) if shutil.which("ngspice") else "-")
        fits = arguments.badcrossbar_python and array.cells.linear and drive == "left"
        columns.append(off(by_badcrossbar(arguments.badcrossbar_python, array, wire, drives["word_left"])) if fits else "-")
        print(f"| {cells} | {drive} | {wire:g} | {float(s.relative_residual):.0e} | {' | '.join(columns)} |", flush=True)


if __name__ == "__main__":
    main()
