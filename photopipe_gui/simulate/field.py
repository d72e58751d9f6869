"""The sky of a simulated night: stars and galaxies with magnitudes in every band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .randomness import generator

Floats = NDArray[np.float64]

EPOCH = 2016.0
BANDS = ("u", "g", "r", "i", "z", "y", "U", "B", "V", "R", "I", "J", "H", "K")
FIELDS = ("sparse", "normal", "crowded", "extended")

_BRIGHTEST, _KNEE, _FAINTEST = 9.5, 20.0, 24.0
_STEEP, _FLAT = 0.30, 0.16
#: Stars brighter than r = 20 per square degree.
_DENSITY = {"sparse": 1500.0, "normal": 12000.0, "crowded": 150000.0, "extended": 9000.0}
_GALAXIES = 2500.0


@dataclass(frozen=True)
class SkyField:
    """Stars and galaxies.

    Attributes
    ----------
    ra, dec : ndarray
        deg, at `EPOCH`.
    pmra, pmdec : ndarray
        mas/yr, the first with cos(dec).
    magnitudes : dict of str to ndarray
        By band; AB for u g r i z y, Vega for the others.
    size : ndarray
        FWHM of galaxies before the seeing, arcsec; 0 for stars.
    ellipticity, angle : ndarray
        1 - b/a and position angle of galaxies (deg).
    """

    ra: Floats
    dec: Floats
    pmra: Floats
    pmdec: Floats
    magnitudes: dict[str, Floats]
    size: Floats
    ellipticity: Floats
    angle: Floats

    def __len__(self) -> int:
        return len(self.ra)

    def positions(self, year: float) -> tuple[Floats, Floats]:
        """Return right ascension and declination (deg) at a Julian year."""
        years = year - EPOCH
        dec = self.dec + self.pmdec * years / 3.6e6
        return self.ra + self.pmra * years / 3.6e6 / np.cos(np.radians(self.dec)), dec

    def select(self, keep: NDArray[Any]) -> SkyField:
        """Return the sources of a boolean or index array."""
        magnitudes = {band: values[keep] for band, values in self.magnitudes.items()}
        names = ("ra", "dec", "pmra", "pmdec", "size", "ellipticity", "angle")
        return SkyField(magnitudes=magnitudes, **{name: getattr(self, name)[keep] for name in names})


def star_magnitudes(rng: np.random.Generator, density: float, area: float) -> Floats:
    """Draw r magnitudes from counts that go as 10^(0.30 m) up to r = 20 and 10^(0.16 m) beyond.

    Parameters
    ----------
    density : float
        Stars brighter than r = 20 per square degree.
    area : float
        Square degrees.
    """
    at_knee = density * area
    at_top = at_knee * 10 ** (_STEEP * (_BRIGHTEST - _KNEE))
    at_end = at_knee * 10 ** (_FLAT * (_FAINTEST - _KNEE))
    count = rng.poisson(at_end)
    cumulative = rng.uniform(at_top, at_end, count)
    steep = _KNEE + np.log10(cumulative / at_knee) / _STEEP
    flat = _KNEE + np.log10(cumulative / at_knee) / _FLAT
    return np.where(cumulative < at_knee, steep, flat)


def band_magnitudes(rng: np.random.Generator, r: Floats, colour: Floats) -> dict[str, Floats]:
    """Return magnitudes in every band along a stellar locus of the colour g - r, with 0.02 to 0.05 mag of scatter.

    The slopes follow the locus of field stars roughly; B V R I from Lupton (2005, SDSS DR7 algorithms page).
    """

    def spread(scatter: float) -> Floats:
        return rng.normal(0.0, scatter, len(r))

    r_i = 0.02 + 0.32 * colour + 0.9 * np.clip(colour - 1.15, 0, None) + spread(0.02)
    mags = {"r": r, "g": r + colour, "i": r - r_i}
    mags["u"] = mags["g"] + 0.75 + 1.05 * colour + spread(0.05)
    mags["z"] = mags["i"] - (0.58 * r_i - 0.02) - spread(0.02)
    mags["y"] = mags["z"] - 0.30 * r_i - spread(0.02)
    mags["B"] = mags["g"] + 0.3130 * colour + 0.2271
    mags["V"] = mags["g"] - 0.5784 * colour - 0.0038
    mags["R"] = r - 0.1837 * colour - 0.0971
    mags["I"] = r - 1.2444 * r_i - 0.3820
    mags["U"] = mags["B"] + 0.9 * (colour - 0.35) + spread(0.05)
    mags["J"] = mags["y"] - 0.75 - 0.55 * r_i + spread(0.03)
    mags["H"] = mags["J"] - 0.15 - 0.42 * np.minimum(colour, 1.3) + spread(0.03)
    mags["K"] = mags["H"] - 0.03 - 0.08 * colour + spread(0.02)
    return mags


def _scatter(rng: np.random.Generator, count: int, ra: float, dec: float, radius: float) -> tuple[Floats, Floats]:
    """Draw positions uniformly in a cone."""
    distance = radius * np.sqrt(rng.uniform(size=count))
    angle = rng.uniform(0, 2 * np.pi, count)
    north = dec + distance * np.cos(angle)
    return (ra + distance * np.sin(angle) / np.cos(np.radians(north))) % 360, north


def _join(parts: list[Floats]) -> Floats:
    return np.concatenate(parts).astype(np.float64)


def make_field(
    seed: int, ra: float, dec: float, radius: float, kind: str = "normal", proper_motions: bool = True
) -> SkyField:
    """Make the sources of a cone.

    Parameters
    ----------
    ra, dec, radius : float
        deg.
    kind : str
        One of `FIELDS`.
    proper_motions : bool
        Stars move (some 8 mas/yr, a few per cent ten times faster); otherwise they stand still.

    Returns
    -------
    SkyField
        The first source is the target: a star of r = 18 at the centre.
    """
    rng = generator(seed, "field", f"{ra:.6f}", f"{dec:.6f}")
    area = np.pi * radius**2
    r = np.append(18.0, star_magnitudes(rng, _DENSITY[kind], area))
    blue = rng.uniform(size=len(r)) < 0.6
    colour = np.where(blue, rng.normal(0.48, 0.12, len(r)), rng.normal(1.25, 0.18, len(r))).clip(-0.2, 1.6)
    galaxies = rng.poisson(_GALAXIES * area)
    galaxy_r = (22.0 + np.log10(rng.uniform(1e-4, 1, galaxies)) / 0.42).clip(15.5, None)
    colour = np.append(colour, rng.normal(0.8, 0.25, galaxies).clip(0, 1.5))
    x, y = _scatter(rng, len(r) - 1 + galaxies, ra, dec, radius)
    count = len(r) + galaxies
    speed = rng.exponential(6.0, count) * np.where(rng.uniform(size=count) < 0.03, 10, 1) * proper_motions
    direction = rng.uniform(0, 2 * np.pi, count)
    is_star = np.arange(count) < len(r)
    sizes = (0.6 + rng.exponential(0.8, count)) * 10 ** (0.12 * (20 - np.append(r, galaxy_r)))
    return SkyField(
        _join([np.array([ra]), x]),
        _join([np.array([dec]), y]),
        np.where(is_star, speed * np.sin(direction), 0.0),
        np.where(is_star, speed * np.cos(direction), 0.0),
        band_magnitudes(rng, np.append(r, galaxy_r), colour),
        np.where(is_star, 0.0, sizes.clip(0.4, 8.0)),
        np.where(is_star, 0.0, rng.uniform(0, 0.6, count)),
        rng.uniform(0, 180, count),
    )
