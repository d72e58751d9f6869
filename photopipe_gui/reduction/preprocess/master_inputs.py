"""The frames of one master: what their headers say, and whether they belong together."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import FrameError, PhotopipeError
from ...instruments.cards import Area, Card, Unparsable
from ...instruments.header import describe
from ...instruments.model import Camera, Cards, Channel, HeaderProblem, Instrument
from ...instruments.naming import classify, is_half_copy
from ...instruments.rawheader import Layout, read_layout
from ..digest import WRITER, WRITER_KEY

_MOST_NAMED = 8  # frames named in a sentence, the rest is counted
_SAME_TIME = 0.002  # relative difference below which two exposure times are one


class UnfitFrames(PhotopipeError):
    """The frames of a key do not make a master; the text says why."""


@dataclass(frozen=True, slots=True)
class CalibrationFrame:
    """One frame of a master, from its header.

    Attributes
    ----------
    path : Path
    layout : Layout
        Where its pixels lie.
    area : Area
        The part that is the image: the camera's science area, or all of a file that is cropped already.
    camera : int
    filter : str
    exptime : float
        s; NaN when unknown.
    saturation, gain : float
        DN, e-/DN; NaN when unknown.
    """

    path: Path
    layout: Layout
    area: Area
    camera: int
    filter: str
    exptime: float
    saturation: float
    gain: float


def read_calibration_frame(path: Path, instrument: Instrument, mtype: str, key: str) -> CalibrationFrame:
    """Read the header of one frame.

    Raises
    ------
    FrameError
        When the file cannot be read or its header lacks what a master of this type needs.
    """
    layout = read_layout(path)
    camera = _camera(path, layout.cards, instrument, mtype, key)
    if layout.cards.get(WRITER_KEY) == WRITER or is_half_copy(path.name):
        return _cropped(path, layout, camera)
    channel = _channel(camera, key)
    info = describe(instrument, layout.cards, camera, channel, layout.shape, mtype)
    if info.area is None:
        raise FrameError(path, info.problem or "the science area is unknown", "Leave it out.")
    return CalibrationFrame(
        path, layout, info.area, camera.number, info.filter, info.exptime, info.saturation, info.gain
    )


def _cropped(path: Path, layout: Layout, camera: Camera) -> CalibrationFrame:
    """Describe a copy that is cropped and has the standard header."""
    ny, nx = layout.shape
    name = layout.cards.get("FILTER")
    filter_name = str(name) if name else path.stem.partition("_")[2]
    return CalibrationFrame(
        path,
        layout,
        Area(0, ny, 0, nx),
        camera.number,
        filter_name,
        _float(layout.cards, "EXPTIME"),
        _float(layout.cards, "SATURATE"),
        _float(layout.cards, "GAIN"),
    )


def _float(cards: Cards, key: str) -> float:
    value: Card = cards.get(key, math.nan)
    try:
        return math.nan if isinstance(value, (bool, Unparsable)) else float(value)
    except ValueError:
        return math.nan


def _camera(path: Path, cards: Cards, instrument: Instrument, mtype: str, key: str) -> Camera:
    """Return the camera from the name, else the header, else the key of the list."""
    number: object = cards.get("CAMERA") if cards.get(WRITER_KEY) == WRITER else None
    if not isinstance(number, int):
        try:
            name = path.name.partition("_")[0] + ".fits" if is_half_copy(path.name) else path.name
            number = classify(instrument, name, cards)[0]
        except (HeaderProblem, ValueError):
            number = None
    if number is None and mtype != "flat" and key[:1] == "C" and key[1:].isdigit():
        number = int(key[1:])
    if number is None:
        candidates = [camera.number for camera in instrument.cameras if key in camera.filters]
        number = candidates[0] if len(candidates) == 1 else None
    try:
        return instrument.camera(number) if isinstance(number, int) else _no_camera(path)
    except KeyError as error:
        raise FrameError(path, str(error.args[0]).rstrip("."), "Leave it out.") from error


def _no_camera(path: Path) -> Camera:
    raise FrameError(path, "neither its name nor its header says which camera took it", "Leave it out.")


def _channel(camera: Camera, key: str) -> Channel:
    """Return the half with the filter of the key; the first for a list that is not by filter."""
    return next((channel for channel in camera.channels if channel.filter == key), camera.channels[0])


def usable(frame: CalibrationFrame, mtype: str, needs_dark: bool) -> str:
    """Return why a frame cannot go into a master; empty when it can."""
    if mtype == "flat" and not frame.filter:
        return "the header has no FILTER"
    if mtype == "dark" or (mtype == "flat" and needs_dark):
        if not math.isfinite(frame.exptime):
            return "its exposure time is missing or unreadable"
        if mtype == "dark" and frame.exptime <= 0:
            return f"its exposure time is {frame.exptime:g} s"
    return ""


def check_alike(frames: Sequence[CalibrationFrame], mtype: str) -> None:
    """Refuse frames that differ in what a master must have in common.

    Raises
    ------
    UnfitFrames
        With a sentence that says which frames have what.
    """
    _one("camera", frames, lambda frame: f"C{frame.camera}")
    if mtype == "flat":
        _one("filter", frames, lambda frame: frame.filter)
    if mtype == "dark":
        times = _levels([frame.exptime for frame in frames])
        _one("exposure time", frames, lambda frame: f"{times[frame.exptime]:g} s")
    _one("size", frames, lambda frame: f"{frame.area.shape[1]} x {frame.area.shape[0]} px")
    known = [frame for frame in frames if math.isfinite(frame.gain)]
    gains = _levels([frame.gain for frame in known])
    _one("gain", known, lambda frame: f"{gains[frame.gain]:g} e-/DN")


def _levels(values: Iterable[float]) -> dict[float, float]:
    """Map values to the first of those that are the same but for rounding."""
    found: dict[float, float] = {}
    for value in sorted(values):
        last = next(reversed(found.values()), math.nan)
        found[value] = last if abs(value - last) <= _SAME_TIME * abs(last) else value
    return found


def _one(what: str, frames: Sequence[CalibrationFrame], of: Callable[[CalibrationFrame], Hashable]) -> None:
    groups: dict[Hashable, list[str]] = {}
    for frame in frames:
        groups.setdefault(of(frame), []).append(frame.path.name)
    if len(groups) > 1:
        largest_first = sorted(groups.items(), key=lambda item: -len(item[1]))
        parts = [f"{value}: {name_list(names)}" for value, names in largest_first]
        raise UnfitFrames(
            f"the frames do not share one {what} ({'; '.join(parts)}). No master was made; choose frames of one {what}."
        )


def name_list(names: Sequence[str]) -> str:
    """Return names for a sentence, the first few and how many more."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
