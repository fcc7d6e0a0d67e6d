"""What the README says is so: its Python example runs, its commands exist, the installed package is what is tested."""

import json
import re
import subprocess
import sys
from importlib.metadata import Distribution
from pathlib import Path

import pytest

import crossbar

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def python_example(number):
    """What an example of the README prints; each has at most a dozen lines."""
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[number]
    assert len([line for line in code.splitlines() if line.strip()]) <= 12
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_python_example_of_an_array():
    text = python_example(0)
    assert "worst bit line is off by" in text
    certificate = float(text.splitlines()[0].split()[-1])
    assert 0 <= certificate <= 1e-10


def test_python_example_of_a_device():
    """A write error from the table, the same from trajectories, and a spread that follows the area and K_i."""
    text = python_example(1).splitlines()
    rate, sampled = (float(line.split()[-1]) for line in text[:2])
    assert 1e-3 < rate < 0.3
    assert abs(sampled - rate) < 4 * (rate / 20_000) ** 0.5  # 4 sigma
    assert "Delta" in text[2]


def test_python_example_of_access_devices():
    """The transistor takes a part of the voltage, and a selector raises the share of a floating read that one cell has."""
    wire, low, high, _, share = (float(word) for word in re.findall(r"\d+\.\d+|\d+(?=%)", python_example(2)))
    assert 0.5 < wire < 2 and 0.1 < low < high < 0.2 and share > 10


def test_python_example_of_linear_algebra():
    """Floating reads see many times the cell's conductance and lose nearly all of the TMR of 1.2."""
    times, sneak, left = (float(word.strip("%;")) for word in re.findall(r"[\d.]+%?", python_example(3)))
    assert times > 10 and 90 < sneak < 100 and 0 < left < 20


def test_python_example_of_writing():
    """V/2 leaves errors and disturbs cells, V/3 with reads leaves none, and a thousand writes err as often as was expected."""
    text = python_example(4)
    expected, disturbed = (float(x) for x in re.match(r"V/2: ([\d.]+) errors expected, ([\d.e-]+) cells", text).groups())
    assert 0.5 < expected < 20 and disturbed > 0.01
    assert "V/3, verified: 0 errors" in text and "sum |KCL|" in text
    assert abs(float(text.split()[-1]) - expected) < 0.2 * expected + 5 * (expected / 1000) ** 0.5


@pytest.mark.parametrize("line", re.findall(r"^    (crossbar (?:run|write|check|export|study wine|device)[^#\n]*?)\s*(?:#.*)?$",
                                            README, re.MULTILINE))
def test_commands_of_the_readme_work(line, tmp_path):
    words = line.split()[1:]
    if "wine300.npz" in words:
        words[words.index("wine300.npz")] = str(ROOT / "crossbar/studies/data/wine20.npz")
    (tmp_path / "junction.toml").write_text('preset = "mtj-60kT"\ndiameter = 45e-9\n')
    files = ("out.raw", "tables", "maps", "figures", "junction.toml")
    words = [str(tmp_path / w) if w in files else w for w in words]
    done = subprocess.run([sys.executable, "-m", "crossbar", *words], capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_commands_are_found():
    assert "pip install . && crossbar run netlists/wine_layer1_15x15.cir" in README
    assert "pip install '.[test]' && pytest" in README


def test_files_in_the_reading_order_exist():
    for path in re.findall(r"`(crossbar/[\w/]+(?:\.py|/))`", README):
        assert (ROOT / path).exists(), path


def test_installed_package_is_tested():
    """Not the checkout that happens to be the current folder, unless it was installed as editable."""
    origin = Distribution.from_name("mtj-crossbar").read_text("direct_url.json")
    if origin and json.loads(origin).get("dir_info", {}).get("editable"):
        pytest.skip("installed as editable: the checkout is the installed package")
    assert ROOT not in Path(crossbar.__file__).parents
