"""Planning a night: which frames, when, where, how bright; nothing is drawn yet."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..instruments import registry
from ..instruments.cards import Area
from ..instruments.model import Camera, Channel
from ..instruments.values import mjd, moment
from ..reduction.catalogs.bands import band_of
from .detector import Detector, Region, dark_level, lit_area
from .field import SkyField, make_field
from .frames import FramePlan, RegionPlan, cosmic_count, describe_noise
from .headers import WRITERS, Exposure, raw_name
from .levels import HABITS, Habit
from .options import NightOptions
from .pointing import PointingError
from .randomness import generator
from .truth import ChannelTruth, FrameTruth

_SOFTWARE_GAIN = {("ratir", 0): 4.0, ("ratir", 1): 4.0, ("ratir", 2): 2.0, ("ratir", 3): 2.0}
_RIMAS_SATURATION = 60000.0
_RADIUS_MARGIN = 0.075
_TARGETS = {"ratir": "2013A-1{0:03d}-vis{1}", "lmi": "GRB 2105{0:02d}{1}", "rimas": "GRB2511{0:02d}{1}"}


def software_gain(instrument: str, camera: int) -> float:
    """Return the factor that a camera's counts are divided by before they are written (SOFTGAIN of RATIR)."""
    return _SOFTWARE_GAIN.get((instrument, camera), 1.0)


@dataclass(frozen=True)
class Target:
    """A field that is observed: name, position (deg) and its sources."""

    name: str
    ra: float
    dec: float
    sources: SkyField


@dataclass
class Clock:
    """Time of night; `tick` returns the start of the next exposure."""

    now: datetime.datetime

    def tick(self, seconds: float) -> datetime.datetime:
        """Return the present time and let it pass."""
        start = self.now
        self.now = start + datetime.timedelta(seconds=seconds)
        return start

    def next_second(self) -> None:
        """Let the time pass until a second begins."""
        if self.now.microsecond:
            self.now = self.now.replace(microsecond=0) + datetime.timedelta(seconds=1)


class Planner:
    """Plans the frames of one night."""

    def __init__(self, folder: Path, truth_folder: Path, name: str, seed: int, options: NightOptions) -> None:
        self.instrument = registry.get(name)
        self.folder, self.truth_folder, self.seed, self.options = folder, truth_folder, seed, options
        self.habit: Habit = HABITS[name]
        self.start = moment(self.habit.date)
        self.clock = Clock(self.start)
        self.year = 2000.0 + (mjd(self.start) - 51544.5) / 365.25
        self.number = 0
        rng = generator(seed, "night")
        offset = self.habit.pointing_offset if options.pointing_offset is None else options.pointing_offset
        angle = rng.uniform(0, 2 * np.pi)
        size = offset * rng.uniform(0.3, 1.0)
        self.offset = (size * math.cos(angle), size * math.sin(angle))

    @property
    def cameras(self) -> list[Camera]:
        """The cameras in use."""
        return [self.instrument.camera(number) for number in self.options.cameras or ()]

    def filters(self, camera: Camera) -> list[str]:
        """Filters of a camera in use; a camera whose filters were not asked for has none."""
        wanted = self.options.filters or ()
        if camera.split:
            return [camera.channels[0].filter] if set(camera.filters) & set(wanted) else []
        return [name for name in wanted if name in camera.filters]

    def shape(self, camera: Camera) -> tuple[int, int]:
        """Rows and columns read out."""
        if self.instrument.name == "ratir":
            return camera.shape
        ny, nx = camera.shape
        return round(ny * self.options.size), round(nx * self.options.size)

    def detector(self, camera: Camera) -> Detector:
        """The camera's detector on this night."""
        name = self.instrument.name
        software = software_gain(name, camera.number)
        if name == "ratir":
            ceiling = camera.ceiling / software
            saturation = ceiling - 1
        elif name == "lmi":
            ceiling, saturation = 65535.0, camera.ceiling
        else:
            ceiling, saturation = _RIMAS_SATURATION + 500, _RIMAS_SATURATION
        return Detector(
            name,
            camera.number,
            self.shape(camera),
            self.seed,
            camera.gain / software,
            software,
            ceiling,
            saturation,
            camera.infrared,
        )

    def science_area(self, camera: Camera, channel: Channel) -> Area:
        """The science area of a channel on the raw image."""
        ny, nx = self.shape(camera)
        if channel.area is not None:
            return channel.area
        if self.instrument.name == "lmi":
            if self.options.size == 1:
                return self.instrument.rules.area({"CCDSUM": "2 2"}, camera, channel, (ny, nx))
            return Area(3, ny - 11, 27, nx - 4)
        return Area(0, ny, 0, nx)

    def regions(self, camera: Camera, filter_name: str) -> list[Region]:
        """Regions of a camera with a filter in front; the halves of a split camera keep their own filters."""
        detector = self.detector(camera)
        regions = []
        for channel in camera.channels:
            name = channel.filter or filter_name
            science = self.science_area(camera, channel)
            light = lit_area(detector, science, channel.suffix)
            band = band_of(name)
            assert band is not None, name
            regions.append(Region(channel.suffix, name, band, light, science))
        return regions

    def master_keys(self) -> list[tuple[Detector, list[Region]]]:
        """Each camera in use with all of its regions."""
        found = []
        for camera in self.cameras:
            regions = [region for name in self.filters(camera) for region in self.regions(camera, name)]
            if regions:
                found.append((self.detector(camera), regions))
        return found

    @cached_property
    def radius(self) -> float:
        """Radius (deg) that the frames of a target may reach."""
        half = max(
            math.hypot(*self.shape(c)) * c.scale * (2 if self.instrument.name == "lmi" else 1) / 7200
            for c in self.cameras
        )
        apertures = 0.057 if self.instrument.name == "ratir" else 0.0
        return half + apertures + _RADIUS_MARGIN

    @cached_property
    def targets(self) -> list[Target]:
        """Targets that stand high in the middle of the night's science block."""
        rng = generator(self.seed, "targets")
        latitude, longitude, _ = self.instrument.site
        jd = mjd(self.start) + 2400000.5 + 0.1
        days = jd - 2451545.0
        meridian = 280.46061837 + 360.98564736629 * days + longitude
        found = []
        for number in range(self.options.n_targets):
            dec = float(np.clip(latitude + rng.uniform(-35, 15), -25, 60))
            ra = float((meridian + rng.uniform(-15, 25)) % 360)
            name = _TARGETS[self.instrument.name].format(number + 1, "ABCDEFGH"[number % 8])
            if self.instrument.name == "ratir":
                name = f"2013A-1{number:03d}-vis{number + 5}"
            sources = make_field(self.seed, ra, dec, self.radius, self.options.field, self.options.proper_motions)
            found.append(Target(name, ra, dec, sources))
        return found

    @cached_property
    def blank_field(self) -> Target:
        """Where twilight flats are taken: few stars, and none bright enough to saturate."""
        latitude, longitude, _ = self.instrument.site
        ra = (280.46 + 360.98564736629 * (mjd(self.start) - 51544.5) + longitude) % 360
        sources = make_field(self.seed, ra, latitude, self.radius + 0.05, "sparse", False)
        return Target("", ra, latitude, sources)

    def exposure(
        self,
        camera: Camera,
        ftype: str,
        start: datetime.datetime,
        exptime: float,
        filter_name: str,
        number: int,
        **more: Any,
    ) -> Exposure:
        """Fill in what a raw header tells of a frame."""
        detector = self.detector(camera)
        science = self.science_area(camera, camera.channels[0])
        return Exposure(
            self.instrument.name,
            camera.number,
            ftype,
            start,
            exptime,
            filter_name,
            detector.shape,
            science,
            detector.gain,
            detector.software_gain,
            detector.saturation,
            detector.levels.read_noise,
            number,
            site=self.instrument.site,
            **more,
        )

    def next_number(self) -> int:
        """Count the frames as the instrument's software does."""
        self.number += 1
        return self.number

    def calibration(self, camera: Camera, ftype: str, exptime: float, collide: bool = False) -> FramePlan:
        """Plan a bias or dark frame; ``collide``: the next one starts within the same second."""
        gap = 0.41 if collide else exptime + 4.2
        if collide:
            self.clock.next_second()
        start = self.clock.tick(gap)
        number = self.next_number()
        filters = self.filters(camera)
        filter_name = filters[0] if filters and ftype != "bias" else (filters[0] if filters else "")
        exposure = self.exposure(camera, ftype, start, exptime, filter_name, number)
        return self.frame(camera, exposure, (), PointingError(), {}, [])

    def frame(
        self,
        camera: Camera,
        exposure: Exposure,
        parts: tuple[RegionPlan, ...],
        error: PointingError,
        wcs: Any,
        channels: list[ChannelTruth],
        trail: tuple[float, ...] = (),
    ) -> FramePlan:
        """Put a frame's plan together."""
        options, detector = self.options, self.detector(camera)
        if not channels:
            dark = dark_level(detector) * exposure.exptime * detector.gain
            noise = describe_noise(0.0, detector, dark)
            channels = [
                ChannelTruth(c.suffix, "", "", self.science_area(camera, c), math.nan, 0.0, math.nan, 1.0, noise)
                for c in camera.channels
            ]
        name = raw_name(exposure)
        scale = camera.scale * (2 if self.instrument.name == "lmi" else 1)
        truth = FrameTruth(
            name, name, camera.number, exposure.ftype, exposure.exptime, mjd(exposure.start), exposure.target, wcs,
            tuple(channels), (error.east, error.north), math.hypot(error.east, error.north) / scale, error.rotation,
            error.scale, 0, trail,
        )  # fmt: skip
        rng = generator(self.seed, "plan", name)
        seconds = 0.0 if exposure.ftype == "bias" else exposure.exptime
        cosmics = cosmic_count(detector, seconds, options.cosmics) if exposure.ftype != "bias" else 0.0
        drift = float(rng.normal(0, 0.15)) if detector.levels.bias else 0.0
        return FramePlan(
            self.folder / name,
            self.truth_folder,
            detector,
            self.seed,
            WRITERS[self.instrument.name](exposure),
            truth,
            parts,
            options.beta,
            cosmics,
            drift,
            25.0 if trail else 0.0,
            options.noise,
        )
