"""Cosmic rays by L.A.Cosmic, with a noise model from the frame and a guard for the cores of sharp stars."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .background import BoolImage, FloatImage, clipped_level
from .objects import median_of_nine
from .starguard import GUARD_BELOW, star_regions

_LEAST_NOISE = 0.5
_EDGE = 3
_OBJLIM = ((2.4, 3.0), (2.8, 2.5), (5.0, 2.0))


@dataclass(frozen=True)
class CosmicSettings:
    """Settings of L.A.Cosmic (van Dokkum 2001, PASP 113, 1420).

    Attributes
    ----------
    sigclip : float
        Limit of the Laplacian in units of the noise.
    sigfrac : float
        Limit for the neighbours of a hit, as a fraction of ``sigclip``.
    objlim : float
        Least contrast between the Laplacian and the fine structure of the image; 0: by the FWHM of the stars
        (`objlim_for`).
    iterations : int
        At most so many; it ends when nothing new is found.
    fine_structure : str
        ``'median'`` (the published method) or ``'convolve'`` (with a Gaussian of the frame's FWHM).
    most : float
        Share of hit pixels above which the limit is raised by 5 and all is done again, three times at most.
    """

    sigclip: float = 5.0
    sigfrac: float = 0.3
    objlim: float = 0.0
    iterations: int = 2
    fine_structure: str = "median"
    most: float = 0.02


@dataclass(frozen=True)
class NoiseModel:
    """What makes the noise of a pixel: ``variance = (sky + signal) gain + read_noise^2`` in electrons.

    Attributes
    ----------
    gain : float
        e-/DN.
    read_noise : float
        e-; so that the sky's noise comes out as it was measured.
    sky : float
        DN that was subtracted from the image.
    """

    gain: float
    read_noise: float
    sky: float

    @property
    def sigma(self) -> float:
        """Noise of the sky in one pixel, DN."""
        return math.sqrt(self.read_noise**2 + self.sky * self.gain) / self.gain


@dataclass(frozen=True)
class Cosmics:
    """What was found.

    Attributes
    ----------
    hits : ndarray of bool, shape (ny, nx)
        Pixels hit.
    image : ndarray of float32, shape (ny, nx)
        The image with hit pixels replaced by the mean of the good ones around.
    sigclip : float
        Limit that was used in the end.
    spared : int
        Pixels that L.A.Cosmic flagged and that belong to a star.
    """

    hits: BoolImage
    image: FloatImage
    sigclip: float
    spared: int


def objlim_for(fwhm: float) -> float:
    """Return the contrast limit for stars of a FWHM in px (NaN: unknown, taken for sharp).

    The blunter the stars, the less contrast a hit needs to be told from them: of hits blurred by diffusion to a sigma
    of 0.5 px, 73 % of the pixels are found with a limit of 5 and 98 % with 2.
    """
    for below, limit in _OBJLIM:
        if fwhm < below:
            return limit
    return 1.5 if math.isfinite(fwhm) else _OBJLIM[0][1]


def noise_model(noise: float, gain: float, read_noise: float, sky: float) -> NoiseModel:
    """Return a noise model whose sky has the noise that the frame shows.

    Parameters
    ----------
    noise : float
        Robust noise of the sky in one pixel, DN, as measured.
    gain, read_noise, sky : float
        e-/DN, e- and DN as the header states them; NaN where unknown.

    Notes
    -----
    The stated read noise is kept when it explains the measured noise to a tenth. If not, the read noise takes the
    difference (flat-field and dark noise come in here), and where the stated sky alone would make more noise than is
    seen, the sky is reduced.
    """
    gain = gain if math.isfinite(gain) and gain > 0 else 1.0
    sky = sky if math.isfinite(sky) and sky > 0 else 0.0
    electrons = noise * gain
    if math.isfinite(read_noise) and read_noise > 0:
        stated = math.sqrt(read_noise**2 + sky * gain)
        if abs(stated - electrons) <= 0.1 * electrons:
            return NoiseModel(gain, read_noise, sky)
    rest = electrons**2 - sky * gain
    floor = min(_LEAST_NOISE, 0.5 * electrons)
    if rest < floor**2:
        return NoiseModel(gain, floor, max(electrons**2 - floor**2, 0.0) / gain)
    return NoiseModel(gain, math.sqrt(rest), sky)


def find_cosmics(
    image: FloatImage,
    exclude: NDArray[np.uint8] | BoolImage,
    noise: NoiseModel,
    fwhm: float,
    settings: CosmicSettings | None = None,
) -> Cosmics:
    """Find and repair cosmic rays.

    Parameters
    ----------
    image : ndarray of float32, shape (ny, nx)
        Sky-subtracted, DN; NaN where there is no measurement.
    exclude : ndarray, shape (ny, nx)
        Non-zero pixels (bad, saturated) are neither tested nor repaired.
    noise : NoiseModel
        See `noise_model`.
    fwhm : float
        Of the frame's stars in px; NaN when unknown (then stars are guarded as if they were sharp).
    settings : CosmicSettings, optional
        Settings.
    """
    settings = settings or CosmicSettings()
    bad = (np.asarray(exclude) != 0) | ~np.isfinite(image)
    if bad.all():
        return Cosmics(np.zeros(image.shape, np.bool_), image.copy(), settings.sigclip, 0)
    filled = _filled(image, bad)
    sigclip = settings.sigclip
    for attempt in range(4):
        hits, repaired = _lacosmic(filled, bad, noise, fwhm, settings, sigclip)
        spared = np.zeros_like(hits)
        if not math.isfinite(fwhm) or fwhm < GUARD_BELOW:
            spared = star_regions(filled, hits, fwhm if math.isfinite(fwhm) else 2.0, noise.sigma)
            hits = hits & ~spared
        if attempt == 3 or hits.mean() <= settings.most:
            break
        sigclip += 5.0
    out = image.copy()
    out[hits] = repaired[hits]
    return Cosmics(hits, out, sigclip, int(np.count_nonzero(spared)))


def _filled(image: FloatImage, bad: BoolImage) -> FloatImage:
    """Return the image without steps at its bad pixels: they take the median around, or the sky."""
    if not bad.any():
        return image.astype(np.float32)
    base = np.where(bad, np.float32(0), image)
    around = median_of_nine(np.where(np.isfinite(image), image, np.float32(0)))
    base[bad] = around[bad]
    return base.astype(np.float32)


def _lacosmic(
    image: FloatImage, bad: BoolImage, noise: NoiseModel, fwhm: float, settings: CosmicSettings, sigclip: float
) -> tuple[BoolImage, FloatImage]:
    from astroscrappy import detect_cosmics

    width = fwhm if math.isfinite(fwhm) else 2.5
    # The filters leave out two pixels at the edges: the image is continued beyond them.
    hits, repaired = detect_cosmics(
        np.pad(image + np.float32(noise.sky), _EDGE, mode="reflect"),
        inmask=np.pad(bad, _EDGE, mode="reflect"),
        sigclip=sigclip,
        sigfrac=settings.sigfrac,
        objlim=settings.objlim or objlim_for(fwhm),
        gain=noise.gain,
        readnoise=noise.read_noise,
        satlevel=np.inf,
        niter=settings.iterations,
        sepmed=True,
        cleantype="meanmask",
        fsmode=settings.fine_structure,
        psffwhm=width,
        psfsize=2 * int(1.5 * width) + 3,
    )
    inside = np.s_[_EDGE:-_EDGE, _EDGE:-_EDGE]
    found = np.asarray(hits[inside], dtype=np.bool_) & ~bad
    return found, np.asarray(repaired[inside] - np.float32(noise.sky), dtype=np.float32)


def sky_noise(image: FloatImage, exclude: BoolImage) -> float:
    """Return the robust noise of the sky in one pixel, DN; NaN without pixels."""
    return clipped_level(image, exclude, sigma=3.0).sigma
