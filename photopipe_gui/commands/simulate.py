"""``photopipe-gui simulate``: a night with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UsageError
from .common import Quiet, cameras, workers_for, working
from .session import DONE

HELP = """Writes raw frames as the instrument does, and what they were made from into DIR/truth: masters, stars, zero
points, WCS, cosmic-ray masks, and a reference catalogue for reduce --refcat DIR/truth/refcat.fits."""


def _size(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Empty or new folder.", show_default=False)],
    instrument: Annotated[str, typer.Option("--instrument", "-i", help="ratir, lmi or rimas.")] = "ratir",
    seed: Annotated[int, typer.Option(help="The same seed and options give the same files.")] = 1,
    size: Annotated[
        str, typer.Option(help="full, small or demo, or the share of LMI's and RIMAS's detector read out (0.1 to 1).")
    ] = "small",
    cams: Annotated[str | None, typer.Option("--cams", metavar="0,1", show_default="all")] = None,
    filters: Annotated[
        str | None,
        typer.Option(metavar="r,i", help="Filters.", show_default="the usual ones"),
    ] = None,
    n_bias: Annotated[int | None, typer.Option(min=0, help="Bias frames of a camera.", show_default="by size")] = None,
    n_dark: Annotated[int | None, typer.Option(min=0, help="Dark frames of a camera.", show_default="by size")] = None,
    n_flat: Annotated[int | None, typer.Option(min=0, help="Flats of a filter.", show_default="by size")] = None,
    n_science: Annotated[
        int | None,
        typer.Option(min=0, help="Science frames of a filter and target.", show_default="by size"),
    ] = None,
    n_targets: Annotated[int, typer.Option(min=1, help="Targets.")] = 1,
    field: Annotated[
        str, typer.Option(help="Stars: sparse, normal, crowded, or extended (with a large galaxy).")
    ] = "normal",
    sky: Annotated[str, typer.Option(help="Transparency: clear, thin or cloudy.")] = "clear",
    seeing: Annotated[float | None, typer.Option(help="FWHM, arcsec.", show_default="usual")] = None,
    faults: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Bad files to add, by name; a wrong name lists them.", show_default="none"),
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Worker processes; 0: all cores.")] = 0,
    quiet: Quiet = False,
) -> int:
    """Simulate."""
    from ..reduction.progress import Progress, check_cancelled
    from ..simulate import simulate_night

    given: dict[str, Any] = {
        "cameras": cameras(cams),
        "filters": _names(filters),
        "faults": _names(faults),
        "n_bias": n_bias,
        "n_dark": n_dark,
        "n_flat": n_flat,
        "n_science": n_science,
        "n_targets": n_targets,
        "field": field,
        "sky": sky,
        "seeing": seeing,
    }
    with working(quiet) as (reporter, interrupt), workers_for(interrupt, workers) as executor:

        def moved(done: int, total: int) -> None:
            check_cancelled(reporter)
            reporter.progress(Progress("simulating frames", done, total))

        truth = simulate_night(
            folder,
            instrument,
            seed,
            size=_size(size),
            executor=executor,
            progress=moved,
            **{key: value for key, value in given.items() if value is not None},
        )
        reporter.message(f"{len(truth.frames)} frames in {folder}, their truth in {truth.folder}.")
        reporter.message(f"Reduce them with: photopipe-gui reduce {folder} --refcat {truth.folder / 'refcat.fits'}")
    return DONE


def _names(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(word.strip() for word in text.split(",") if word.strip())
    if not names:
        raise UsageError("An empty list of names was given; leave the option out.")
    return names
