"""``photopipe-gui reduce``: the whole job."""

from __future__ import annotations

import ast
import dataclasses
from typing import Annotated, Any

import typer

from ..errors import UsageError
from ..reduction.auto.plan import AutoprocParams
from ..reduction.preprocess.master_types import MasterParams
from .common import (
    Amax,
    Amin,
    Cams,
    InstrumentName,
    Night,
    Quiet,
    RejectSat,
    cameras,
    night_folder,
    with_options,
    workers_for,
    working,
)
from .session import DONE, FRAMES_LOST, INTERRUPTED

HELP = """Chooses frames by the rules (verdicts given by hand in the window win), builds the masters, copies the science
frames into NIGHT/selected, runs the eight steps in NIGHT/reduced and writes the coadds into NIGHT/coadd. What is there
already from the same frames and options is kept: after an interruption the same command goes on.

The steps: prepare, flatten, makesky, skysub, crclean, astrometry, zpoint, stack.

Example: photopipe-gui reduce ~/nights/20210505 --instrument lmi --cams 0 --amin 0 --amax 1 --nomastersky"""


def overrides(settings: list[str]) -> dict[str, dict[str, Any]]:
    """Return the options of steps from ``step.option=value`` words; values are numbers, True, False or text.

    Raises
    ------
    UsageError
        For a word of another form. Unknown names are refused when the run is planned.
    """
    found: dict[str, dict[str, Any]] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        step, dot, option = name.strip().partition(".")
        if not (equals and dot and step and option):
            raise UsageError(f"--set takes step.option=value, such as crclean.sigclip=10, not {setting!r}.")
        try:
            value = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError):
            value = {"true": True, "yes": True, "false": False, "no": False}.get(text.strip().lower(), text.strip())
        found.setdefault(step, {})[option] = value
    return found


@with_options(MasterParams, "masters", leave_out=("memory_limit", "workers"), panel="Masters")
@with_options(AutoprocParams, "run", flags={"skyflattarg": "--skyflattarg/--no-skyflattarg"}, panel="The eight steps")
def command(
    night: Night,
    instrument: InstrumentName = "",
    cams: Cams = None,
    amin: Amin = None,
    amax: Amax = None,
    reject_sat: RejectSat = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Build a master from fewer than fmin frames too.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="STEP.OPTION=VALUE",
            help="An option of one step; may be given again. photopipe-gui options lists them.",
            show_default=False,
        ),
    ] = None,
    quiet: Quiet = False,
    run: Any = None,
    masters: Any = None,
) -> int:
    """Do the whole job."""
    from ..reduction.night import LimitsAsked, NightOptions, reduce_night
    from .summary import print_night

    run = dataclasses.replace(run, overrides=overrides(settings or []))
    masters = dataclasses.replace(masters, workers=run.workers, memory_limit=run.memory_mb)
    options = NightOptions(cameras(cams), {"flat": LimitsAsked(amin, amax, reject_sat)}, masters, yes, run)
    folder = night_folder(night)
    with working(quiet) as (reporter, interrupt), workers_for(interrupt, run.workers, run.dask) as executor:
        result = reduce_night(folder, instrument, options, reporter, executor)
    print_night(result)
    if result.stopped:
        return INTERRUPTED
    return FRAMES_LOST if result.lost else DONE
