"""Before a run: what is there, what is missing, and what to do about it."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ...errors import PhotopipeError
from ...instruments.model import Instrument
from ...reduction.auto.plan import AutoprocParams
from ...reduction.calibration import find_master, needs_of
from ...reduction.catalogs.config import CatalogConfig
from ...reduction.catalogs.lookup import check
from ...reduction.table import FrameRow
from ...reduction.workspace import Workspace
from .masters import MASTER_TYPES, MasterEntry, State

#: Every online catalogue is asked through this server.
CATALOGUE_HOST = ("vizier.cds.unistra.fr", 443)
#: Products of the steps, bytes for each pixel: five images of float32 with a mask, and the copy.
_BYTES_PER_PIXEL = 6 * 5 + 2


class Level(StrEnum):
    """How a line of the preflight stands."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Check:
    """One line: how it stands, what it says, and what can be done by a button.

    ``action`` is ``masters``, ``frames``, ``refcat`` or empty.
    """

    level: Level
    text: str
    remedy: str = ""
    action: str = ""


@dataclass(frozen=True)
class PreflightRequest:
    """What the checks look at.

    Attributes
    ----------
    science : sequence of FrameRow
        The kept science frames.
    masters : sequence of MasterEntry
        Masters of the night with their state.
    network : bool or None
        Whether the catalogue server answered; None when that was not tried.
    """

    night: Path
    instrument: Instrument
    science: Sequence[FrameRow]
    masters: Sequence[MasterEntry]
    params: AutoprocParams
    network: bool | None = None


def preflight(request: PreflightRequest) -> tuple[Check, ...]:
    """Return the lines of the preflight, in the order of the work. Reads the disk; not for the UI thread."""
    checks = [_science(request), *_masters(request), _catalogue(request), _disk(request), _writable(request.night)]
    return tuple(check for check in checks if check is not None)


def server_answers(timeout: float = 3.0) -> bool:
    """Return whether the catalogue server can be reached within the timeout, s."""
    try:
        with socket.create_connection(CATALOGUE_HOST, timeout=timeout):
            return True
    except OSError:
        return False


def _science(request: PreflightRequest) -> Check:
    groups = {(row.target, row.filter) for row in request.science}
    if not groups:
        return Check(Level.STOP, "No science frames are kept", "Accept some in Frames.", "frames")
    names = sorted({name for _, name in groups})
    targets = len({target for target, _ in groups})
    frames = "1 science frame" if len(request.science) == 1 else f"{len(request.science)} science frames"
    plural = "target" if targets == 1 else "targets"
    return Check(Level.OK, f"{frames}: {targets} {plural} in {', '.join(names)}")


def _masters(request: PreflightRequest) -> list[Check]:
    """Return a line for all masters at hand, and one for each kind of trouble."""
    wanted: dict[tuple[str, str], bool] = {}
    for row in request.science:
        for need in needs_of(request.instrument, row.camera, row.filter):
            wanted[need.mtype, need.key] = need.required
    folders = Workspace.of_night(request.night).calibration
    known = {entry.ident: entry for entry in request.masters}
    there = lacking = 0
    stale: list[tuple[str, str]] = []
    ready: list[tuple[str, str]] = []
    absent: list[Check] = []
    for ident in sorted(wanted, key=lambda ident: (MASTER_TYPES.index(ident[0]), ident[1])):
        entry, found = known.get(ident), find_master(*ident, folders)
        if found is not None and (entry is None or entry.state is not State.STALE):
            there += 1
            continue
        lacking += wanted[ident]
        if found is not None:
            stale.append(ident)
        elif entry is not None and entry.kept:
            ready.append(ident)
        elif wanted[ident]:
            absent.append(_absent(*ident, request))
    lines = []
    if there:
        text = "1 master at hand" if there == 1 else f"{there} masters at hand"
        lines.append(Check(Level.OK, f"{text}, {there + lacking} are wanted" if lacking else text))
    if stale:
        lines.append(Check(Level.WARNING, f"Out of date: {_listed(stale)}", _its_reason(stale, known), "masters"))
    if ready:
        level = Level.WARNING if any(wanted[ident] for ident in ready) else Level.NOTE
        lines.append(Check(level, f"Not built yet: {_listed(ready)}", "The frames for it are there.", "masters"))
    return lines + absent


def _listed(idents: Sequence[tuple[str, str]]) -> str:
    """Return masters by type: ``bias C0 C1, flat i Z``."""
    by_type: dict[str, list[str]] = {}
    for mtype, key in idents:
        by_type.setdefault(mtype, []).append(key)
    return "master " + ", ".join(f"{mtype} {' '.join(keys)}" for mtype, keys in by_type.items())


def _its_reason(idents: Sequence[tuple[str, str]], known: Mapping[tuple[str, str], MasterEntry]) -> str:
    return f"{known[idents[0]].reason}." if len(idents) == 1 else "The selection or a master below them changed."


def _absent(mtype: str, key: str, request: PreflightRequest) -> Check:
    count = sum(
        any((need.mtype, need.key) == (mtype, key) for need in needs_of(request.instrument, row.camera, row.filter))
        for row in request.science
    )
    frames = "1 frame" if count == 1 else f"{count} frames"
    if mtype == "flat":
        text, fate = f"No flat for {key}", f"{frames} will drop out"
    else:
        text, fate = f"No master {mtype} {key}", f"{frames} will keep the {mtype} level"
    return Check(Level.WARNING, text, f"{fate}. Put a {mtype}_{key}.fits of another night into calibration.")


def _catalogue(request: PreflightRequest) -> Check:
    params = request.params
    config = CatalogConfig(
        refcat=Path(params.refcat).expanduser() if params.refcat else None,
        customcat=Path(params.customcat).expanduser() if params.customcat else None,
        customcatfilt=tuple(params.customcatfilt),
    )
    try:
        check(config)
    except (PhotopipeError, OSError) as error:
        return Check(Level.STOP, "The reference catalogue cannot be used", str(error), "refcat")
    named = config.refcat or config.customcat
    if named is not None:
        return Check(Level.OK, f"Reference catalogue {named.name}")
    advice = "Name a file (refcat), or the coadds are aligned on each other and have no zero point."
    if params.offline:
        return Check(Level.WARNING, "Offline: only catalogues fetched earlier are used", advice, "refcat")
    if request.network is None:
        return Check(Level.NOTE, "Catalogues over the network: Gaia DR3, Pan-STARRS1, SDSS, 2MASS")
    if request.network:
        return Check(Level.OK, "The catalogue server answers (VizieR)")
    return Check(Level.WARNING, "The catalogue server does not answer", advice, "refcat")


def _disk(request: PreflightRequest) -> Check:
    pixels = sum(_pixels(row) for row in request.science)
    needed = _BYTES_PER_PIXEL * pixels
    free = shutil.disk_usage(request.night).free
    text = f"Disk: about {size_text(needed)} needed, {size_text(free)} free"
    if needed > 0.95 * free:
        return Check(Level.STOP, text, "Make room, or leave out frames.")
    return Check(Level.OK, text)


def _pixels(row: FrameRow) -> int:
    ny, nx = row.area.shape if row.area is not None else row.shape
    return ny * nx


def size_text(size: float) -> str:
    """Return a number of bytes as the observer reads it."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"


def _writable(night: Path) -> Check:
    if os.access(night, os.W_OK | os.X_OK):
        return Check(Level.OK, "The night can be written to")
    return Check(
        Level.STOP, "The night cannot be written to", f"Check the permissions of {night}, or copy it elsewhere."
    )


def worst(checks: Iterable[Check]) -> Level:
    """Return the gravest level of the lines."""
    order = list(Level)
    return max((line.level for line in checks), key=order.index, default=Level.OK)
