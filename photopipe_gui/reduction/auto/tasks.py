"""What a step is given and what it answers."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from astropy.io import fits

from ... import __version__
from ...errors import FrameError
from ..catalogs.config import CatalogConfig
from ..executor import Failure
from ..outcome import Value
from ..progress import Reporter

__all__ = ["Card", "Context", "Failure", "FrameTask", "GroupResult", "GroupTask", "StepResult", "finish_header"]

Card = tuple[str, Value, str]


@dataclass(frozen=True, slots=True)
class FrameTask:
    """One frame at one step.

    Attributes
    ----------
    frame : str
        Stem of the selected file.
    source, target : Path
        File to read and product to write.
    aids : mapping of str to Path
        ``bias``, ``dark``, ``flat``, ``sky``: only those that apply and exist.
    cards : tuple of (keyword, value, comment)
        Provenance to put into the product's header.
    """

    frame: str
    source: Path
    target: Path
    aids: Mapping[str, Path] = field(default_factory=dict)
    cards: tuple[Card, ...] = ()


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of one frame.

    Attributes
    ----------
    measurements : mapping
        Numbers for the report, by header keyword.
    product : Path or None
        File that goes on to the next step.
    dropped, skipped : str
        Why the frame leaves the run, or why the step did not apply to it; empty otherwise.
    reason : str
        A note on a frame that was done.
    """

    measurements: Mapping[str, Value] = field(default_factory=dict)
    product: Path | None = None
    dropped: str = ""
    skipped: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GroupTask:
    """The frames of one target and filter at one step.

    ``product`` is the group's own file (the sky frame), or for the last step the folder for the coadd.
    """

    key: str
    target_name: str
    filter: str
    frames: tuple[FrameTask, ...]
    product: Path | None = None
    cards: tuple[Card, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupResult:
    """What became of a group: an answer for every frame, and the group's product.

    ``others`` are further products of the group with their measurements: the coadds of frames that do not overlap.
    """

    frames: Mapping[str, StepResult | FrameError]
    product: Path | None = None
    measurements: Mapping[str, Value] = field(default_factory=dict)
    reason: str = ""
    others: Mapping[Path, Mapping[str, Value]] = field(default_factory=dict)


class Context(Protocol):
    """What a group step has at hand in the driver."""

    reporter: Reporter
    memory_limit: int
    scratch: Path
    catalogs: CatalogConfig

    @property
    def workers(self) -> int:
        """Number of workers."""

    def map(self, function: Callable[[Any], Any], items: Sequence[Any], label: str = "") -> list[Any]:
        """Run ``function(item)`` in the workers, in order; an exception becomes a `Failure` in its place."""


def finish_header(header: fits.Header, cards: Iterable[Card], step: str, history: str) -> fits.Header:
    """Return a copy with provenance cards set and one HISTORY line: step, what it did, version, time (UTC)."""
    finished = header.copy()
    for keyword, value, comment in cards:
        finished[keyword] = (value, comment)
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    finished.add_history(f"{step}: {history} [photopipe_gui {__version__}, {now}]")
    return finished
