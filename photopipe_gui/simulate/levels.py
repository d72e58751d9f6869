"""How the simulated detectors and skies behave: what the instrument descriptions do not say, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class DetectorLevels:
    """One camera's detector.

    Attributes
    ----------
    bias : float
        Pedestal in DN at a software gain of 1; 0 for arrays that are read by correlated double sampling.
    bias_columns : float
        Scatter of the column pattern, DN.
    read_noise : float
        e-.
    dark : float
        Dark current, e-/s.
    hot_fraction, hot_rate : float
        Fraction of hot pixels and the e-folding of their dark current, e-/s.
    pixel_response : float
        Pixel-to-pixel scatter of the response.
    vignetting : float
        Loss of light in the corners.
    bleeds : bool
        Charge above the full well runs along the columns.
    pixel_micron, depth_micron : float
        Pixel pitch as read out and depth of the silicon or HgCdTe, for the tracks of cosmic rays.
    """

    bias: float
    bias_columns: float
    read_noise: float
    dark: float
    hot_fraction: float
    hot_rate: float
    pixel_response: float
    vignetting: float
    bleeds: bool
    pixel_micron: float
    depth_micron: float


_RATIR_CCD = DetectorLevels(2560, 1.2, 9.5, 0.45, 0.006, 1.2, 0.008, 0.10, True, 26.0, 16.0)
_RATIR_H2RG = DetectorLevels(0, 0.0, 14.0, 0.05, 0.004, 6.0, 0.025, 0.15, False, 18.0, 8.0)
_LMI = DetectorLevels(1060, 1.0, 6.0, 0.002, 0.0002, 4.0, 0.006, 0.12, True, 30.0, 16.0)
_RIMAS_H2RG = DetectorLevels(0, 0.0, 15.0, 0.03, 0.004, 6.0, 0.022, 0.12, False, 18.0, 8.0)

DETECTORS: Mapping[tuple[str, int], DetectorLevels] = MappingProxyType(
    {
        ("ratir", 0): _RATIR_CCD,
        ("ratir", 1): _RATIR_CCD,
        ("ratir", 2): _RATIR_H2RG,
        ("ratir", 3): _RATIR_H2RG,
        ("lmi", 0): _LMI,
        ("rimas", 0): _RIMAS_H2RG,
        ("rimas", 1): _RIMAS_H2RG,
    }
)

#: Magnitude of one electron per second outside the atmosphere, by band (AB for ugrizy, Vega for the others).
ZERO_POINTS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "ratir": {"u": 21.6, "g": 24.2, "r": 24.1, "i": 23.7, "z": 23.2, "y": 22.7, "J": 23.0, "H": 22.8},
        "lmi": {
            "U": 24.6,
            "B": 26.4,
            "V": 26.5,
            "R": 26.6,
            "I": 26.0,
            "u": 24.3,
            "g": 26.8,
            "r": 26.7,
            "i": 26.4,
            "z": 25.7,
            "y": 24.7,
        },
        "rimas": {"y": 25.0, "J": 25.2, "H": 25.1, "K": 24.6},
    }
)

#: Brightness of the night sky, mag per square arcsec, in the system of the band.
SKY_BRIGHTNESS: Mapping[str, float] = MappingProxyType({
    "u": 22.0, "g": 21.7, "r": 20.8, "i": 19.9, "z": 18.9, "y": 17.9, "U": 21.4, "B": 22.3, "V": 21.4, "R": 20.6,
    "I": 19.3, "J": 15.9, "H": 14.6, "K": 13.6,
})  # fmt: skip

#: Extinction, mag per airmass.
EXTINCTION: Mapping[str, float] = MappingProxyType({
    "u": 0.50, "g": 0.18, "r": 0.10, "i": 0.06, "z": 0.05, "y": 0.05, "U": 0.52, "B": 0.25, "V": 0.14, "R": 0.10,
    "I": 0.06, "J": 0.08, "H": 0.05, "K": 0.06,
})  # fmt: skip

#: Strength of interference fringes, as a fraction of the sky level.
FRINGES: Mapping[str, float] = MappingProxyType(
    {"I": 0.004, "i": 0.004, "z": 0.015, "y": 0.025, "J": 0.008, "H": 0.008, "K": 0.005}
)

#: Share by which the sky level wanders during a visit.
SKY_DRIFT: Mapping[str, float] = MappingProxyType({"z": 0.04, "y": 0.06, "J": 0.10, "H": 0.12, "K": 0.05})

#: Wavelength, micron: seeing goes as its -0.2th power.
WAVELENGTH: Mapping[str, float] = MappingProxyType({
    "u": 0.36, "g": 0.48, "r": 0.62, "i": 0.75, "z": 0.89, "y": 1.0, "U": 0.36, "B": 0.44, "V": 0.55, "R": 0.65,
    "I": 0.80, "J": 1.25, "H": 1.64, "K": 2.15,
})  # fmt: skip


@dataclass(frozen=True)
class Habit:
    """How an instrument is used on a night.

    Attributes
    ----------
    date : str
        UTC date and time of the first frame.
    exposure, infrared_exposure, flat_exposure, dark_exposure : float
        s.
    seeing : float
        Typical FWHM at 0.55 micron, arcsec.
    pointing_offset, pointing_jitter, pointing_limit : float
        Error common to a night and error of each frame (rms in each axis), and the most that both make, arcsec.
    dither : float
        Size of the commanded dithers, arcsec.
    radial_distortion : float
        Cubic distortion that no header tells of, deg per deg^3.
    filters : tuple of str
        Filters of a night when none are asked for.
    """

    date: str
    exposure: float
    infrared_exposure: float
    flat_exposure: float
    dark_exposure: float
    seeing: float
    pointing_offset: float
    pointing_jitter: float
    pointing_limit: float
    dither: float
    radial_distortion: float
    filters: tuple[str, ...]


HABITS: Mapping[str, Habit] = MappingProxyType(
    {
        "ratir": Habit(
            "2013-07-16T03:10:09",
            60.0,
            30.0,
            10.0,
            80.0,
            1.5,
            6.0,
            16.0,
            55.0,
            10.0,
            0.0,
            ("g", "r", "i", "Z", "Y", "J", "H"),
        ),
        "lmi": Habit(
            "2021-05-05T02:40:12", 60.0, 60.0, 8.0, 60.0, 1.0, 40.0, 2.0, 120.0, 20.0, 0.033, ("SDSS-R", "SDSS-Z")
        ),
        "rimas": Habit("2025-11-03T01:20:31", 20.0, 20.0, 6.0, 30.0, 0.9, 40.0, 2.0, 120.0, 20.0, -0.24, ("J", "H")),
    }
)
