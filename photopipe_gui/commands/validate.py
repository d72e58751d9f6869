"""``photopipe-gui validate``: simulate nights, reduce them, hold the result against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .common import Quiet, workers_for, working
from .session import DONE, FRAMES_LOST

HELP = """Simulates nights whose truth is known, reduces them as reduce does, and measures masters, sky, cosmic rays,
astrometry, zero points and coadds against the truth. Writes validation.html (one page, with plots), figures.csv, and
validation.json with every number into DIR, and prints the table of figures asked and reached.

Exit status 0: every figure is reached; 1: some are not."""


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the report.")] = Path("validation"),
    instrument: Annotated[
        list[str] | None,
        typer.Option("--instrument", "-i", help="ratir, lmi or rimas; may be given again.", show_default="all three"),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(
            "--scenario",
            help="Kind of night: clear, cloudy, crowded, sparse, extended, mirrored, pointing, bad-seeing, "
            "undersampled, fringes, or all of them: all. May be given again.",
            show_default="clear",
        ),
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option("--seed", help="Seed; may be given again.", show_default="1")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer frames and filters, and a part of LMI's and RIMAS's detectors.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the nights; otherwise they are removed.")] = False,
    method: Annotated[
        str, typer.Option(help="Combination of the masters: median, clip or winsor.", show_default="the usual one")
    ] = "",
    workers: Annotated[int, typer.Option(min=0, help="Worker processes; 0: all cores.")] = 0,
    quiet: Quiet = False,
) -> int:
    """Validate."""
    from ..simulate.validate import cases_of, run_case
    from ..simulate.validate_report import write_report
    from .summary import print_table

    cases = cases_of(instrument or (), scenario or (), seed or (), quick)
    folder = folder.expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    results = []
    with working(quiet) as (reporter, interrupt), workers_for(interrupt, workers) as executor:
        for case in cases:
            reporter.message(f"{case.name}: {case.command}")
            results.append(run_case(case, folder, reporter, executor, workers, method, keep))
            write_report(folder, results)
    rows = [
        (
            one.case.name,
            figure.topic,
            figure.name,
            f"{figure.sign} {figure.asked:g}",
            f"{figure.reached:.4g}" if figure.measured else "-",
            "yes" if figure.met and figure.measured else "no" if not figure.met else "not measured",
        )
        for one in results
        for figure in one.figures
    ]
    print_table(("night", "topic", "figure", "asked", "reached", "met"), rows)
    short = sum(not figure.met for one in results for figure in one.figures)
    typer.echo(f"\n{len(rows) - short} of {len(rows)} figures reached. Report: {folder / 'validation.html'}")
    return FRAMES_LOST if short else DONE
