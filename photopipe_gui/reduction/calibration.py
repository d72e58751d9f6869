"""Which master frame belongs to which frame, and where masters are looked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..instruments.header import safe_name
from ..instruments.model import Instrument


def master_name(mtype: str, key: str) -> str:
    """Return the file name of a master: ``bias_C0.fits``, ``flat_SDSS-Z.fits``."""
    return f"{mtype}_{safe_name(key)}.fits"


def find_master(mtype: str, key: str, folders: Sequence[Path]) -> Path | None:
    """Return the first master of that type and key in the folders, in their order; None when there is none."""
    name = master_name(mtype, key)
    for folder in folders:
        path = folder / name
        if path.is_file():
            return path
    return None


@dataclass(frozen=True, slots=True)
class MasterNeed:
    """A master that a frame calls for.

    Attributes
    ----------
    mtype, key : str
        ``bias`` and ``C0``, or ``flat`` and the filter.
    required : bool
        Whether the reduction of the frame fails without it.
    """

    mtype: str
    key: str
    required: bool

    @property
    def name(self) -> str:
        """File name of the master."""
        return master_name(self.mtype, self.key)


def needs_of(instrument: Instrument | None, camera: int, filter_name: str) -> tuple[MasterNeed, ...]:
    """Return the masters a science frame calls for: bias and dark when its camera takes them, and its filter's flat.

    The dark is used when there is one, as PhotoPipe does; bias and flat are required. An unknown instrument asks
    for a flat alone.
    """
    takes_bias = takes_dark = False
    if instrument is not None:
        model = instrument.camera(camera)
        takes_bias, takes_dark = model.takes_bias, model.takes_dark
    needs = [MasterNeed("bias", f"C{camera}", True)] if takes_bias else []
    needs += [MasterNeed("dark", f"C{camera}", False)] if takes_dark or not takes_bias else []
    return (*needs, MasterNeed("flat", filter_name, True))
