"""``photopipe-gui demo``: a night to try the program on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import NightError
from ..paths import demo_folder
from .common import working
from .screen import make_console
from .window import display_missing, open_window

HELP = """The night is simulated once: bias, dark, flat and science frames of RATIR's two CCD cameras, about 100 MB, in
the user's cache folder or in DIR. Without a display the same job is done here: select, masters, reduce."""

_REFCAT = Path("truth") / "refcat.fits"


def make_demo(folder: Path) -> Path:
    """Simulate the demo night unless it is there already; return the folder.

    Raises
    ------
    NightError
        When the folder holds something else.
    """
    from ..simulate import demo_night

    finished = folder / "truth" / "truth.json"
    if finished.is_file() and any(folder.glob("*.fits")):
        return folder
    if folder.exists() and any(entry.name != "truth" for entry in folder.iterdir()):
        if folder != demo_folder():
            raise NightError(f"{folder} holds files already, and no demo night. Choose an empty or a new folder.")
        _remove_unfinished(folder)
    with working() as (reporter, _):
        reporter.message(f"Simulating the demo night in {folder}; this takes some seconds, once.")
        truth = demo_night(folder)
        reporter.message(f"{len(truth.frames)} frames.")
    return folder


def _remove_unfinished(folder: Path) -> None:
    """Take away what an interrupted simulation left in the program's own cache."""
    import shutil

    shutil.rmtree(folder)


def _headless(night: Path, redo: bool) -> int:
    """Do the whole job without the window: select, masters, reduce."""
    from ..cli import load_command

    refcat = str(night / _REFCAT)
    calls = (
        ("select", [str(night), "--type", "bias,dark,flat"]),
        ("masters", [str(night)]),
        ("reduce", [str(night), "--refcat", refcat, *(["--redo"] if redo else [])]),
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
    night = make_demo(folder.expanduser().resolve() if folder else demo_folder())
    if not missing:
        return open_window(night, "ratir")
    make_console().print(f"{missing}: the demo night is reduced here, without the window.", markup=False)
    return _headless(night, redo)
