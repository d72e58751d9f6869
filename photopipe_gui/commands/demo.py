"""``photopipe-gui demo``: a night to try the program on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..demo import demo_catalog, is_demo, make_demo
from ..paths import demo_folder
from .screen import make_console
from .window import display_missing, open_window

HELP = """The night is simulated once: bias, dark, flat and science frames of RATIR's two CCD cameras, about 100 MB, in
the user's cache folder or in DIR. Without a display the same job is done here: select, masters, reduce."""


def _headless(night: Path, redo: bool) -> int:
    """Do the whole job without the window: select, masters, reduce."""
    from ..cli import load_command

    refcat = str(demo_catalog(night))
    calls = (
        ("select", [str(night), "--type", "bias,dark,flat"]),
        ("masters", [str(night)]),
        ("reduce", [str(night), "--refcat", refcat, "--offline", *(["--redo"] if redo else [])]),
    )
    console, worst = make_console(), 0
    for name, args in calls:
        console.print(f"\n$ photopipe-gui {name} {' '.join(args)}", markup=False)
        status = load_command(name).main(args, prog_name=f"photopipe-gui {name}", standalone_mode=False)
        worst = max(worst, int(status or 0))
        if worst > 1:
            break
    return worst


def command(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Empty or new folder; left out: in the user's cache.", show_default=False),
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="Do the job here even when there is a display.")] = False,
    redo: Annotated[bool, typer.Option("--redo", help="Without a window: make existing products anew.")] = False,
) -> int:
    """Run on the demo night."""
    missing = "Asked for no window" if headless else display_missing()
    night = folder.expanduser().resolve() if folder else demo_folder()
    if not is_demo(night):
        make_console().print(f"Simulating the demo night in {night}; this takes some seconds, once.", markup=False)
        make_demo(night)
    if not missing:
        return open_window(night, "ratir")
    make_console().print(f"{missing}: the demo night is reduced here, without the window.", markup=False)
    return _headless(night, redo)
