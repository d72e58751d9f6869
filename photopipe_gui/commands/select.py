"""``photopipe-gui select``: the frames of a night by the rules."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import UsageError
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
    workers_for,
    working,
)
from .session import DONE, FRAMES_LOST

HELP = """Measures every frame, keeps those within the limits, names the others with their reason, and writes the
selections into the night (bias_<time>.json and .p, and so on). Chosen science frames are copied, cropped and with a
standard header, into NIGHT/selected. Verdicts given by hand in the window always win."""

TYPES = ("bias", "dark", "flat", "science")


def frame_types(text: str) -> tuple[str, ...]:
    """Return the frame types of ``bias,flat``; science frames are ``object`` to the engine."""
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in (*TYPES, "object"):
            raise UsageError(f"There is no frame type {word!r}; there are {', '.join(TYPES)}.")
    if not words:
        raise UsageError(f"--type is empty; give one or more of {', '.join(TYPES)}.")
    return tuple("object" if word == "science" else word for word in words)


def command(
    night: Night,
    instrument: InstrumentName = "",
    types: Annotated[
        str, typer.Option("--type", "-t", metavar="TYPES", help="Frame types, of bias,dark,flat,science.")
    ] = ",".join(TYPES),
    cams: Cams = None,
    amin: Amin = None,
    amax: Amax = None,
    reject_sat: RejectSat = None,
    workers: Annotated[int, typer.Option(help="Worker processes; 0: all cores.", min=0)] = 0,
    quiet: Quiet = False,
) -> int:
    """Choose frames."""
    from ..reduction.night import LimitsAsked, NightOptions, NightResult, check_options, open_for_work, select_type
    from .summary import print_lost, print_selection

    wanted = frame_types(types)
    # Limits are meant for flats; with one type asked for, for that type.
    limited = wanted[0] if len(wanted) == 1 else "flat"
    limits = {limited: LimitsAsked(amin, amax, reject_sat)}
    options = NightOptions(cameras(cams), limits)
    folder = night_folder(night)
    with working(quiet) as (reporter, interrupt), workers_for(interrupt, workers) as executor:
        result = NightResult(open_for_work(folder, instrument, options.cameras, reporter))
        check_options(options, result.night)
        for ftype in wanted:
            select_type(result, ftype, options, reporter, executor)
    print_selection(result)
    print_lost(result.lost)
    return FRAMES_LOST if result.lost else DONE
