"""The frames of a night as a table: one row a frame, or one a half for split cameras."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..instruments.cards import Area


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One frame, or one half of a split camera's frame.

    Attributes
    ----------
    frame_id : str
        Stem of the raw file, with ``_<filter>`` for halves; unique in the night, the key of verdicts.
    path : Path
        Raw file.
    camera : int
    channel : str
        ``''``, or ``a`` / ``b`` for the halves of a split camera.
    ftype : str
        ``bias``, ``dark``, ``flat`` or ``object``.
    filter : str
        Filter as the instrument names it.
    exptime : float
        s; NaN when unknown (bias frames may lack it).
    mjd : float
        Start of exposure, UTC; NaN when unknown.
    target : str
        Target name without white space.
    airmass, saturation, gain, scale : float
        NaN when unknown; DN, e-/DN, arcsec/px.
    area : Area or None
        Science area; None when unknown.
    shape : tuple of int
        Rows and columns of the raw image.
    target_half : bool or None
        Whether the target is on this half; None for unsplit cameras.
    problem : str
        Why the frame cannot be used; empty when it can.
    """

    frame_id: str
    path: Path
    camera: int
    channel: str
    ftype: str
    filter: str
    exptime: float = math.nan
    mjd: float = math.nan
    date_obs: str = ""
    target: str = ""
    airmass: float = math.nan
    saturation: float = math.nan
    gain: float = math.nan
    scale: float = math.nan
    area: Area | None = None
    shape: tuple[int, int] = (0, 0)
    target_half: bool | None = None
    problem: str = ""

    @property
    def key(self) -> str:
        """Key in selections: the camera (``C0``) for bias and dark, else the filter."""
        return f"C{self.camera}" if self.ftype in ("bias", "dark") else self.filter


@dataclass(frozen=True)
class FrameTable:
    """The rows of a night in order of time, and what was left out of it in words.

    Attributes
    ----------
    folder : Path
    instrument : str
        Name of the instrument.
    rows : tuple of FrameRow
    notes : tuple of str
        One sentence for each file or kind of file that is no frame of this instrument.
    """

    folder: Path
    instrument: str
    rows: tuple[FrameRow, ...] = ()
    notes: tuple[str, ...] = ()
    _index: dict[str, FrameRow] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._index.update((row.frame_id, row) for row in self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[FrameRow]:
        return iter(self.rows)

    def __contains__(self, frame_id: object) -> bool:
        return frame_id in self._index

    def by_id(self, frame_id: str) -> FrameRow:
        """Return the row of a frame id; KeyError when there is none."""
        return self._index[frame_id]

    def where(
        self,
        ftype: str | None = None,
        cameras: Iterable[int] | None = None,
        filter: str | None = None,
        test: Callable[[FrameRow], bool] | None = None,
    ) -> FrameTable:
        """Return the rows that fit every condition given."""
        wanted = None if cameras is None else set(cameras)
        rows = tuple(
            row
            for row in self.rows
            if (ftype is None or row.ftype == ftype)
            and (wanted is None or row.camera in wanted)
            and (filter is None or row.filter == filter)
            and (test is None or test(row))
        )
        return FrameTable(self.folder, self.instrument, rows, self.notes)

    def siblings(self, row: FrameRow) -> tuple[FrameRow, ...]:
        """Return the rows of the same raw file: the row itself, and the other half for split cameras."""
        return tuple(other for other in self.rows if other.path == row.path)
