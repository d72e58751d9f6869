"""Rules of the code that a machine can read: what the engine may not call, what each part may import, sizes."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PACKAGE = TOP / "photopipe_gui"
ENGINE = ("instruments", "reduction")
CALLS = {"os.chdir", "os.system", "os.popen", "input", "print", "sys.exit", "exit", "quit", "eval", "exec"}
UNPICKLING = {"pickle.load", "pickle.loads", "cloudpickle.load", "cloudpickle.loads"}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def modules(*parts: str) -> list[Path]:
    found = [path for part in parts for path in sorted((PACKAGE / part).rglob("*.py"))]
    assert found, f"no modules below {parts}"
    return found


def name_of(path: Path) -> str:
    return str(path.relative_to(TOP))


def dotted(node: ast.expr) -> str:
    """Return ``os.path.join`` for such an expression, empty for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else ""
    return ""


def calls(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            yield node.lineno, dotted(node.func)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the full names of imported modules, relative ones made absolute."""
    package = path.relative_to(TOP).with_suffix("").parts[:-1]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            name = ".".join(part for part in (base, node.module or "") if part)
            yield node.lineno, name
            yield from ((node.lineno, f"{name}.{alias.name}") for alias in node.names)


def test_engine_calls_nothing_that_belongs_to_a_script() -> None:
    """No change of directory, shell, prompt, printing, exit, or code from data."""
    found = [f"{name_of(p)}:{line} {name}" for p in modules(*ENGINE, "simulate") for line, name in calls(p)
             if name in CALLS | UNPICKLING]  # fmt: skip
    assert not found


def test_no_module_unpickles() -> None:
    found = [f"{name_of(p)}:{line} {name}" for p in modules(".") for line, name in calls(p) if name in UNPICKLING]
    assert not found


def test_no_exception_is_swallowed() -> None:
    """No bare except, and no ``except Exception: pass``."""
    found = []
    for path in modules("."):
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            blanket = node.type is None or dotted(node.type) in ("Exception", "BaseException")
            silent = all(isinstance(line, ast.Pass) for line in node.body)
            if node.type is None or (blanket and silent):
                found.append(f"{name_of(path)}:{node.lineno}")
    assert not found


def test_core_imports_nothing_of_ours() -> None:
    """Arrays in, arrays out: the kernels know no FITS files, no paths, no headers, nothing but each other."""
    found = []
    for path in modules("reduction/core"):
        for line, name in imports(path):
            ours = name.startswith("photopipe_gui") and not name.startswith("photopipe_gui.reduction.core")
            if ours or name in ("pathlib", "astropy.io", "astropy.io.fits"):
                found.append(f"{name_of(path)}:{line} {name}")
    assert not found


def test_models_of_the_window_need_no_display() -> None:
    """They import QtCore alone."""
    found = []
    for path in modules("gui/models"):
        for line, name in imports(path):
            qt = name.startswith(("PyQt6", "pyqtgraph", "qtawesome", "superqt"))
            if qt and not name.startswith("PyQt6.QtCore") and name != "PyQt6":
                found.append(f"{name_of(path)}:{line} {name}")
    assert not found


def test_qt_is_imported_by_the_window_alone() -> None:
    found = []
    for path in modules("."):
        if path.is_relative_to(PACKAGE / "gui"):
            continue
        found += [f"{name_of(path)}:{line} {name}" for line, name in imports(path)
                  if name.split(".")[0] in ("PyQt6", "pyqtgraph", "qtawesome", "superqt")]  # fmt: skip
    assert not found


STEPS = ("prepare", "flatten", "makesky", "skysub", "crclean", "astrometry", "zpoint", "stack")


@pytest.mark.parametrize("step", STEPS)
def test_steps_do_not_import_each_other(step: str) -> None:
    """A step may have helpers of its own (``astrometry_jobs``), which are no other step's."""
    folder = PACKAGE / "reduction" / "auto" / "steps"
    own = [path for path in folder.glob("*.py") if path.stem == step or path.stem.startswith(f"{step}_")]
    assert own, f"there is no module of the step {step}"
    found = []
    for path in own:
        for line, name in imports(path):
            other = name.removeprefix("photopipe_gui.reduction.auto.steps.").split(".")[0].split("_")[0]
            if name.startswith("photopipe_gui.reduction.auto.steps.") and other in STEPS and other != step:
                found.append(f"{name_of(path)}:{line} {name}")
    assert not found


def test_every_public_part_of_the_engine_has_a_docstring() -> None:
    found = []
    for path in modules(*ENGINE, "simulate"):
        tree = tree_of(path)
        if path.name != "__init__.py" and not ast.get_docstring(tree):
            found.append(name_of(path))
        for node in tree.body:
            public = isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
            if public and not ast.get_docstring(node):  # type: ignore[arg-type]
                found.append(f"{name_of(path)}:{node.lineno} {node.name}")  # type: ignore[attr-defined]
    assert not found


def test_files_are_short() -> None:
    found = []
    for path in modules("."):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > 400:
            found.append(f"{name_of(path)} {lines}")
    assert not found


def test_functions_fit_on_a_screen() -> None:
    """60 lines at most, the docstring not counted."""
    found = []
    for path in modules("."):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
                size = (body[-1].end_lineno or 0) - body[0].lineno + 1
                if size > 60:
                    found.append(f"{name_of(path)}:{node.name} {size}")
    assert not found


def test_no_path_of_a_machine_in_the_code() -> None:
    found = []
    for path in modules("."):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"[\"'](/home|/root|/work|/tmp|/Users)/", line):
                found.append(f"{name_of(path)}:{number}")
    assert not found


def test_the_engine_loads_no_qt_and_no_network() -> None:
    """Importing every module of the engine in a fresh process loads neither Qt nor the catalogue clients."""
    names = [".".join(p.relative_to(TOP).with_suffix("").parts).removesuffix(".__init__") for p in modules(*ENGINE)]
    code = f"""
import importlib, sys
for name in {names!r}:
    importlib.import_module(name)
heavy = [name for name in ("PyQt6", "pyqtgraph", "astroquery", "photopipe_gui.gui") if name in sys.modules]
sys.stdout.write(",".join(heavy))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=TOP, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
