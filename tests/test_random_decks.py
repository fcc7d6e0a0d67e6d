"""Random and damaged decks end in a result or a CrossbarError, soon and without a RuntimeWarning, whatever they hold."""

import time
from pathlib import Path

import pytest
from random_decks import EXTREME, failure, limited, outcome

import crossbar as xb

QUICK, MANY = 300, 4000
FIRST = 20261201  # seed


def test_random_decks_end_in_a_result_or_an_error_of_ours() -> None:
    begin = time.perf_counter()
    seeds = iter(range(FIRST, FIRST + QUICK))
    for seed in seeds:
        result, trace = failure(seed)
        assert not trace, f"seed {seed}: {result}\n{trace}"
        if time.perf_counter() - begin > 20:  # on a machine that is busy with other things
            break
    assert next(seeds, FIRST + QUICK) > FIRST + QUICK / 4


@pytest.mark.slow
def test_many_random_decks() -> None:
    results = []
    for seed in range(FIRST + QUICK, FIRST + QUICK + MANY):
        result, trace = failure(seed)
        assert not trace, f"seed {seed}: {result}\n{trace}"
        results.append(result)
    assert results.count("ok") > MANY / 10, "most decks are sound or nearly so"


JUNCTION = ".model j mtj ({name}={{}})\nymtj m2 b 0 j state={state}"
ARRAY = ".model j mtj (rp=1k)\n.model g xbar (rows=2 cols=2 mtj=j {name}={{}})\nyxbar x1 a b g state=p"
WRITE = ".model j mtj\n.model g xbar (rows=2 cols=2 mtj=j)\nyxbar x1 a b g state=p\n.write x1 target=ap "

#: Cards with one numeric place each; {} stands for the number.
PLACES = ("r2 b 0 {}", "r2 b 0 1k tc1={}", "r2 b 0 1k tc2={}", "r2 b 0 1k m={}", "v2 b 0 {}", "i2 b 0 {}",
          "e2 b 0 a 0 {}", "g2 b 0 a 0 {}", "f2 b 0 v1 {}", "h2 b 0 v1 {}", "b2 b 0 v={{{}*v(a)}}",
          "b2 b 0 i={{v(b)/{}}}", "b2 b 0 i={{exp({})*v(b)}}", "b2 b 0 i={{v(b)**{}}}", ".param p={}\nr2 b 0 {{p}}",
          "x2 b 0 s w={}", ".temp {}", ".options reltol={}", ".options abstol={}", ".options vntol={}",
          ".options itl1={}", ".options tnom={}", ".options seed={}", ".dc v1 0 {} 1", ".dc v1 {} 1 1",
          ".dc v1 0 1 {}", ".dc r1 1 {} 1", ".dc temp 0 {} 20",
          *(JUNCTION.format(name=name, state="p") for name in xb.MTJParams.__dataclass_fields__),
          *(JUNCTION.format(name=name, state="ap") for name in ("vh", "rp", "vc0")),
          *(ARRAY.format(name=name) for name in ("r_wl", "r_bl", "r_driver")),
          ".model j mtj\n.model g xbar (rows={} cols=2 mtj=j)\nyxbar x1 a b g state=p",
          *(WRITE + numbers for numbers in ("amplitude={} width=1n seed=1", "amplitude=1 width={} seed=1",
                                            "amplitude=1 width=1n seed={}", "amplitude=1 width=1n seed=1 verify={}")))


@pytest.mark.parametrize("place", PLACES)
def test_numbers_beyond_all_reason(place: str, tmp_path: Path) -> None:
    """Every numeric place of a deck, with every extreme number."""
    frame = "title\nv1 a 0 1\nr1 a b 1k\nrb b 0 1meg\n.subckt s u v w=1\nr1 u v {{w}}\n.ends\n.op\n{}\n"
    for number in EXTREME:
        with limited(10):
            outcome(frame.format(place.format(number)), tmp_path)


@pytest.mark.parametrize("volts", ["1e155", "1e200", "-1e200", "1e308"])
def test_arrays_on_sources_beyond_all_reason(volts: str) -> None:
    text = (f"title\nv[0:2] w[0:2] 0 {volts}\nvb[0:2] h[0:2] 0 0\n.model j mtj\n"
            ".model g xbar (rows=3 cols=3 mtj=j r_wl=1 r_bl=1)\nyxbar x1 w[0:2] h[0:2] g state=ap\n")
    circuit = xb.parse_netlist(text).circuit
    with limited(10):
        try:
            xb.operating_point(circuit, method="general")
        except xb.CrossbarError as error:
            assert isinstance(error, xb.ConvergenceError | xb.DataError)


@pytest.mark.parametrize("number", ["1e308", "1e155", "1e-300", "1e-320", "5e-324", "inf", "nan", "-1"])
@pytest.mark.parametrize("given", ["g", "r"])
def test_files_of_cells_beyond_all_reason(number: str, given: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(f"{number},1e-3\n1e-3,{number}\n")
    text = (f"title\nv1 a 0 1\nr1 a 0 1k\nv[0:1] w[0:1] 0 1\nvb[0:1] h[0:1] 0 0\n.model g xbar (rows=2 cols=2 r_wl=1)\n"
            f"yxbar x1 w[0:1] h[0:1] g {given}=x.csv\n")
    with limited(10):
        outcome(text, tmp_path)
