"""Finishing a coadd: seeing, zero point, source catalogue, and the files themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ...catalogs.config import CatalogConfig
from ...core.coadd import correlation_factor
from ...core.grid import Grid, to_sky
from ...core.photcal import ZeroPoint, fit_zero_point, match_sky
from ...core.skycat import Catalogue, magnitudes, measure_sources
from ...core.starphot import StarPhotometry, measure_stars
from ...fitsio import atomic_write, write_image, write_text
from ...frame import Mask
from ..tasks import finish_header
from .coadd_header import Member, coadd_header, companions
from .framecards import Card, julian_year, number, put
from .stack_jobs import Planes
from .zpgroup import find_reference

SPIX = 1.34  # diameter of the aperture in units of the seeing


@dataclass(frozen=True)
class FinishJob:
    """A combined coadd to measure and write.

    ``fields`` are centre and reach of the frames; ``aligned`` is False when positions are only relative.
    """

    product: Path
    planes: Planes
    grid: Grid
    members: tuple[Member, ...]
    fields: tuple[tuple[tuple[float, float], float], ...]
    aligned: bool
    filter: str
    catalogs: CatalogConfig
    kernel: str
    radius: float
    fewest: int
    clip: float
    with_catalogue: bool
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Finished:
    """What was written and found."""

    product: Path
    facts: dict[str, Any]
    reason: str


def finish(job: FinishJob) -> Finished:
    """Measure a coadd and write it with its weight map and source catalogue."""
    value, weight, count, mask = job.planes.read()
    header = coadd_header(job.members, job.grid, job.kernel, ())
    factor = correlation_factor([member.layer for member in job.members])
    gain = number(header, "GAIN")
    bad, saturated = (mask & Mask.NODATA) != 0, (mask & Mask.SATURATED) != 0
    seeing = [member.layer.fwhm for member in job.members if math.isfinite(member.layer.fwhm)]
    stars = measure_stars(value, bad, saturated, np.zeros_like(bad), gain=gain, noise_factor=factor,
                          expected=float(np.median(seeing)) if seeing else math.nan)
    cards, reason = _zero_point(job, stars)
    put(header, cards)
    history = f"{len(job.members)} frames combined"
    finished = finish_header(header, job.cards, "stack", history)
    weight_path, table_path, regions_path = companions(job.product)
    weight_header = finish_header(coadd_header(job.members, job.grid, job.kernel, ()), job.cards, "stack", history)
    put(weight_header, [("BUNIT", "DN-2", "inverse variance of the coadd")])
    write_image(weight_path, weight, weight_header, {"COUNT": count})
    if job.with_catalogue and math.isfinite(stars.fwhm):
        _write_catalogue(job, value, bad, saturated, stars, header, table_path, regions_path)
    # The coadd itself last: where it is, everything beside it is whole.
    write_image(job.product, value, finished, {"MASK": mask})
    facts = {key: header[key] for key in ("NSTACK", "SEEPIX", "SPIX", "ABSZPT", "ABSZPERR", "ABSZPTSC", "ABSZPRMS",
                                          "ABSZPN", "ABSZPCAT", "TOTALEXP", "SKYSIGMA", "NREJECT") if key in header}
    if "SEEPIX" in facts:
        facts["SEEING"] = round(float(facts["SEEPIX"]) * job.grid.scale * 3600, 3)
    return Finished(job.product, facts, reason)


def _zero_point(job: FinishJob, stars: StarPhotometry) -> tuple[list[Card], str]:
    """Return the cards of seeing, aperture and zero point, and in words why there is no zero point."""
    cards: list[Card] = []
    if math.isfinite(stars.fwhm):
        diameter = SPIX * stars.fwhm
        cards += [("SEEPIX", round(stars.fwhm, 4), "seeing: FWHM of the stars, px"),
                  ("SPIX", round(diameter, 4), "aperture: diameter of 1.34 seeing, px"),
                  ("APERCOR", round(_correction(stars, diameter / 2), 5), "mag to add to those of the aperture SPIX")]
        whole = stars.growth.uniform
        cards.append(("APERDEF", "total" if whole else "2.5 FWHM",
                      "ABSZPT: all light of a star" if whole else "ABSZPT: light within this radius"))
    if not job.aligned:
        return [*cards, ("ABSZPCAT", "none", "no reference: aligned among the frames only")], ""
    fit, system, name, told = _fit(job, stars)
    if fit is None or fit.n < job.fewest or not math.isfinite(fit.value):
        common = _common_zero_point(job.members)
        if common is None:
            why = told if fit is None else f"{fit.n} stars with a usable reference magnitude, {job.fewest} needed"
            return [*cards, ("ABSZPCAT", "none", "no reference magnitudes")], f"no zero point: {why}"
        cards += [("ABSZPT", round(common[0], 5), "zero point of the frames, mag of 1 DN"),
                  ("ABSZPERR", round(common[1], 5), "its standard deviation, mag"),
                  ("ABSZPN", 0, "stars of the coadd used")]
        return cards, "zero point of the frames: too few stars of the coadd have a reference magnitude"
    error = math.hypot(fit.error, stars.growth.error if stars.growth.uniform else 0.0)
    cards += [("ABSZPT", round(fit.value, 5), f"zero point, {system} mag of 1 DN"),
              ("ABSZPERR", round(error, 5), "its standard deviation, mag"),
              ("ABSZPTSC", round(fit.scatter, 5), "1.48 x median absolute deviation of the stars"),
              ("ABSZPRMS", round(fit.rms, 5), "rms deviation of the stars"), ("ABSZPN", fit.n, "stars used"),
              ("ABSZPCAT", name[:60] or "unnamed", "reference magnitudes"), ("ABSZPSYS", system, "magnitude system")]
    return cards, ""


def _values(stars: StarPhotometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the magnitudes that the zero point is made for: of all light where that can be known."""
    if stars.growth.uniform:
        return stars.magnitude, stars.error
    return stars.wide_magnitude, stars.wide_error


def _correction(stars: StarPhotometry, radius: float) -> float:
    """Return the magnitude that leads from an aperture to the light that the zero point is made for."""
    whole = 1.0 if stars.growth.uniform else stars.growth.captured(stars.wide_radius)
    return float(2.5 * np.log10(min(stars.growth.captured(radius) / whole, 1.0)))


def _fit(job: FinishJob, stars: StarPhotometry) -> tuple[ZeroPoint | None, str, str, str]:
    """Fit the zero point of the coadd; also the magnitude system, the catalogue's name, and why there is none."""
    catalogue, band, told = find_reference(job.catalogs, job.fields, job.filter)
    if catalogue is None or not stars.n:
        return None, "", "", told if catalogue is None else "no stars on the coadd"
    ra, dec = to_sky(job.grid.wcs(), stars.x, stars.y)
    header = fits.Header.fromstring(job.members[0].header)
    reference_ra, reference_dec = catalogue.at_epoch(julian_year(str(header.get("DATE-OBS", ""))))
    magnitude, error = catalogue.magnitudes[band]
    known = np.isfinite(magnitude)
    star, entry, alone = match_sky(ra, dec, reference_ra[known], reference_dec[known], job.radius)
    if alone.sum() >= 8:
        star, entry = star[alone], entry[alone]
    values, errors = _values(stars)
    fit = fit_zero_point(values[star], errors[star], magnitude[known][entry], error[known][entry], clip=job.clip)
    return fit, catalogue.systems.get(band, "AB"), catalogue.name, told


def _common_zero_point(members: Sequence[Member]) -> tuple[float, float] | None:
    """Return the zero point that the frames were brought to, and its error; None when they have none."""
    values, errors = [], []
    for member in members:
        header = fits.Header.fromstring(member.header)
        value = number(header, "ABSZPT")
        if math.isfinite(value):
            values.append(value + 2.5 * math.log10(member.scale))
            errors.append(number(header, "ABSZPERR", 0.1))
    return (float(np.median(values)), float(np.median(errors))) if values else None


def _write_catalogue(
    job: FinishJob,
    value: NDArray[np.float32],
    bad: NDArray[np.bool_],
    saturated: NDArray[np.bool_],
    stars: StarPhotometry,
    header: fits.Header,
    table: Path,
    regions: Path,
) -> None:
    """Measure all sources and write the table and the regions."""
    found = measure_sources(value, bad, saturated, fwhm=stars.fwhm, radius=SPIX * stars.fwhm / 2, noise=stars.noise,
                            gain=number(header, "GAIN"))
    zero_point = number(header, "ABSZPT")
    ra, dec = to_sky(job.grid.wcs(), found.sources.x, found.sources.y)
    columns = _columns(found, ra, dec, zero_point, number(header, "APERCOR", 0.0))
    hdu = fits.BinTableHDU.from_columns(columns, name="SOURCES")
    for keyword in ("ABSZPT", "ABSZPERR", "ABSZPSYS", "ABSZPCAT", "SEEPIX", "SPIX", "APERCOR", "APERDEF", "FILTER",
                    "TARGNAME", "PIXSCALE"):
        if keyword in header:
            put(hdu.header, [(keyword, header[keyword], header.comments[keyword])])
    primary = fits.PrimaryHDU(header=finish_header(fits.Header(), job.cards, "stack", f"sources of {job.product.name}"))
    with atomic_write(table) as stream:
        fits.HDUList([primary, hdu]).writeto(stream)
    lines = ["# Region file format: DS9", "global color=green", "fk5"]
    size = 2 * stars.fwhm * job.grid.scale * 3600
    lines += [f'circle({a:.7f},{b:.7f},{size:.2f}") # color={"red" if flag else "green"}'
              for a, b, flag in zip(ra, dec, found.flags, strict=True)]
    write_text(regions, "\n".join(lines) + "\n")


def _columns(found: Catalogue, ra: Any, dec: Any, zero_point: float, correction: float) -> list[fits.Column]:
    """Return the columns of the source table; magnitudes are NaN without a zero point."""
    aperture = magnitudes(found.flux, found.flux_error, zero_point + correction)
    kron = magnitudes(found.kron_flux, found.kron_error, zero_point)
    sources = found.sources
    wanted: list[tuple[str, str, str, Any]] = [
        ("NUMBER", "J", "", np.arange(1, sources.n + 1)), ("RA", "D", "deg", ra), ("DEC", "D", "deg", dec),
        ("X", "D", "pix", sources.x + 1), ("Y", "D", "pix", sources.y + 1),
        ("FLUX_APER", "E", "DN", found.flux), ("FLUXERR_APER", "E", "DN", found.flux_error),
        ("MAG_APER", "E", "mag", aperture[0]), ("MAGERR_APER", "E", "mag", aperture[1]),
        ("FLUX_KRON", "E", "DN", found.kron_flux), ("FLUXERR_KRON", "E", "DN", found.kron_error),
        ("MAG_KRON", "E", "mag", kron[0]), ("MAGERR_KRON", "E", "mag", kron[1]),
        ("KRON_RADIUS", "E", "pix", found.kron_radius), ("FWHM", "E", "pix", sources.fwhm),
        ("ELONGATION", "E", "", sources.elongation), ("THETA", "E", "deg", np.degrees(sources.theta)),
        ("SNR", "E", "", sources.snr), ("FLAGS", "J", "", found.flags),
    ]
    return [fits.Column(name=name, format=kind, unit=unit or None, array=values) for name, kind, unit, values in wanted]
