"""Instruments by name; an installed package adds its own through the entry points ``photopipe_gui.instruments``."""

from __future__ import annotations

import difflib
import functools
import logging
from collections import Counter
from importlib.metadata import entry_points
from pathlib import Path

from ..errors import FrameError, UsageError
from .lmi import LMI
from .model import Instrument
from .naming import fits_files
from .ratir import RATIR
from .rawheader import read_layout
from .rimas import RIMAS

ENTRY_POINTS = "photopipe_gui.instruments"
_log = logging.getLogger(__name__)


@functools.cache
def _all() -> dict[str, Instrument]:
    known = {instrument.name: instrument for instrument in (RATIR, LMI, RIMAS)}
    for point in entry_points(group=ENTRY_POINTS):
        try:
            added = point.load()
        except Exception:
            _log.exception("The instrument %s of the package %s cannot be loaded.", point.name, point.value)
            continue
        if isinstance(added, Instrument):
            known[added.name] = added
        else:
            _log.error("The entry point %s (%s) is no Instrument.", point.name, point.value)
    return known


def names() -> tuple[str, ...]:
    """Return the names of all instruments."""
    return tuple(_all())


def get(name: str | Instrument) -> Instrument:
    """Return an instrument by name, without regard to case.

    Raises
    ------
    UsageError
        For an unknown name; the text lists the known ones.
    """
    if isinstance(name, Instrument):
        return name
    known = _all()
    key = str(name).strip().lower()
    if key in known:
        return known[key]
    near = difflib.get_close_matches(key, known, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise UsageError(f"There is no instrument {name!r}; there are {', '.join(known)}.{hint}")


def detect(folder: Path | str, look_at: int = 12) -> Instrument | None:
    """Return the instrument whose frames lie in a folder, from the headers of a few files; None when no one's do."""
    votes: Counter[str] = Counter()
    files = fits_files(Path(folder))
    step = max(len(files) // look_at, 1)
    for path in files[::step][: 2 * look_at]:
        try:
            cards = read_layout(path).cards
        except FrameError:
            continue
        votes.update(name for name, instrument in _all().items() if instrument.recognise(cards))
    return _all()[votes.most_common(1)[0][0]] if votes else None
