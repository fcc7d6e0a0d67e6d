"""The house has one staircase: modules import only what stands below them, nothing heavy is loaded unasked,
and what prints, ends the process or runs text as code is where it belongs, or nowhere."""

import ast
import graphlib
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import crossbar

ROOT = Path(crossbar.__file__).parent

#: Floors from the ground up; a module may import those below its own floor and those of its own part (the
#: first name).
FLOORS = [
    {"threads", "launching", "lazy", "storage"}, {"errors", "kernel"}, {"units", "memory"}, {"summaries"},
    {"checks", "expressions", "files"}, {"doubts"}, {"mtj"}, {"matrices"}, {"elements"}, {"circuit"}, {"topology"},
    {"netlist"}, {"solvers"}, {"mna"}, {"lattice"}, {"recognise"}, {"folded"}, {"attached"}, {"coupled"}, {"points"},
    {"analysis"}, {"arrays"}, {"writing"}, {"io"}, {"session"}, {"nn"}, {"plots"},
    {"studies"}, {"cli"}, {"__main__"}]
#: What is stricter than its floor: these parts import nothing else of the package.
ONLY = {
    "threads": set(), "launching": set(), "lazy": set(), "storage": set(), "kernel": {"launching"},
    "errors": set(), "units": set(), "memory": {"errors"}, "expressions": {"errors", "units"},
    "files": {"errors", "memory"},
    "mtj": {"checks", "doubts", "errors", "files", "kernel", "lazy", "memory", "storage", "summaries", "units"},
    "checks": {"errors", "memory"}, "doubts": {"errors"}, "summaries": {"units"},
    "solvers": {"errors", "kernel"}, "topology": {"circuit", "elements", "errors"},
    "matrices": {"errors", "files", "memory", "mtj"}}
FILES = sorted(ROOT.rglob("*.py"))


def module(path: Path) -> str:
    """solvers/newton.py -> solvers.newton, nn/__init__.py -> nn, __init__.py -> ''."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(path): ast.parse(path.read_text(encoding="utf-8"), str(path)) for path in FILES}


def part(name: str) -> str:
    """The part of the house that a module belongs to."""
    return name.split(".")[0]


def imported(name: str) -> Iterator[str]:
    """Modules of the package that a module imports, in functions too, each as deep as it is a module."""
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Import):
            wanted = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import in line {node.lineno}"
            wanted = [(node.module or "", alias.name) for alias in node.names]
        else:
            continue
        for base, leaf in wanted:
            if base == "crossbar" or base.startswith("crossbar."):
                inner = base.partition(".")[2]
                deeper = f"{inner}.{leaf}".lstrip(".")
                yield deeper if deeper in MODULES else inner


def floor(name: str) -> int:
    return next(k for k, names in enumerate(FLOORS) if part(name) in names)


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call with its name, dotted as it is written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_every_part_has_a_floor() -> None:
    known = set().union(*FLOORS)
    assert {part(name) for name in MODULES if name} <= known
    assert len(known) == sum(map(len, FLOORS))


@pytest.mark.parametrize("name", sorted(MODULES.keys() - {""}))
def test_imports_point_down(name: str) -> None:
    for other in imported(name):
        if part(other) == part(name):
            continue
        assert other or name in ("cli", "__main__"), f"{name} imports the whole package"
        if not other:
            continue
        assert floor(other) < floor(name), f"{name} imports {other}, which stands above it"
        assert part(other) in ONLY.get(part(name), {part(other)}), f"{name} must not import {other}"


def test_mna_takes_one_thing_of_the_solvers() -> None:
    """The system is what a solver is given; of the solvers it knows only the shape of an answer."""
    taken = [(node.module, alias.name) for node in ast.walk(MODULES["mna"])
             if isinstance(node, ast.ImportFrom)
             and (node.module or "").startswith("crossbar.solvers") for alias in node.names]
    assert taken == [("crossbar.solvers.newton", "Evaluation")]


def test_no_module_needs_itself() -> None:
    """Within a part, too, the order of imports is a line and no circle."""
    graph = {name: {o for o in imported(name) if o and o != name} for name in MODULES if name}
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert set(order) >= graph.keys()


def test_the_words_circuit_and_mtj_do_not_occur_in_the_solvers() -> None:
    for path in (ROOT / "solvers").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = {getattr(node, key) for key in ("id", "attr", "arg", "name")
                     if isinstance(getattr(node, key, None), str)}
            assert not {n for n in names if "circuit" in n.lower() or "mtj" in n.lower()}, path.name


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ("matplotlib", "dask", "distributed", "sklearn", "pandas", "IPython", "pytest")
    code = f"import sys, crossbar; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True,
                          timeout=120,
                          cwd=ROOT.parent)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_reading_and_solving_a_small_deck_loads_no_compiler() -> None:
    """Nor anything else that takes longer to load than such a deck to solve."""
    heavy = ("numba", "networkx", "tqdm", "scipy.optimize", "scipy.special")
    deck = "divider\nV1 in 0 1\nR1 in out 1k\nR2 out 0 1k\n"
    code = (f"import sys, crossbar as xb; d = xb.parse_netlist({deck!r}); assert abs(xb.run(d).op.v('out') - 0.5) < 1e-12; "
            f"print([m for m in {heavy} if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=ROOT.parent)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize("package", ["", "mtj"])
def test_lazy_names_are_those_that_type_checkers_see(package: str) -> None:
    seen = {alias.asname or alias.name for node in ast.walk(MODULES[package]) if isinstance(node, ast.ImportFrom)
            for alias in node.names} - {"TYPE_CHECKING", "threads", "lazy"}
    loaded = importlib.import_module(f"crossbar.{package}".rstrip("."))
    assert set(loaded.__all__) == seen
    assert all(getattr(loaded, name) is not None for name in seen)
    assert crossbar.mtj.table.__name__ == "crossbar.mtj.table"  # modules, too
    with pytest.raises(AttributeError, match="no_such_name"):
        loaded.no_such_name


def test_only_plots_imports_matplotlib_and_only_studies_scikit_learn() -> None:
    for name, tree in MODULES.items():
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else \
                [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for package, home in (("matplotlib", "plots"), ("sklearn", "studies"), ("dask", "studies"),
                                  ("distributed", "studies")):
                if any(n.split(".")[0] == package for n in names):
                    assert part(name) == home, f"{name} imports {package}"


def test_kernels_are_compiled_by_the_decorator_that_minds_their_cache_and_their_threads() -> None:
    decorators = {"njit", "jit", "vectorize", "guvectorize", "cfunc", "stencil"}
    for name, tree in MODULES.items():
        if name == "kernel":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numba":
                assert not {alias.name for alias in node.names} & decorators, name
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "numba":
                assert node.attr not in decorators, f"{name}, line {node.lineno}"


def test_only_the_command_line_prints_or_ends_the_process() -> None:
    for name, tree in MODULES.items():
        if name in ("cli", "__main__",
                    "studies.data.train_wine"):  # the last is a script to be started by itself
            continue
        for called, node in calls(tree):
            assert called not in ("print", "input", "exit", "quit", "sys.exit", "os._exit", "os.abort",
                                  "sys.stdout.write",
                                  "sys.stderr.write", "breakpoint"), f"{name}, line {node.lineno}: {called}"
        assert not any(isinstance(node, ast.Name) and node.id == "SystemExit"
                       for node in ast.walk(tree)), name


def test_no_text_is_run_as_code_and_nothing_is_unpickled() -> None:
    forbidden = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "builtins.eval",
                 "builtins.exec"}
    for name, tree in MODULES.items():
        for called, node in calls(tree):
            where = f"{name}, line {node.lineno}: {called}"
            assert called not in forbidden and not called.endswith((".eval", ".exec")), where
            for keyword in node.keywords:
                unsafe = keyword.arg in ("allow_pickle",
                                         "shell") and not (isinstance(keyword.value, ast.Constant)
                                                           and keyword.value.value is False)
                assert not unsafe, f"{where}({keyword.arg}=...)"
            if called in ("np.load", "numpy.load"):
                assert any(k.arg == "allow_pickle"
                           for k in node.keywords), f"{where} without allow_pickle=False"
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else \
                [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {n.split(".")[0] for n in names} & {"pickle", "cPickle", "shelve", "marshal", "dill",
                                                           "cloudpickle", "joblib",
                                                           "subprocess"}, name


def test_nothing_is_validated_by_assert_alone() -> None:
    """`python -O` takes asserts out, so none may test a parameter of a public function."""
    for name, tree in MODULES.items():
        for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)
                         and not n.name.startswith("_")):
            given = {a.arg for a in (*function.args.args, *function.args.kwonlyargs)} - {"self", "cls"}
            for node in ast.walk(function):
                if isinstance(node, ast.Assert):
                    direct = {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)}
                    assert not direct & given, f"{name}, line {node.lineno}: assert on {direct & given}"
