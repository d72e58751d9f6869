"""What a run will do, and what it lacks, before anything runs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import FrameError, NightError, UsageError
from ...instruments import registry as instruments
from ...instruments.header import safe_name
from ...instruments.rawheader import read_layout
from ..calibration import find_master, needs_of
from ..catalogs.config import CatalogConfig
from ..params import from_mapping, option, validate
from ..workspace import Workspace
from .registry import STEPS, StepSpec, steps_between


@dataclass(frozen=True)
class AutoprocParams:
    """The options of a run, under the names of the published call."""

    start: str = option("", "First step; empty: prepare.", choices=("", *(s.name for s in STEPS)))
    stop: str = option("", "Last step; empty: stack.", choices=("", *(s.name for s in STEPS)))
    only: str = option("", "Run this step alone.", choices=("", *(s.name for s in STEPS)))
    redo: bool = option(False, "Make products anew that exist already.")
    nocrclean: bool = option(False, "Leave out the removal of cosmic rays.")
    mastersky: bool = option(True, "Subtract a sky frame made from the frames; otherwise their median alone.")
    skyflattarg: bool = option(True, "One sky frame per filter and target; otherwise one per filter.")
    rmifiles: bool = option(False, "Remove the intermediate products when the coadds are made.")
    refcat: str = option("", "Reference catalogue file (FITS, ECSV, CSV, VOTable or LDAC).")
    customcat: str = option("", "Text table of reference magnitudes.")
    customcatfilt: tuple[str, ...] = option((), "Filters for which customcat is used; empty: all.")
    nogaia: bool = option(False, "Do not ask Gaia for positions.")
    offline: bool = option(False, "Ask no catalogue over the network; the cache is used.")
    workers: int = option(0, "Worker processes; 0: all cores.", low=0, high=1024, advanced=True)
    dask: str = option("", "Address of a dask scheduler to run on.", advanced=True)
    memory_mb: int = option(
        512, "Memory for the combination of frames.", unit="MB", low=64, high=1_000_000, advanced=True
    )
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedFrame:
    """One selected frame of a run.

    ``aids`` holds the masters found; ``lost`` says at which step the frame will fail and why, by step name.
    """

    name: str
    path: Path
    camera: int
    filter: str
    target: str
    target_half: bool | None
    aids: Mapping[str, Path] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunPlan:
    """What a run will do.

    Attributes
    ----------
    frames : tuple of PlannedFrame
    steps : tuple of StepSpec
    params : AutoprocParams
    step_params : mapping
        Parameters of each step, by name.
    missing : tuple of str
        What is missing for some frames, each with what to do about it.
    warnings : tuple of str
        What the observer should know.
    """

    workspace: Workspace
    frames: tuple[PlannedFrame, ...]
    steps: tuple[StepSpec, ...]
    params: AutoprocParams
    step_params: Mapping[str, Any]
    catalogs: CatalogConfig
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def _describe(path: Path) -> tuple[str, int, str, str, bool | None]:
    """Return instrument name, camera, filter, target and half of a selected frame."""
    cards = read_layout(path).cards
    filter_name = str(cards.get("FILTER", "")).strip()
    if not filter_name:
        raise FrameError(path, "its header has no FILTER", "Choose the science frames again.")
    camera = cards.get("CAMERA", 0)
    half = cards.get("TGTHALF")
    return (
        str(cards.get("INSTRUME", "")).strip().lower(),
        int(camera) if isinstance(camera, (int, float)) else 0,
        filter_name,
        safe_name(str(cards.get("TARGNAME", ""))),
        half if isinstance(half, bool) else None,
    )


def _planned(path: Path, workspace: Workspace) -> PlannedFrame:
    name = path.name.rsplit(".", 1)[0]
    try:
        instrument_name, camera, filter_name, target, half = _describe(path)
    except FrameError as error:
        return PlannedFrame(name, path, 0, "", "", None, lost={"prepare": f"{error.reason}. {error.remedy}".strip()})
    known = instrument_name in instruments.names()
    aids: dict[str, Path] = {}
    lost: dict[str, str] = {}
    try:
        needs = needs_of(instruments.get(instrument_name) if known else None, camera, filter_name)
    except KeyError as error:
        return PlannedFrame(name, path, camera, filter_name, target, half, lost={"prepare": str(error.args[0])})
    for need in needs:
        found = find_master(need.mtype, need.key, workspace.calibration)
        if found:
            aids[need.mtype] = found
        elif need.mtype == "flat":
            lost["flatten"] = f"there is no master flat {need.name}; build it from flats in {filter_name}"
    return PlannedFrame(name, path, camera, filter_name, target, half, aids, lost)


def _missing(frames: tuple[PlannedFrame, ...], workspace: Workspace, steps: tuple[StepSpec, ...]) -> list[str]:
    """One sentence a missing master, with the number of frames that need it and what to do."""
    running = {step.name for step in steps}
    sentences: list[str] = []
    if "flatten" in running:
        without = [frame for frame in frames if "flatten" in frame.lost]
        for name in sorted({frame.filter for frame in without}):
            count = sum(frame.filter == name for frame in without)
            sentences.append(
                f"flat_{safe_name(name)}.fits is missing: {count} frames in {name} cannot be reduced. Build the master "
                f"flat {name}, or put one into {workspace.calibration[0]}."
            )
    return sentences


def _warnings(frames: tuple[PlannedFrame, ...], workspace: Workspace, steps: tuple[StepSpec, ...]) -> list[str]:
    sentences: list[str] = []
    by_instrument: dict[int, int] = {}
    for frame in frames:
        if "bias" not in frame.aids and frame.filter:
            by_instrument[frame.camera] = by_instrument.get(frame.camera, 0) + 1
    if any(step.name == "prepare" for step in steps):
        for camera, count in sorted(by_instrument.items()):
            if _takes_bias(frames, camera):
                sentences.append(
                    f"bias_C{camera}.fits is missing: {count} frames of C{camera} keep their bias level. "
                    "Build the master bias first."
                )
    size = sum(frame.path.stat().st_size for frame in frames if frame.path.exists())
    # Six float32 products with a mask from one 16-bit frame: 2.5 times its size each.
    needed = int(size * 2.5 * (len(steps) - 1)) + 1
    free = shutil.disk_usage(_existing(workspace.images)).free
    if needed > free:
        sentences.append(
            f"The run needs about {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free: make room, or "
            "use rmifiles and fewer frames."
        )
    return sentences


def _takes_bias(frames: tuple[PlannedFrame, ...], camera: int) -> bool:
    for frame in frames:
        if frame.camera != camera or not frame.filter:
            continue
        name = _describe(frame.path)[0]
        if name in instruments.names():
            return instruments.get(name).camera(camera).takes_bias
    return False


def _existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def catalog_config(params: AutoprocParams) -> CatalogConfig:
    """Return where reference catalogues are looked for.

    Raises
    ------
    UsageError
        When a catalogue file does not exist.
    """
    for name in ("refcat", "customcat"):
        value = getattr(params, name)
        if value and not Path(value).expanduser().is_file():
            raise UsageError(f"The {name} {value} does not exist. Check its path.")
    return CatalogConfig(
        refcat=Path(params.refcat).expanduser().resolve() if params.refcat else None,
        customcat=Path(params.customcat).expanduser().resolve() if params.customcat else None,
        customcatfilt=tuple(params.customcatfilt),
        nogaia=params.nogaia,
        offline=params.offline,
    )


def step_parameters(params: AutoprocParams) -> dict[str, Any]:
    """Return the parameters of every step, with the overrides asked for.

    Raises
    ------
    UsageError
        For an override of an unknown step or option, or outside its limits.
    """
    known = {spec.name: spec for spec in STEPS}
    for name in params.overrides:
        if name not in known:
            raise UsageError(f"There is no step {name!r}; the steps are {', '.join(known)}.")
    return {name: from_mapping(spec.params, params.overrides.get(name, {})) for name, spec in known.items()}


def plan(workspace: Workspace, params: AutoprocParams) -> RunPlan:
    """Say what a run will do.

    Raises
    ------
    UsageError
        For options that contradict each other or name what does not exist.
    NightError
        When there is nothing to reduce.
    """
    validate(params)
    steps = steps_between(params.start or None, params.stop or None, params.only or None)
    if params.nocrclean and len(steps) > 1:
        steps = tuple(spec for spec in steps if spec.name != "crclean")
    if not workspace.data.is_dir():
        raise NightError(f"{workspace.data} does not exist: there are no selected frames. Choose science frames first.")
    paths = workspace.selected()
    if not paths:
        raise NightError(f"{workspace.data} holds no frames. Choose science frames first.")
    frames = tuple(_planned(path, workspace) for path in paths if not _is_master(path))
    return RunPlan(
        workspace,
        frames,
        steps,
        params,
        step_parameters(params),
        catalog_config(params),
        tuple(_missing(frames, workspace, steps)),
        tuple(_warnings(frames, workspace, steps)),
    )


def _is_master(path: Path) -> bool:
    """Masters may lie among the selected frames, where older recipes move them."""
    return path.name.startswith(("bias_", "dark_", "flat_"))
