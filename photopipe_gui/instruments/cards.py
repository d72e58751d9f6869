"""The small types that a header and a detector are described with."""

from __future__ import annotations

from typing import NamedTuple

Card = str | int | float | bool


class Unparsable(str):
    """The text of a header value that is no FITS value, such as ``6,4E-05``."""


class Area(NamedTuple):
    """A rectangle of pixels, numpy order, end excluded: ``image[y0:y1, x0:x1]``."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y1 - self.y0, self.x1 - self.x0
