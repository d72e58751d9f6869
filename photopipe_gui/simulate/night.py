"""Simulated nights of RATIR, LMI and RIMAS, with their truth."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NightError
from ..instruments import registry
from ..instruments.naming import standard_name
from .detector import bias_image, dark_rate, response
from .faults import add_fault, fits_bytes
from .frames import FramePlan, make_frame
from .headers import raw_name
from .options import make_options
from .plan import Planner
from .refcat import write_catalogs
from .truth import FrameTruth, Truth
from .visits import flat_frames, science_frame, visit


def plan_frames(planner: Planner) -> list[FramePlan]:
    """Return the plans of every frame of a night in order of time: evening flats, bias, dark, visits."""
    options, habit = planner.options, planner.habit
    plans: list[FramePlan] = []
    for camera in planner.cameras:
        for name in planner.filters(camera):
            plans += flat_frames(planner, camera, name, options.n_flat)
    for camera in planner.cameras:
        if camera.takes_bias and planner.filters(camera):
            for index in range(options.n_bias):
                plans.append(planner.calibration(camera, "bias", 0.0, options.collisions and index % 2 == 0))
    for camera in planner.cameras:
        if (camera.takes_dark or (options.extra_darks and camera.infrared)) and planner.filters(camera):
            plans += [planner.calibration(camera, "dark", habit.dark_exposure) for _ in range(options.n_dark)]
    for number, target in enumerate(planner.targets):
        for pointing in visit(planner, number):
            for camera in planner.cameras:
                filters = planner.filters(camera)
                turn, within = divmod(pointing.index, options.n_science)
                if turn < len(filters):
                    trail = within >= options.n_science - options.satellites
                    plans.append(science_frame(planner, camera, filters[turn], target, pointing, trail))
    return plans


def _write_scaled(path: Path, image: NDArray[np.float32]) -> None:
    """Write an image as 16-bit integers with a scale: half the size, to 1/65535 of its range."""
    from ..reduction.fitsio import atomic_write

    low, high = float(image.min()), float(image.max())
    step = max(high - low, 1e-6) / 65535
    header, pixels = fits_bytes(np.rint((image - low) / step), [], (low + step * 32768, step))
    with atomic_write(path) as stream:
        stream.write(header)
        stream.write(pixels)


def _write_masters(planner: Planner, folder: Path) -> None:
    """Write the true bias, dark rate and flat of each camera and filter, science areas only."""
    for detector, regions in planner.master_keys():
        camera = planner.instrument.camera(detector.camera)
        area = regions[0].science
        if camera.takes_bias:
            _write_scaled(
                folder / f"bias_{camera.name}.fits", bias_image(detector)[area.y0 : area.y1, area.x0 : area.x1]
            )
        if camera.takes_dark:
            _write_scaled(
                folder / f"dark_{camera.name}.fits", dark_rate(detector)[area.y0 : area.y1, area.x0 : area.x1]
            )
        for region in regions:
            light, science = region.light, region.science
            flat = response(detector, region)[
                science.y0 - light.y0 : science.y1 - light.y0, science.x0 - light.x0 : science.x1 - light.x0
            ]
            _write_scaled(folder / f"flat_{region.filter}.fits", flat)


def _with_standard_names(
    planner: Planner, plans: Sequence[FramePlan], frames: Sequence[FrameTruth]
) -> list[FrameTruth]:
    """Add the names that the renaming gives, in the order in which it goes through the folder."""
    if planner.instrument.naming.pattern is None:
        return list(frames)
    taken = {plan.path.name for plan in plans}
    named: dict[str, str] = {}
    for plan in sorted(plans, key=lambda one: one.path.name):
        name = standard_name(planner.instrument, {key: value for key, value, _ in plan.cards}, taken)
        taken.add(name)
        named[plan.path.name] = name
    return [replace(frame, standard_name=named[frame.name]) for frame in frames]


def _add_faults(planner: Planner, frames: Sequence[FrameTruth]) -> list[FrameTruth]:
    """Write bad copies of the last science frame, each under the name of a frame of its own."""
    bad: list[FrameTruth] = []
    good = frames[-1]
    for number, fault in enumerate(planner.options.faults):
        start = planner.clock.tick(60)
        camera = planner.instrument.camera(good.camera)
        exposure = planner.exposure(
            camera, good.ftype, start, good.exptime, "", planner.next_number(), target=good.target
        )
        name = raw_name(exposure)
        add_fault(planner.folder / good.name, planner.folder / name, fault)
        bad.append(replace(good, name=name, standard_name="", fault=fault, mjd=good.mjd + (number + 1) / 1440))
    return bad


def _run(plans: Sequence[FramePlan], executor: Any, progress: Callable[[int, int], None] | None) -> list[FrameTruth]:
    """Make the frames, through an executor when there is one."""
    if executor is None:
        frames = []
        for number, plan in enumerate(plans):
            frames.append(make_frame(plan))
            if progress is not None:
                progress(number + 1, len(plans))
        return frames
    from ..reduction.progress import SilentReporter

    done = [0]

    def count(index: int, result: Any) -> None:
        done[0] += 1
        if progress is not None:
            progress(done[0], len(plans))

    answers: list[Any] = executor.map(make_frame, list(plans), SilentReporter(), count)
    for answer in answers:
        if not isinstance(answer, FrameTruth):
            raise NightError(f"A frame could not be simulated ({answer.error}).") from answer.error
    return answers


def simulate_night(
    folder: Path | str,
    instrument: str,
    seed: int = 1,
    *,
    size: float | str = 1.0,
    truth_dir: Path | str | None = None,
    executor: Any = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Truth:
    """Write the raw frames of a simulated night and their truth.

    Parameters
    ----------
    folder : path
        The night; made when it is missing, and must hold no frames yet.
    instrument : str
        ``ratir``, ``lmi`` or ``rimas``.
    seed : int
        The same seed and options give the same files, byte for byte.
    size : float or str
        Share of the detector that is read out (LMI, RIMAS), or a preset: ``full``, ``small``, ``demo``.
    truth_dir : path, optional
        Where the truth goes; by default ``truth`` in the night.
    executor : Executor, optional
        From `reduction.executor.make_executor`, to make frames in parallel; None: one after the other.
    progress : callable, optional
        Called with the number of frames made and the number in all.
    **options
        Fields of `NightOptions`.

    Returns
    -------
    Truth

    Raises
    ------
    UsageError
        For an unknown instrument or option.
    NightError
        When the folder holds frames already or cannot be written.
    """
    known = registry.get(instrument)
    chosen = make_options(known, size, **options)
    folder = Path(folder).expanduser().resolve()
    truth_folder = Path(truth_dir).expanduser().resolve() if truth_dir else folder / "truth"
    try:
        (truth_folder / "cosmics").mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NightError(
            f"{folder} cannot be made ({error.strerror}). Choose a folder that you may write to."
        ) from error
    if any(folder.glob("*.fits")):
        raise NightError(f"{folder} holds frames already. Choose an empty folder for a simulated night.")
    planner = Planner(folder, truth_folder, known.name, int(seed), chosen)
    plans = plan_frames(planner)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=RuntimeWarning)
        frames = _run(plans, executor, progress)
    frames = _with_standard_names(planner, plans, frames)
    if chosen.faults:
        frames += _add_faults(planner, frames)
    _write_masters(planner, truth_folder)
    write_catalogs(planner, truth_folder)
    truth = Truth(truth_folder, known.name, int(seed), tuple(frames), dataclasses.asdict(chosen))
    truth.save()
    return truth


def demo_night(folder: Path | str, seed: int = 1) -> Truth:
    """Write a small and quick night: RATIR's two CCD cameras, r and i, under 100 MB.

    It reduces by the normal path with ``--refcat`` set to the truth's ``refcat.fits``.
    """
    return simulate_night(
        folder, "ratir", seed, size="demo", cameras=(0, 1), filters=("r", "i"), dither=15.0,
        apertures=("ricenter",),
    )  # fmt: skip
