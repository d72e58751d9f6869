"""What a simulated night is asked to be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..errors import UsageError
from ..instruments.model import Instrument
from .faults import FAULTS
from .field import FIELDS
from .levels import HABITS

SKIES = ("clear", "thin", "cloudy")


@dataclass(frozen=True)
class NightOptions:
    """A night to simulate.

    Attributes
    ----------
    size : float
        Share of the detector's rows and columns that is read out, for LMI and RIMAS; RATIR's areas are fixed.
    n_bias, n_dark : int
        Frames of each camera that takes them (``n_dark`` also of RIMAS, which does not need them, when
        ``extra_darks``).
    n_flat, n_science : int
        Flats of each filter; frames of each filter and target.
    n_targets : int
        Targets.
    cameras, filters : tuple
        Which; None for all cameras and the instrument's usual filters.
    field : str
        One of `FIELDS`.
    sky : str
        One of `SKIES`: transparency constant to 1 %, between 0.7 and 1, or between 0.1 and 1.
    exptime : float or None
        Exposure of science frames, s.
    seeing : float or None
        Median FWHM at 0.55 micron, arcsec.
    beta : float
        Moffat exponent of the stars.
    pointing_offset, pointing_jitter : float or None
        Error common to the night, and rms of each frame's in each axis, arcsec.
    rotation, scale : float
        rms of the rotation error (deg) and of the relative scale error, one draw for each camera.
    mirrored : bool
        The true parity is the opposite of the header's.
    distortion : bool
        Distortion of the cameras, told by the header (RATIR's infrared arrays) or not (LMI, RIMAS).
    dither : float or None
        Commanded dithers, arcsec.
    apertures : tuple of str
        RATIR's pointing apertures, each for an equal part of a visit.
    finder : bool
        RATIR: ENESLRA and ENESLDE tell the true pointing to 2".
    cosmics : float
        Rate of cosmic rays relative to sea level.
    satellites : int
        Science frames of each filter with a satellite's trail.
    gradient : float
        Sky gradient over the frame, as a fraction of the sky.
    fringes : float
        Strength relative to the usual.
    noise : bool
        False: no noise and no cosmic rays, for tests of photometry.
    proper_motions : bool
        Stars move.
    collisions : bool
        LMI and RIMAS: pairs of frames that start within the same second.
    odd_values : bool
        RIMAS: numbers written as text in every other frame.
    faults : tuple of str
        Bad files to add, of `FAULTS`.
    catalog_missing, catalog_false, catalog_variable : float
        Shares of the reference catalogue's stars.
    catalog_position, catalog_magnitude : float
        Noise of its positions (arcsec) and of its bright stars' magnitudes.
    """

    size: float = 1.0
    n_bias: int = 10
    n_dark: int = 6
    n_flat: int = 12
    n_science: int = 6
    n_targets: int = 1
    cameras: tuple[int, ...] | None = None
    filters: tuple[str, ...] | None = None
    field: str = "normal"
    sky: str = "clear"
    exptime: float | None = None
    seeing: float | None = None
    beta: float = 3.2
    pointing_offset: float | None = None
    pointing_jitter: float | None = None
    rotation: float = 0.2
    scale: float = 0.002
    mirrored: bool = False
    distortion: bool = True
    dither: float | None = None
    apertures: tuple[str, ...] = ("riZJcenter", "riYHcenter")
    finder: bool = False
    cosmics: float = 1.0
    satellites: int = 1
    gradient: float = 0.02
    fringes: float = 1.0
    noise: bool = True
    proper_motions: bool = True
    collisions: bool = False
    odd_values: bool = True
    extra_darks: bool = False
    faults: tuple[str, ...] = ()
    catalog_missing: float = 0.15
    catalog_false: float = 0.05
    catalog_variable: float = 0.02
    catalog_position: float = 0.02
    catalog_magnitude: float = 0.01


PRESETS: dict[str, dict[str, Any]] = {
    "full": {},
    "small": {"size": 0.4, "n_bias": 5, "n_dark": 5, "n_flat": 10, "n_science": 4},
    "demo": {"size": 0.35, "n_bias": 5, "n_dark": 5, "n_flat": 7, "n_science": 4},
}


def _tuple(value: Any) -> Any:
    if value is None or isinstance(value, tuple):
        return value
    return (value,) if isinstance(value, (int, str)) else tuple(value)


def make_options(instrument: Instrument, size: float | str, **given: Any) -> NightOptions:
    """Return checked options of a preset (``full``, ``small``, ``demo``) or of a size, with what was given.

    Raises
    ------
    UsageError
        For an unknown option, preset, filter, camera, field or fault, or a size outside of 0.1 to 1.
    """
    if isinstance(size, str):
        if size not in PRESETS:
            raise UsageError(f"There is no night of scale {size!r}; there are {', '.join(PRESETS)}.")
        base = NightOptions(**PRESETS[size])
    else:
        base = NightOptions(size=float(size))
    given = {
        key: _tuple(value) if key in ("cameras", "filters", "apertures", "faults") else value
        for key, value in given.items()
        if value is not None
    }
    try:
        options = replace(base, **given)
    except TypeError as error:
        raise UsageError(f"A simulated night has no such option ({error}).") from None
    return _checked(instrument, options)


def _checked(instrument: Instrument, options: NightOptions) -> NightOptions:
    cameras = options.cameras if options.cameras is not None else tuple(c.number for c in instrument.cameras)
    known = {camera.number: camera for camera in instrument.cameras}
    for number in cameras:
        if number not in known:
            raise UsageError(f"{instrument.title} has no camera C{number}.")
    possible = {name for number in cameras for name in known[number].filters}
    filters = options.filters
    if filters is None:
        filters = tuple(name for name in HABITS[instrument.name].filters if name in possible)
    for name in filters:
        if name not in possible:
            raise UsageError(f"{instrument.title} has no filter {name!r} in its cameras {cameras}.")
    for value, allowed, what in ((options.field, FIELDS, "field"), (options.sky, SKIES, "sky")):
        if value not in allowed:
            raise UsageError(f"There is no {what} {value!r}; there are {', '.join(allowed)}.")
    for fault in options.faults:
        if fault not in FAULTS:
            raise UsageError(f"There is no fault {fault!r}; there are {', '.join(FAULTS)}.")
    if not 0.1 <= options.size <= 1:
        raise UsageError(f"The size {options.size:g} is not between 0.1 and 1.")
    return replace(options, cameras=cameras, filters=filters)
