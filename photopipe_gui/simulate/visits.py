"""Planning the frames that see the sky: twilight flats and visits to targets."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..instruments.model import Camera
from .detector import Region, dark_level
from .field import SkyField
from .frames import FramePlan, RegionPlan, describe_noise
from .headers import WRITERS
from .levels import EXTINCTION, SKY_BRIGHTNESS, SKY_DRIFT, WAVELENGTH, ZERO_POINTS
from .plan import Planner, Target
from .pointing import PointingError, draw_error, true_wcs_cards
from .randomness import generator
from .truth import ChannelTruth

_FLAT_FROM, _FLAT_TO = 1.4, 0.12
_FAINTEST = 0.04
_TRANSPARENCY = {"clear": (0.98, 1.0), "thin": (0.7, 1.0), "cloudy": (0.1, 1.0)}


@dataclass(frozen=True)
class Conditions:
    """The sky during one exposure: FWHM at 0.55 micron (arcsec), transparency, stars' elongation and its angle."""

    seeing: float
    transparency: float
    ellipticity: float
    angle: float


def conditions(planner: Planner, index: int, count: int) -> Conditions:
    """Return the conditions of the index-th exposure of a visit; seeing and clouds change slowly."""
    options = planner.options
    slow = generator(planner.seed, "conditions")
    phases = slow.uniform(0, 2 * np.pi, 4)
    rng = generator(planner.seed, "conditions", index)
    along = 2 * np.pi * index / max(count, 4)
    typical = planner.habit.seeing if options.seeing is None else options.seeing
    seeing = typical * math.exp(0.10 * math.sin(along + phases[0]) + rng.normal(0, 0.06))
    low, high = _TRANSPARENCY[options.sky]
    cloud = 0.5 + 0.35 * math.sin(1.7 * along + phases[1]) + 0.15 * rng.uniform(-1, 1)
    transparency = low + (high - low) * float(np.clip(cloud, 0, 1))
    return Conditions(seeing, transparency, float(rng.uniform(0.0, 0.08)), float(rng.uniform(0, np.pi)))


def sources_seen(
    planner: Planner, field: SkyField, region: Region, zero: float, sky: Conditions, scale: float, noise: float
) -> tuple[Any, ...]:
    """Return positions, electrons and shapes of the sources that can be told from the noise, for a `RegionPlan`.

    Parameters
    ----------
    zero : float
        Magnitude of one electron in the exposure.
    noise : float
        Noise of an empty pixel, e-.
    """
    fwhm_px = seeing_px(sky.seeing, region.band, scale)
    electrons = 10 ** (-0.4 * (field.magnitudes[region.band] - zero))
    fwhm = np.hypot(fwhm_px, field.size / scale)
    keep = electrons * 0.4 / fwhm**2 > _FAINTEST * noise
    seen = field.select(keep)
    ra, dec = seen.positions(planner.year)
    shape = seen.size / scale / fwhm[keep]
    ellipticity = np.where(seen.size > 0, seen.ellipticity * shape, sky.ellipticity)
    angle = np.where(seen.size > 0, np.radians(seen.angle), sky.angle)
    return ra, dec, electrons[keep], fwhm[keep], ellipticity, angle


def seeing_px(seeing: float, band: str, scale: float) -> float:
    """Return the FWHM in px of a band, from that at 0.55 micron in arcsec (as wavelength to the -0.2)."""
    return float(seeing * (WAVELENGTH[band] / 0.55) ** -0.2 / scale)


def _pixel_scale(planner: Planner, camera: Camera) -> float:
    return camera.scale * (2 if planner.instrument.name == "lmi" else 1)


def camera_error(planner: Planner, camera: Camera) -> tuple[float, float]:
    """Return rotation (deg) and relative scale error of a camera, the same all night."""
    rng = generator(planner.seed, "mounting", camera.number)
    return float(rng.normal(0, planner.options.rotation)), float(rng.normal(0, planner.options.scale))


def _wcs(planner: Planner, camera: Camera, exposure: Any, error: PointingError) -> Any:
    raw = {key: value for key, value, _ in WRITERS[planner.instrument.name](exposure)}
    radial = planner.habit.radial_distortion if planner.options.distortion else 0.0
    shape = planner.shape(camera)
    # Twilight frames of RATIR tell no pointing: their stars are where the drawing puts them.
    if planner.instrument.name == "ratir" and exposure.ftype == "flat":
        raw.update({"ETRRQRA": exposure.ra, "ETRRQDE": exposure.dec})
    cards = true_wcs_cards(planner.instrument, camera, raw, shape, error, radial)
    if not planner.options.distortion:
        cards = {key: value for key, value in cards.items() if not key.startswith("PV")}
        cards["CTYPE1"], cards["CTYPE2"] = "RA---TAN", "DEC--TAN"
    return cards


def twilight_levels(count: int) -> Any:
    """Return flat levels as fractions of saturation, evenly spaced in magnitudes from saturated to underexposed.

    A short series keeps all but its ends between 0.24 and 0.72, so that a master can be made of it.
    """
    if count >= 10:
        return np.geomspace(_FLAT_FROM, _FLAT_TO, count)
    return np.concatenate([[1.3], np.geomspace(0.72, 0.24, max(count - 2, 0)), [0.16]])[:count]


def flat_frames(planner: Planner, camera: Camera, filter_name: str, count: int) -> Iterator[FramePlan]:
    """Plan the evening flats of a filter: from saturated down to underexposed, the telescope moved in between."""
    detector = planner.detector(camera)
    exptime = planner.habit.flat_exposure
    field = planner.blank_field
    levels = twilight_levels(count)
    night = generator(planner.seed, "twilight", camera.number)
    between_halves = float(night.uniform(0.8, 1.0))
    scale = _pixel_scale(planner, camera)
    pedestal = detector.levels.bias / detector.software_gain
    for index, level in enumerate(levels.tolist()):
        rng = generator(planner.seed, "flat", camera.number, filter_name, index)
        move = rng.normal(0, 40, 2)
        start = planner.clock.tick(exptime + 22)
        exposure = planner.exposure(
            camera,
            "flat",
            start,
            exptime,
            filter_name,
            planner.next_number(),
            ra=field.ra,
            dec=field.dec,
            east=float(move[0]),
            north=float(move[1]),
        )
        error = PointingError(*(rng.normal(0, 30, 2).tolist()))
        wcs = _wcs(planner, camera, exposure, error)
        sky = Conditions(planner.habit.seeing * 1.2, 1.0, 0.02, 0.0)
        parts, channels = [], []
        for region in planner.regions(camera, filter_name):
            share = between_halves if region.suffix == "b" else 1.0
            target = level * share * float(rng.uniform(0.98, 1.02)) * detector.saturation
            electrons = max(target - pedestal, 0.02 * detector.saturation) * detector.gain
            zero = ZERO_POINTS[planner.instrument.name][region.band] + 2.5 * math.log10(exptime)
            noise = math.sqrt(electrons + detector.levels.read_noise**2)
            seen = sources_seen(planner, field.sources, region, zero, sky, scale, noise)
            # Nobody points a twilight flat at a star that would fill a pixel.
            faint = seen[2] * 0.4 / seen[3] ** 2 < 0.05 * detector.saturation * detector.gain
            slope = rng.normal(0, 0.002, 2)
            parts.append(
                RegionPlan(
                    region, electrons, (float(slope[0]), float(slope[1])), 0.0, *(values[faint] for values in seen)
                )
            )
            channels.append(
                ChannelTruth(
                    region.suffix,
                    region.filter,
                    region.band,
                    region.science,
                    math.nan,
                    electrons / detector.gain,
                    seeing_px(sky.seeing, region.band, scale),
                    1.0,
                    noise / detector.gain,
                )
            )
        yield planner.frame(camera, exposure, tuple(parts), error, wcs, channels)


@dataclass(frozen=True)
class Pointing:
    """One pointing of the telescope, common to all cameras: time, dither (arcsec), aperture and error."""

    index: int
    count: int
    start: datetime.datetime
    east: float
    north: float
    aperture: str
    error: tuple[float, float]


_PATTERN = ((0, 0), (1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, 1), (-1, -1), (1, -1))


def visit(planner: Planner, target_number: int) -> list[Pointing]:
    """Return the pointings of a visit, long enough for the camera with the most filters."""
    options, habit = planner.options, planner.habit
    count = options.n_science * max((len(planner.filters(camera)) for camera in planner.cameras), default=1)
    step = habit.dither if options.dither is None else options.dither
    jitter = habit.pointing_jitter if options.pointing_jitter is None else options.pointing_jitter
    exptime = options.exptime or habit.exposure
    pointings = []
    for index in range(count):
        rng = generator(planner.seed, "pointing", target_number, index)
        error = draw_error(rng, jitter, max(habit.pointing_limit, 3 * jitter), planner.offset)
        within = index % options.n_science
        lap, place = divmod(within, len(_PATTERN))
        east, north = (step * (1 + 0.4 * lap) * part for part in _PATTERN[place])
        aperture = ""
        if planner.instrument.name == "ratir":
            aperture = options.apertures[within * len(options.apertures) // options.n_science]
        gap = exptime + 18.3
        if options.collisions and index % 2 == 0:
            planner.clock.next_second()
            gap = 0.0
        pointings.append(Pointing(index, count, planner.clock.tick(gap + 0.31), east, north, aperture, error))
    return pointings


def _solved(planner: Planner, target: Target, pointing: Pointing) -> tuple[float, float] | None:
    """Where RATIR's finder sees the telescope point, to 2 arcsec and with an offset of its own."""
    if not planner.options.finder:
        return None
    rng = generator(planner.seed, "finder", target.name, pointing.index)
    east, north = rng.normal(0, 2.0, 2) + np.array([400.0, 900.0])
    dec = target.dec + (pointing.north + pointing.error[1] + north) / 3600
    cosine = math.cos(math.radians(target.dec))
    return target.ra + (pointing.east + pointing.error[0] + east) / 3600 / cosine, dec


def science_frame(
    planner: Planner, camera: Camera, filter_name: str, target: Target, pointing: Pointing, trail: bool
) -> FramePlan:
    """Plan one camera's frame of one pointing."""
    options, habit, detector = planner.options, planner.habit, planner.detector(camera)
    exptime = options.exptime or (habit.infrared_exposure if camera.infrared else habit.exposure)
    number = planner.next_number()
    exposure = planner.exposure(
        camera, "object", pointing.start, exptime, filter_name, number, target=target.name, ra=target.ra,
        dec=target.dec, east=pointing.east, north=pointing.north, aperture=pointing.aperture,
        solved=_solved(planner, target, pointing), texts_for_numbers=options.odd_values and number % 2 == 0,
    )  # fmt: skip
    turn, stretch = camera_error(planner, camera)
    error = PointingError(*pointing.error, turn, stretch, options.mirrored)
    wcs = _wcs(planner, camera, exposure, error)
    sky = conditions(planner, pointing.index, pointing.count)
    parts, channels = [], []
    for region in planner.regions(camera, filter_name):
        part, channel = _light(planner, camera, region, target, exposure, sky, pointing)
        parts.append(part)
        channels.append(channel)
    ends: tuple[float, ...] = ()
    if trail:
        ny, nx = detector.shape
        rng = generator(planner.seed, "trail", camera.number, filter_name, pointing.index)
        low, high = rng.uniform(0.1 * ny, 0.9 * ny, 2).tolist()
        ends = (-20.0, low, nx + 20.0, high)
    return planner.frame(camera, exposure, tuple(parts), error, wcs, channels, ends)


def _light(
    planner: Planner, camera: Camera, region: Region, target: Target, exposure: Any, sky: Conditions, pointing: Pointing
) -> tuple[RegionPlan, ChannelTruth]:
    """Sky and sources of one region."""
    detector, band, exptime = planner.detector(camera), region.band, exposure.exptime
    scale = _pixel_scale(planner, camera)
    rng = generator(planner.seed, "sky", region.filter, pointing.index)
    slow = generator(planner.seed, "sky", region.filter)
    airmass = exposure.airmass if math.isfinite(exposure.airmass) else 2.0
    clear = ZERO_POINTS[planner.instrument.name][band] + 2.5 * math.log10(exptime)
    zero = clear - EXTINCTION[band] * airmass + 2.5 * math.log10(sky.transparency)
    along = 2 * math.pi * pointing.index / max(pointing.count, 4)
    wander = 1 + SKY_DRIFT.get(band, 0.02) * (math.sin(along + slow.uniform(0, 6.28)) + rng.normal(0, 0.2))
    level = 10 ** (-0.4 * (SKY_BRIGHTNESS[band] - clear)) * scale**2 * wander
    # The night must leave the detector room: a sky that would fill two thirds of it is observed in moonless hours.
    level = min(level, 0.6 * detector.saturation * detector.gain)
    dark = dark_level(detector) * exptime * detector.gain
    noise = math.sqrt(level + dark + detector.levels.read_noise**2)
    gradient = planner.options.gradient
    direction = slow.uniform(0, 2 * np.pi) + 0.1 * pointing.index
    slope = (gradient * math.cos(direction), gradient * math.sin(direction))
    fringe = planner.options.fringes * (1 + 0.1 * float(rng.normal()))
    seen = sources_seen(planner, target.sources, region, zero, sky, scale, noise)
    extended = None
    if planner.options.field == "extended":
        usual = 10 ** (-0.4 * (SKY_BRIGHTNESS[band] - clear)) * scale**2
        extended = (3 * usual * sky.transparency, target.ra, target.dec)
    part = replace(RegionPlan(region, level, slope, fringe, *seen), extended=extended)
    channel = ChannelTruth(
        region.suffix, region.filter, band, region.science, zero - 2.5 * math.log10(detector.gain),
        level / detector.gain, seeing_px(sky.seeing, band, scale), sky.transparency,
        describe_noise(level, detector, dark),
    )  # fmt: skip
    return part, channel
