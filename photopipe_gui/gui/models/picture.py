"""A frame as the window shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class FramePicture:
    """Pixels and header of a frame.

    Attributes
    ----------
    pixels : ndarray, shape (ny, nx)
        The science area, uint16 or float32.
    cards : tuple of (str, str)
        The header, in order.
    calibrated : str
        Which masters were applied, in words; empty for a frame as it is on disk.
    """

    frame_id: str
    pixels: NDArray[Any]
    cards: tuple[tuple[str, str], ...]
    calibrated: str = ""

    @property
    def nbytes(self) -> int:
        """Size for the cache."""
        return int(self.pixels.nbytes) + 100 * len(self.cards)
