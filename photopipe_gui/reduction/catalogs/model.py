"""A reference catalogue: positions with proper motions, magnitudes by band."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Magnitudes = Mapping[str, tuple[Floats, Floats]]

#: Key of a magnitude whose band the catalogue does not name.
UNNAMED_BAND = ""


def separation(ra1: float, dec1: float, ra2: Floats, dec2: Floats) -> Floats:
    """Return the angle on the sky in degrees between one position and many (haversine formula, exact when small)."""
    a1, d1, a2, d2 = np.radians(ra1), np.radians(dec1), np.radians(ra2), np.radians(dec2)
    half = np.sin((d2 - d1) / 2) ** 2 + np.cos(d1) * np.cos(d2) * np.sin((a2 - a1) / 2) ** 2
    return np.asarray(np.degrees(2 * np.arcsin(np.sqrt(np.clip(half, 0, 1)))), dtype=np.float64)


@dataclass(frozen=True)
class ReferenceCatalog:
    """Reference stars.

    Attributes
    ----------
    name : str
        Where they come from, for headers and sentences.
    ra, dec : ndarray of float64, shape (n,)
        Degrees, ICRS, at ``epoch``.
    pmra, pmdec : ndarray of float64, shape (n,), or None
        Proper motion in mas/yr, ``pmra`` with the cosine of the declination; NaN where unknown.
    epoch : float
        Julian year of the positions, NaN when unknown (then no motion is applied).
    magnitudes : mapping of str to (magnitude, error)
        By band; NaN where a star has none; error 0 where the catalogue states none. The key ``''`` holds a magnitude
        whose band the catalogue does not name.
    systems : mapping of str to str
        Band to ``'AB'`` or ``'Vega'``.
    passbands : mapping of str to str
        Band to the filter set that the magnitudes belong to (``'PS1'``, ``'SDSS'``, ``'2MASS'``, ``'Johnson'``,
        ``'Gaia'``), where known.
    """

    name: str
    ra: Floats
    dec: Floats
    pmra: Floats | None = None
    pmdec: Floats | None = None
    epoch: float = float("nan")
    magnitudes: Magnitudes = field(default_factory=dict)
    systems: Mapping[str, str] = field(default_factory=dict)
    passbands: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ra)

    def at_epoch(self, year: float) -> tuple[Floats, Floats]:
        """Return right ascension and declination in degrees at a Julian year.

        Stars without a proper motion, and all stars when the catalogue's epoch or the year is unknown, stay where
        they are.
        """
        if self.pmra is None or self.pmdec is None or not np.isfinite(self.epoch) or not np.isfinite(year):
            return self.ra, self.dec
        years = year - self.epoch
        known = np.isfinite(self.pmra) & np.isfinite(self.pmdec)
        east = np.where(known, self.pmra, 0.0) * years / 3.6e6
        north = np.where(known, self.pmdec, 0.0) * years / 3.6e6
        shrink = np.maximum(np.cos(np.radians(self.dec)), 1e-6)
        return np.mod(self.ra + east / shrink, 360.0), np.clip(self.dec + north, -90.0, 90.0)

    def select(self, chosen: NDArray[Any]) -> ReferenceCatalog:
        """Return the stars that an index or boolean array of shape (n,) chooses."""
        return dataclasses.replace(
            self,
            ra=self.ra[chosen],
            dec=self.dec[chosen],
            pmra=None if self.pmra is None else self.pmra[chosen],
            pmdec=None if self.pmdec is None else self.pmdec[chosen],
            magnitudes={band: (mag[chosen], err[chosen]) for band, (mag, err) in self.magnitudes.items()},
        )

    def within(self, ra: float, dec: float, radius_deg: float) -> ReferenceCatalog:
        """Return the stars within a radius (degrees) of a position (degrees)."""
        return self.select(separation(ra, dec, self.ra, self.dec) <= radius_deg)

    def has_band(self, band: str) -> bool:
        """Return True when at least one star has a magnitude in the band."""
        return band in self.magnitudes and bool(np.isfinite(self.magnitudes[band][0]).any())

    def with_band(
        self, band: str, magnitude: Floats, error: Floats, system: str, passband: str = ""
    ) -> ReferenceCatalog:
        """Return the catalogue with a band added or replaced."""
        return dataclasses.replace(
            self,
            magnitudes={**self.magnitudes, band: (magnitude, error)},
            systems={**self.systems, band: system},
            passbands={**self.passbands, band: passband},
        )
