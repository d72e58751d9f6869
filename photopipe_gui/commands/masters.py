"""``photopipe-gui masters``: the master frames of a night."""

from __future__ import annotations

from typing import Annotated, Any

import typer

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
from .select import frame_types
from .session import DONE, FRAMES_LOST

HELP = """Chooses the calibration frames as select does and writes bias_C0.fits, dark_C0.fits, flat_i.fits and so on
into NIGHT/calibration. A master that exists, made from the same frames in the same way, is kept."""


@with_options(MasterParams, "params", panel="Combination")
def command(
    night: Night,
    instrument: InstrumentName = "",
    types: Annotated[
        str, typer.Option("--type", "-t", metavar="TYPES", help="Master types, of bias,dark,flat.")
    ] = "bias,dark,flat",
    cams: Cams = None,
    amin: Amin = None,
    amax: Amax = None,
    reject_sat: RejectSat = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Build a master from fewer than fmin frames too.")] = False,
    quiet: Quiet = False,
    params: Any = None,
) -> int:
    """Build masters."""
    from ..errors import UsageError
    from ..reduction.night import (
        LimitsAsked,
        NightOptions,
        NightResult,
        build_masters,
        check_options,
        open_for_work,
        select_type,
    )
    from .summary import print_lost, print_masters

    wanted = frame_types(types)
    if "object" in wanted:
        raise UsageError("--type is of masters here: bias, dark or flat.")
    options = NightOptions(cameras(cams), {"flat": LimitsAsked(amin, amax, reject_sat)}, params, yes)
    folder = night_folder(night)
    with working(quiet) as (reporter, interrupt), workers_for(interrupt, params.workers) as executor:
        result = NightResult(open_for_work(folder, instrument, options.cameras, reporter))
        check_options(options, result.night)
        for ftype in wanted:
            select_type(result, ftype, options, reporter, executor)
        build_masters(result, options, reporter)
    print_masters(result.masters)
    print_lost(result.lost)
    return FRAMES_LOST if result.lost else DONE
