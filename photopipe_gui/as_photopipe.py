"""``import photopipe_gui.as_photopipe``: after this line, imports of ``photopipe`` in an old script give ours.

``from photopipe.reduction.preprocess import choose`` and ``import photopipe.instruments`` then find the modules of
`photopipe_gui` of the same names; under both names it is one and the same module. Nothing is imported before the
script asks for it.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

OLD, NEW = "photopipe", "photopipe_gui"


def our_name(name: str) -> str:
    """Return the name of our module for one of the old package."""
    return NEW + name[len(OLD) :]


class _Loader(importlib.abc.Loader):
    """Gives our module in place of the one asked for."""

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(our_name(spec.name))
        # The import system writes the old name's spec into the module; ours is kept to be put back.
        self._own = {key: getattr(module, key, None) for key in ("__spec__", "__loader__", "__package__", "__name__")}
        return module

    def exec_module(self, module: ModuleType) -> None:
        for key, value in self._own.items():
            setattr(module, key, value)


class Finder(importlib.abc.MetaPathFinder):
    """Finds ``photopipe`` and what is below it among our modules."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return how to load a module of the old package; None for every other, and for one that we do not have."""
        if fullname != OLD and not fullname.startswith(OLD + "."):
            return None
        ours = importlib.util.find_spec(our_name(fullname))
        if ours is None:
            return None
        return importlib.machinery.ModuleSpec(
            fullname, _Loader(), is_package=ours.submodule_search_locations is not None
        )


def install() -> None:
    """Make the names known; a second call changes nothing. A `photopipe` imported before is an error.

    Raises
    ------
    ImportError
        When another package ``photopipe`` was imported already.
    """
    present = sys.modules.get(OLD)
    if present is not None and present is not sys.modules.get(NEW):
        raise ImportError(
            "Another package photopipe was imported before: make import photopipe_gui.as_photopipe the first line."
        )
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())


install()
