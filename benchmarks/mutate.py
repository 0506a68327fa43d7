"""Mutate the numeric modules one place at a time, and list the changes that no test detects.

Every comparison, sum, product, ``and``/``or``, number and truth value of a module is changed in
turn, in memory; then the tests that import the module, and its doctests, run until the first one
fails. Surviving changes are printed as ``file:line before -> after``; each needs a test, or a line
in ``EQUIVALENT`` with the reason why no test can detect it.

    python -m benchmarks.mutate                        # learning, strategies, similarity
    python -m benchmarks.mutate strategies.margin      # one module
    python -m benchmarks.mutate --every 5              # each fifth change

Each change is tried in a fork of one process that has loaded the libraries, 1 to 5 s each.
"""

import argparse
import ast
import copy
import importlib.abc
import importlib.util
import io
import os
import re
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("learning", "strategies", "similarity")
LIMIT_S = 120  # a change that makes tests hang is detected, too
OTHERS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
EQUIVALENT: dict[str, str] = {
    "learning/calibration.py 5.0 -> 10.0": "The prior keeps the temperature far inside the bounds.",
    "learning/decision.py labels == side -> labels != side": "Both sides are asked about in turn.",
    "learning/decision.py 4 -> 5": "Decimals of what is told.",
    "learning/posterior.py 30 -> 31": "Newton's steps end earlier, where the curve is exact.",
    "strategies/uncertainty.py np.abs(sums - 1.0) > _SUM_TOLERANCE"
    " -> np.abs(sums - 1.0) >= _SUM_TOLERANCE": "No sum of floats is the tolerance exactly.",
    "learning/posterior.py _center(has_class) + _SPREADS * rng.standard_normal((len(weights), 2))"
    " -> _center(has_class) - _SPREADS * rng.standard_normal((len(weights), 2))": (
        "A normal distribution is symmetric."
    ),
}
"""Why a change makes no difference, by ``file before -> after``."""


def changes(tree: ast.AST) -> Iterator[tuple[int, ast.AST]]:
    """Yield each change as the number of a node in walking order, and its replacement."""
    apart = {
        id(inner)
        for node in ast.walk(tree)
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if part is not None
        for inner in ast.walk(part)
    }
    for number, node in enumerate(ast.walk(tree)):
        if id(node) in apart:
            continue
        changed = copy.deepcopy(node)
        if isinstance(changed, ast.Compare) and type(changed.ops[0]) in OTHERS:
            changed.ops[0] = OTHERS[type(changed.ops[0])]()
        elif isinstance(changed, ast.BinOp | ast.BoolOp) and type(changed.op) in OTHERS:
            changed.op = OTHERS[type(changed.op)]()
        elif isinstance(changed, ast.Constant) and isinstance(changed.value, bool):
            changed.value = not changed.value
        elif isinstance(changed, ast.Constant) and isinstance(changed.value, int):
            changed.value += 1
        elif isinstance(changed, ast.Constant) and isinstance(changed.value, float):
            changed.value = 2 * changed.value + 0.1 * (changed.value == 0)
        else:
            continue
        yield number, changed


class Swap(ast.NodeTransformer):
    """Replaces one node by another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        """Replace the node, or visit its children."""
        return self.new if node is self.old else self.generic_visit(node)


class Broken(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a changed tree."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self.name, self.path, self.tree = name, path, tree

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        """Return the loader of the one module."""
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the changed tree."""
        exec(compile(self.tree, str(self.path), "exec"), vars(module))


def tests_of(path: Path) -> list[str]:
    """List the test files that import a module, those of its package first, and the module."""
    package, name = path.parent.name, path.stem
    imports = re.compile(
        rf"ml_backend\.{package}\.{name}\b|from ml_backend\.{package} import [^\n]*\b{name}\b"
    )
    folder = ROOT / "tests" / package
    found = [one for one in folder.glob("test_*.py") if imports.search(one.read_text())]
    return [str(one) for one in found or sorted(folder.glob("test_*.py"))] + [str(path)]


def is_noticed(broken: Broken, tests: list[str]) -> bool:
    """Run the tests over a changed module in a fork of this process."""
    child = os.fork()
    if child == 0:
        signal.alarm(LIMIT_S)
        sys.meta_path.insert(0, broken)
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:timeout", "-p", "no:xdist"]
            code = pytest.main([*options, *tests])
        os._exit(0 if code == pytest.ExitCode.OK else 1)
    return os.waitpid(child, 0)[1] != 0


def survivors_of(path: Path, every: int) -> tuple[int, list[str]]:
    """Try each change of a module; return their number, and those that no test detects."""
    source = path.read_text(encoding="utf-8")
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    found = list(changes(ast.parse(source)))[::every]
    tests, survivors = tests_of(path), []
    for number, changed in found:
        tree = ast.parse(source)
        old = list(ast.walk(tree))[number]
        told = f"{ast.unparse(old)} -> {ast.unparse(changed)}"
        line = getattr(old, "lineno", 0)
        tree = ast.fix_missing_locations(Swap(old, changed).visit(tree))
        where = path.relative_to(ROOT / "ml_backend").as_posix()
        if f"{where} {told}" in EQUIVALENT or is_noticed(Broken(name, path, tree), tests):
            continue
        survivors.append(f"ml_backend/{where}:{line} {told}")
        print(survivors[-1], flush=True)
    return len(found), survivors


def main() -> None:
    """Try the requested changes, two modules at a time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("what", nargs="*", default=PACKAGES, help="packages, or package.module")
    parser.add_argument("--every", type=int, default=1, help="each so manyeth change alone")
    asked = parser.parse_args()
    paths = []
    for one in asked.what:
        place = ROOT / "ml_backend" / one.replace(".", "/")
        paths += sorted(place.glob("[!_]*.py")) if place.is_dir() else [place.with_suffix(".py")]
    for library in ("hypothesis", "scipy.optimize", "scipy.stats", "sklearn.linear_model"):
        importlib.import_module(library)
    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(lambda path: survivors_of(path, asked.every), paths))
    n_changes = sum(n for n, _ in done)
    n_survivors = sum(len(survivors) for _, survivors in done)
    print(f"{n_changes} changes, {n_survivors} survived.")
    sys.exit(n_survivors > 0)


if __name__ == "__main__":
    main()
