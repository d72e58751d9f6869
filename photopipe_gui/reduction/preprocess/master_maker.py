"""One master frame, from a list of frames to the file."""

from __future__ import annotations

import datetime
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import __version__
from ...errors import FrameError, MissingMasterError, NightError
from ...instruments.model import Instrument
from ..calibration import find_master, master_name
from ..digest import DIGEST_KEY, WRITER, WRITER_KEY, digest_of, digest_or_mark, file_mark, is_ours
from ..progress import Progress, Reporter, check_cancelled
from ..stats import median_and_sigma
from ..workspace import CALIBRATION
from .later import Later
from .master_combine import Stack, bad_pixels, combine_stack, measure_levels, read_noise_of
from .master_file import HeaderCard, input_cards, is_current, read_master, write_master
from .master_inputs import UnfitFrames, check_alike, read_calibration_frame, usable
from .master_types import MasterInput, MasterParams, MasterResult
from .source import FitsSource

_VERSION = 1  # of the arithmetic: a change makes masters anew
_UNITS = {"bias": "adu", "dark": "adu/s", "flat": ""}


class MasterMaker:
    """The making of one master.

    Parameters
    ----------
    instrument : Instrument
    mtype, key : str
        ``flat`` and the filter, or ``bias``, ``dark`` and the camera.
    params : MasterParams
    reporter : Reporter
    confirmed : bool
        Make it of fewer than ``fmin`` frames too.
    redo : bool
        Make it although it is there, from the same frames in the same way.
    """

    def __init__(
        self,
        instrument: Instrument,
        mtype: str,
        key: str,
        params: MasterParams,
        reporter: Reporter,
        confirmed: bool = False,
        redo: bool = False,
    ) -> None:
        self._instrument = instrument
        self._mtype = mtype
        self._key = key
        self._params = params
        self._reporter = reporter
        self._fewest = 1 if confirmed else params.fmin
        self._redo = redo
        self._stack = Stack(mtype, [])
        self._title = f"master {mtype} {key}"

    def make(self, paths: Sequence[Path], master_dir: str | os.PathLike[str] | None) -> MasterResult:
        """Make the master of these frames; what keeps it from being made is the problem of the result.

        Raises
        ------
        NightError
            When the folder of the masters cannot be made or written to.
        Cancelled
            When the observer stopped it.
        """
        try:
            return self._make(paths, master_dir)
        except (FrameError, MissingMasterError, UnfitFrames) as error:
            return self._without(f"{self._title}: {error}")
        finally:
            self._stack.close()

    def _without(self, problem: str, needs_confirmation: bool = False) -> MasterResult:
        stack = self._stack
        used = [MasterInput(frame.path, stack.levels.get(frame.path, math.nan)) for frame in stack.frames]
        return MasterResult(
            self._key, self._mtype, None, problem, (*used, *stack.left_out), needs_confirmation=needs_confirmation
        )

    def _make(self, paths: Sequence[Path], master_dir: str | os.PathLike[str] | None) -> MasterResult:
        stack = self._stack
        if not paths:
            raise UnfitFrames("no frames were given.")
        self._read_headers(paths)
        self._warn_of_left_out(0)
        if not stack.frames:
            return self._too_few()
        check_alike(stack.frames, self._mtype)
        folder = Path(master_dir).expanduser().absolute() if master_dir else paths[0].parent / CALIBRATION
        self._find_planes(folder)
        target, digest = folder / master_name(self._mtype, self._key), self._digest()
        if not self._redo and is_current(target, digest):
            kept = read_master(target, [frame.path for frame in stack.frames])
            return replace(kept, key=self._key, inputs=(*kept.inputs, *stack.left_out))
        unreadable = len(stack.left_out)
        if len(stack.frames) >= self._fewest:
            measure_levels(stack, self._params, lambda: check_cancelled(self._reporter))
        if len(stack.frames) < self._fewest:
            self._warn_of_left_out(unreadable)
            return self._too_few()
        return self._combine(target, digest, unreadable)

    def _combine(self, target: Path, digest: str, warned: int) -> MasterResult:
        stack = self._stack
        read_noise = self._read_noise()
        master, given = combine_stack(stack, self._params, read_noise, self._tick)
        self._warn_of_left_out(warned)
        if len(given) < self._fewest:
            return self._too_few()
        levels = Later(lambda: median_and_sigma(master.image))
        values: dict[str, float] = {"NCOMBINE": len(given), "NREJECT": sum(item.n_rejected for item in given)}
        if self._mtype == "bias" and math.isfinite(read_noise) and read_noise > 0:
            values["RDNOISE"] = read_noise
        planes: dict[str, NDArray[Any]] = {
            "MASK": bad_pixels(self._mtype, master, stack.frame_noise),
            "UNCERT": master.uncertainty,
            "COUNT": _storable(master.count),
        }
        contributions = input_cards(given)

        def cards() -> list[HeaderCard]:
            middle, sigma = levels.result()
            if not math.isfinite(middle):
                raise UnfitFrames("the result has no finite pixel; no master was made.")
            values.update({"MEDIAN": middle, "RSIGMA": sigma})
            return [*self._cards(values, digest), *contributions]

        self._make_room(target)
        room = len(self._cards(values | {"MEDIAN": 0.0, "RSIGMA": 0.0}, digest)) + len(contributions)
        write_master(target, master.image, cards, room, planes)
        return MasterResult(self._key, self._mtype, target, inputs=(*given, *stack.left_out), values=values)

    def _read_headers(self, paths: Sequence[Path]) -> None:
        """Read what the frames are; those that cannot be read or lack what is needed are left out."""
        for path in paths:
            check_cancelled(self._reporter)
            try:
                frame = read_calibration_frame(path, self._instrument, self._mtype, self._key)
                problem = usable(frame, self._mtype, self._instrument.camera(frame.camera).takes_dark)
                if not problem:
                    self._stack.frames.append(frame)
            except FrameError as error:
                problem = error.reason
            if problem:
                self._stack.left_out.append(MasterInput(path, problem=problem))

    def _warn_of_left_out(self, first: int) -> None:
        for item in self._stack.left_out[first:]:
            self._reporter.message(f"{self._title}: {item.path.name} is left out: {item.problem}.", "warning")

    def _too_few(self) -> MasterResult:
        """Say how many frames there are; with at least one it can be confirmed."""
        usable_frames, given = len(self._stack.frames), len(self._stack.frames) + len(self._stack.left_out)
        count = f"{usable_frames} usable frame{'' if usable_frames == 1 else 's'} of {given}"
        if usable_frames == 0:
            return self._without(f"{self._title}: {count}; no master was made. Choose other frames.")
        return self._without(
            f"{self._title}: {count}, fewer than the {self._params.fmin} asked for (fmin); no master was made. Take "
            "more frames, or confirm (yes=True in a script, --yes on the command line) to make it of these.",
            needs_confirmation=True,
        )

    def _find_planes(self, folder: Path) -> None:
        """Find the master bias and dark that come off these frames.

        Raises
        ------
        MissingMasterError
            When one that the camera needs is missing or of another size.
        """
        if self._mtype == "bias":
            return
        camera = self._instrument.camera(self._stack.frames[0].camera)
        if camera.takes_bias:
            self._stack.bias = self._plane("bias", camera.name, folder, True)
        if self._mtype == "flat" and (camera.takes_dark or not camera.takes_bias):
            self._stack.dark = self._plane("dark", camera.name, folder, camera.takes_dark)
            if self._stack.dark is not None:
                for frame in [frame for frame in self._stack.frames if not math.isfinite(frame.exptime)]:
                    self._stack.leave_out(frame.path, "its exposure time is missing or unreadable")

    def _plane(self, mtype: str, camera: str, folder: Path, required: bool) -> FitsSource | None:
        path = find_master(mtype, camera, (folder,))
        if path is None:
            if not required:
                return None
            raise MissingMasterError(
                f"{master_name(mtype, camera)} is missing in {folder}. Make the master {mtype} of {camera} first: "
                f"mkmaster({self._instrument.name!r}, <{mtype} frames>, {mtype!r})."
            )
        plane, shape = FitsSource(path), self._stack.frames[0].area.shape
        if plane.shape != shape:
            raise MissingMasterError(
                f"{path.name} is {plane.shape[1]} x {plane.shape[0]} px, the frames are {shape[1]} x {shape[0]} px. "
                f"Make the master {mtype} of {camera} again from frames of this size."
            )
        return plane

    def _digest(self) -> str:
        params, stack = self._params, self._stack
        marks = [(file_mark(frame.path), tuple(frame.area)) for frame in stack.frames]
        planes = [digest_or_mark(plane.path) if plane is not None else "" for plane in (stack.bias, stack.dark)]
        limits = () if params.method == "median" else (params.sigma_low, params.sigma_high)
        return digest_of("master", _VERSION, self._mtype, self._key, marks, params.method, limits, planes)

    def _read_noise(self) -> float:
        """Return the read noise in e-: measured from bias frames, or known from the master bias or the camera."""
        stack = self._stack
        if self._mtype == "bias":
            return read_noise_of(stack) * _middle([frame.gain for frame in stack.frames])
        if stack.bias is not None:
            known = stack.bias.cards.get("RDNOISE")
            if isinstance(known, float) and known > 0:
                return known
        return self._instrument.camera(stack.frames[0].camera).read_noise

    def _tick(self, done: int, total: int) -> None:
        self._reporter.progress(Progress(self._title, done, total))
        check_cancelled(self._reporter)

    def _make_room(self, target: Path) -> None:
        """Make the folder, and move a file that is not ours out of the way: no work of another is overwritten."""
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists() and not is_ours(target):
                aside, counter = target.with_name(f"{target.name}.before"), 1
                while aside.exists():
                    counter += 1
                    aside = target.with_name(f"{target.name}.before{counter}")
                target.rename(aside)
                self._reporter.message(
                    f"{target.name} was there already, not made by this program; it is kept as {aside.name}.", "warning"
                )
        except OSError as error:
            raise NightError(
                f"{target.parent} cannot be written to ({error.strerror}). Check that you may write there."
            ) from error

    def _cards(self, values: Mapping[str, float], digest: str) -> list[HeaderCard]:
        frames, params = self._stack.frames, self._params
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")
        filters = sorted({frame.filter for frame in frames if frame.filter})
        cards = [
            HeaderCard("BUNIT", _UNITS[self._mtype]),
            HeaderCard("MSTTYPE", self._mtype, "kind of master frame"),
            HeaderCard("MSTKEY", self._key, "camera or filter"),
            HeaderCard("INSTRUME", self._instrument.title, "instrument"),
            HeaderCard("CAMERA", frames[0].camera, "camera number"),
            HeaderCard("FILTER", "+".join(filters), "filter"),
        ]
        numbers = {
            "EXPTIME": (_middle([frame.exptime for frame in frames]), "s, median of the frames"),
            "GAIN": (_middle([frame.gain for frame in frames]), "e-/DN"),
            "SATURATE": (
                min((f.saturation for f in frames if math.isfinite(f.saturation)), default=math.nan),
                "DN, saturated at or above, of the frames",
            ),
            "RDNOISE": (values.get("RDNOISE", math.nan), "e-, from differences of the frames"),
            "FLATNORM": (self._stack.norm if self._mtype == "flat" else math.nan, "divided by this at the end"),
            "MEDIAN": (values["MEDIAN"], "median of this image"),
            "RSIGMA": (values["RSIGMA"], "biweight sigma of this image"),
        }
        cards += [HeaderCard(key, number, text) for key, (number, text) in numbers.items() if math.isfinite(number)]
        cards += [
            HeaderCard("NCOMBINE", int(values["NCOMBINE"]), "frames combined"),
            HeaderCard("METHOD", params.method, "median, clip (mean) or winsor (mean)"),
            HeaderCard("NREJECT", int(values["NREJECT"]), "pixels rejected in all frames"),
        ]
        if params.method != "median":
            cards += [HeaderCard("SIGLOW", params.sigma_low), HeaderCard("SIGHIGH", params.sigma_high)]
        planes = {"BIASFILE": self._stack.bias, "DARKFILE": self._stack.dark}
        cards += [HeaderCard(key, plane.path.name, "subtracted") for key, plane in planes.items() if plane is not None]
        return [
            *cards,
            HeaderCard("DATE", now, "UTC, when this file was made"),
            HeaderCard("PPVERS", __version__, "version of the program"),
            HeaderCard(WRITER_KEY, WRITER, "program that wrote this file"),
            HeaderCard(DIGEST_KEY, digest, "inputs and parameters"),
        ]


def _middle(numbers: Sequence[float]) -> float:
    """Return the median of those that are known; NaN when none is."""
    known = [number for number in numbers if math.isfinite(number)]
    return float(np.median(known)) if known else math.nan


def _storable(count: NDArray[Any]) -> NDArray[Any]:
    """Return the count plane in a type that FITS has."""
    return count if count.dtype == np.uint8 else count.astype(np.int16)
