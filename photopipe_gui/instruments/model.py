"""What an instrument is, as data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from .cards import Area, Card

Cards = Mapping[str, Card]

FRAME_TYPES = ("bias", "dark", "flat", "object")
TYPE_LETTERS: Mapping[str, str] = MappingProxyType({"b": "bias", "d": "dark", "f": "flat", "o": "object"})
LETTER_OF_TYPE: Mapping[str, str] = MappingProxyType({name: letter for letter, name in TYPE_LETTERS.items()})


@dataclass(frozen=True)
class FirstWcs:
    """First guess of a camera's WCS.

    Attributes
    ----------
    x0, y0 : float
        Reference pixel on the detector (FITS convention), before cropping.
    scale1, scale2 : float
        arcsec per pixel along x and y; a negative sign is a mirrored axis.
    angle : float
        Rotation, deg.
    distortion : mapping
        TPV coefficients, the same on both axes.
    """

    x0: float
    y0: float
    scale1: float
    scale2: float
    angle: float
    distortion: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Channel:
    """One filter's part of a detector: the whole of it, or a half of a split camera.

    ``area`` None: the whole frame, or what the instrument's area rule says. ``filter`` empty: read from the header.
    """

    suffix: str
    area: Area | None
    filter: str = ""


@dataclass(frozen=True)
class Camera:
    """One camera.

    Attributes
    ----------
    number : int
        As in ``C0``.
    channels : tuple of Channel
        One, or the two halves of a split camera.
    takes_bias, takes_dark : bool
        Whether the reduction uses bias and dark frames of it.
    infrared : bool
        H2RG arrays: WAVELENG is ``IR``, the sky changes during a visit.
    shape : tuple of int
        Rows and columns as read out, for the simulator and for plausibility; the file's own size counts.
    scale : float
        arcsec per pixel, nominal.
    ceiling, gain : float
        Saturation in DN and gain in e-/DN at a software gain of 1.
    read_noise : float
        e-, used when neither header nor bias frames tell.
    filters : tuple of str
        Filters the camera can show.
    """

    number: int
    channels: tuple[Channel, ...]
    takes_bias: bool
    takes_dark: bool
    infrared: bool
    shape: tuple[int, int]
    scale: float
    ceiling: float
    gain: float
    read_noise: float
    filters: tuple[str, ...]
    first_wcs: FirstWcs | None = None

    @property
    def name(self) -> str:
        """Key of the camera in selections and master names: ``C0``."""
        return f"C{self.number}"

    @property
    def split(self) -> bool:
        """Whether two filters share the detector."""
        return len(self.channels) > 1


@dataclass(frozen=True)
class Naming:
    """How raw files are called as the instrument writes them.

    ``pattern`` None: names are in the standard form already. ``frame_type`` gives ``bias``, ``dark``, ``flat`` or
    ``object`` from the header, or None for a frame that is none of them; ``type_card`` is the card it reads, for the
    warning. ``time_card`` holds the time that goes into the name.
    """

    pattern: re.Pattern[str] | None
    type_card: str = ""
    frame_type: Callable[[Cards], str | None] | None = None
    camera: Callable[[Cards], int] | None = None
    time_card: str = "DATE-OBS"


@dataclass(frozen=True)
class Rules:
    """What takes more than a name to read from a header. Every rule may raise `HeaderProblem`."""

    filter: Callable[[Cards, Camera, Channel], str]
    area: Callable[[Cards, Camera, Channel, tuple[int, int]], Area]
    saturation: Callable[[Cards, Camera], float]
    gain: Callable[[Cards, Camera], float]
    scale: Callable[[Cards, Camera], float]
    target: Callable[[Cards], str]
    airmass: Callable[[Cards], float]
    wcs: Callable[[Cards, Camera, Channel, Area], Mapping[str, Card]]
    extra: Callable[[Cards, Camera, Channel], Mapping[str, Card]]
    target_half: Callable[[Cards, Channel], bool | None]


@dataclass(frozen=True)
class Instrument:
    """An instrument: cameras, filters, names, header names and a few rules.

    ``header`` maps our card names to the instrument's, first found wins. ``recognise`` says whether a raw header is
    of this instrument.
    """

    name: str
    title: str
    cameras: tuple[Camera, ...]
    filters: tuple[str, ...]
    naming: Naming
    header: Mapping[str, tuple[str, ...]]
    rules: Rules
    recognise: Callable[[Cards], bool]
    site: tuple[float, float, float]

    def camera(self, number: int) -> Camera:
        """Return the camera of that number.

        Raises
        ------
        KeyError
            When the instrument has no such camera.
        """
        for camera in self.cameras:
            if camera.number == number:
                return camera
        raise KeyError(f"{self.title} has no camera C{number}; it has {', '.join(c.name for c in self.cameras)}.")


class HeaderProblem(Exception):
    """A header value that is missing or cannot be used; the text is a reason without the file's name."""
