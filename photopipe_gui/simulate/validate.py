"""Simulating nights, reducing them by the normal path and holding the result against the truth."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import UsageError
from ..instruments import registry
from ..reduction.auto.plan import AutoprocParams
from ..reduction.executor import Executor
from ..reduction.fitsio import read_header
from ..reduction.night import NightOptions, NightResult, reduce_night
from ..reduction.preprocess.master_types import MasterParams
from ..reduction.progress import Progress, Reporter, check_cancelled
from .night import simulate_night
from .scenarios import SCENARIOS, night_options
from .score import NightScore, score_night
from .truth import Truth
from .validate_figures import Figure, all_figures
from .validate_sky import DepthScore, SkyScore, score_depth, score_sky

_SKY_FRAMES = 4


@dataclass(frozen=True)
class Case:
    """A night to validate on."""

    instrument: str
    scenario: str = "clear"
    seed: int = 1
    quick: bool = False

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.instrument}-{self.scenario}-{self.seed}"

    @property
    def command(self) -> str:
        """The command that does this case alone."""
        words = f"--instrument {self.instrument} --scenario {self.scenario} --seed {self.seed}"
        return f"photopipe-gui validate {words}{' --quick' if self.quick else ''}"


@dataclass(frozen=True)
class CaseResult:
    """What a night reached.

    Attributes
    ----------
    seconds : dict of str to float
        Of simulating, choosing, masters, each step and scoring.
    lost : tuple of str
        Sentences on the frames that were lost.
    """

    case: Case
    score: NightScore
    sky: tuple[SkyScore, ...]
    depth: tuple[DepthScore, ...]
    figures: tuple[Figure, ...]
    frames: int
    seconds: dict[str, float] = field(default_factory=dict)
    lost: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Whether every figure is reached."""
        return all(figure.met for figure in self.figures)

    def as_json(self) -> dict[str, Any]:
        """Return plain types: figures, all scores, times."""
        return {
            "case": asdict(self.case),
            "command": self.case.command,
            "met": self.met,
            "frames": self.frames,
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
            "lost": list(self.lost),
            "figures": [{**asdict(figure), "met": figure.met} for figure in self.figures],
            "scores": asdict(self.score),
            "sky": [asdict(one) for one in self.sky],
            "depth": [asdict(one) for one in self.depth],
        }


def cases_of(
    instruments: Iterable[str], scenarios: Iterable[str], seeds: Iterable[int], quick: bool = False
) -> list[Case]:
    """Return the cases of some instruments (none: all), scenarios (none: clear; ``all``) and seeds (none: 1).

    Raises
    ------
    UsageError
        For an unknown instrument or scenario.
    """
    named = list(instruments) or ["ratir", "lmi", "rimas"]
    kinds = list(scenarios) or ["clear"]
    if "all" in kinds:
        kinds = list(SCENARIOS)
    for kind in kinds:
        if kind not in SCENARIOS:
            raise UsageError(f"There is no scenario {kind!r}; there are {', '.join(SCENARIOS)}, and all of them: all.")
    known = [registry.get(name).name for name in named]
    return [Case(name, kind, seed, quick) for name in known for kind in kinds for seed in (list(seeds) or [1])]


def _machine_memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB"
    except (AttributeError, OSError, ValueError):
        return "unknown memory"


def machine() -> str:
    """Return processor, cores, memory and versions in one line."""
    processor = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            models = [line.partition(":")[2].strip() for line in stream if line.startswith("model name")]
        processor = models[0] if models else processor
    except OSError:
        pass
    python = ".".join(str(part) for part in sys.version_info[:3])
    return (
        f"{processor}, {os.cpu_count()} cores, {_machine_memory()}, {platform.system()} {platform.release()}, "
        f"Python {python}, numpy {np.__version__}, photopipe_gui {__version__}"
    )


def science_count(truth: Truth) -> int:
    """Return the science frames that a night has, each half of a split camera counted."""
    return sum(len(frame.channels) for frame in truth.frames if frame.ftype == "object" and not frame.fault)


def score_case(case: Case, truth: Truth, result: NightResult, method: str, seconds: dict[str, float]) -> CaseResult:
    """Score a reduced night."""
    began = time.monotonic()
    score = score_night(truth)
    reduced = truth.night / "reduced"
    products = sorted(reduced.glob("zsfp*.fits")) or sorted(reduced.glob("sfp*.fits"))
    sky = tuple(score_sky(path, truth) for path in _thinned(products))
    scale = {one.name: one.fwhm for one in score.coadds}
    depth = tuple(score_depth(path, truth, scale.get(path.name, np.nan)) for path in sorted(result.coadds))
    figures = tuple(all_figures(score, sky, depth, science_count(truth), method))
    seconds["score"] = time.monotonic() - began
    return CaseResult(case, score, sky, depth, figures, len(truth.frames), seconds, tuple(result.lost))


def _thinned(products: list[Path]) -> list[Path]:
    """Return some frames of each filter, evenly taken: each costs a second or more."""
    groups: dict[str, list[Path]] = {}
    for path in products:
        groups.setdefault(str(read_header(path).get("FILTER", "")), []).append(path)
    return [path for group in groups.values() for path in group[:: max(1, len(group) // _SKY_FRAMES)]]


def run_case(
    case: Case,
    folder: Path,
    reporter: Reporter,
    executor: Executor,
    workers: int = 0,
    method: str = "",
    keep: bool = False,
    **changes: Any,
) -> CaseResult:
    """Simulate a night in a folder, reduce it, score it, and remove it unless it is kept.

    Parameters
    ----------
    folder : path
        Where the night's own folder is made; one that exists from an earlier run is made anew.
    workers : int
        Worker processes of the reduction; 0: all cores.
    method : str
        Combination of masters; by default that of `MasterParams`.
    **changes
        Options of the night other than the scenario's, see `NightOptions`.

    Raises
    ------
    NightError, UsageError
        When the night cannot be simulated or reduced.
    Cancelled
        When it was stopped.
    """
    night = folder / case.name
    if (night / "truth").is_dir():
        shutil.rmtree(night)
    seconds: dict[str, float] = {}
    began = time.monotonic()

    def moved(done: int, total: int) -> None:
        check_cancelled(reporter)
        reporter.progress(Progress(f"simulating {case.name}", done, total))

    options = night_options(case.instrument, case.scenario, case.quick) | changes
    truth = simulate_night(night, case.instrument, case.seed, executor=executor, progress=moved, **options)
    seconds["simulate"] = time.monotonic() - began
    masters = MasterParams(method=method) if method else MasterParams()
    run = AutoprocParams(refcat=str(truth.refcat), offline=True, workers=workers)
    asked = NightOptions(masters=masters, confirmed=True, run=run)
    result = reduce_night(night, case.instrument, asked, reporter, executor)
    check_cancelled(reporter)
    seconds |= {part: value for part, value in result.seconds.items() if part != "reduce"}
    seconds |= result.report.seconds if result.report is not None else {}
    scored = score_case(case, truth, result, masters.method, seconds)
    if not keep:
        shutil.rmtree(night)
    return scored
