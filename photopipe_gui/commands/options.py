"""``photopipe-gui options``: what --set can set."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

HELP = "They are for photopipe-gui reduce NIGHT --set step.option=value; the window's form shows the same ones."


def command(
    step: Annotated[
        str | None,
        typer.Argument(metavar="STEP", help="One of the eight steps; all of them when left out.", show_default=False),
    ] = None,
) -> int:
    """List step options."""
    from ..reduction.auto.registry import STEPS
    from ..reduction.auto.registry import step as one_step
    from ..reduction.params import options_of
    from .common import help_of
    from .summary import print_table

    for spec in STEPS if step is None else (one_step(step),):
        rows, defaults = [], {field.name: field.default for field in dataclasses.fields(spec.params)}
        for name, described in options_of(spec.params).items():
            default = defaults[name]
            limits = [f"{value:g}" if value is not None else "" for value in (described.low, described.high)]
            between = " to ".join(limits) if any(limits) else ""
            rows.append((f"{spec.name}.{name}", str(default), between, help_of(described)))
        if rows:
            print_table(("option", "default", "between", f"{spec.title}: what it does"), rows)
    return 0
