"""The demo night: made once, with its reference catalogue named in the session, so that it reduces as it stands."""

from __future__ import annotations

import shutil
from pathlib import Path

from .errors import NightError
from .paths import demo_folder
from .reduction.session import Session, save_session

_TRUTH = Path("truth") / "truth.json"


def is_demo(folder: Path) -> bool:
    """Return whether a finished simulated night lies in a folder."""
    return (folder / _TRUTH).is_file() and any(folder.glob("*.fits"))


def demo_catalog(folder: Path) -> Path:
    """Return the reference catalogue of the demo night."""
    return folder / "truth" / "refcat.fits"


def make_demo(folder: Path) -> Path:
    """Simulate the demo night unless it is there already.

    What an interrupted attempt left in the program's own cache is taken away first.

    Returns
    -------
    Path
        The night.

    Raises
    ------
    NightError
        When the folder holds something else, or cannot be written to.
    """
    from .simulate import demo_night

    if is_demo(folder):
        return folder
    if folder.exists() and any(folder.iterdir()):
        if folder != demo_folder():
            raise NightError(f"{folder} holds files already, and no demo night. Choose an empty or a new folder.")
        shutil.rmtree(folder)
    truth = demo_night(folder)
    options = {"refcat": str(demo_catalog(folder)), "offline": True}
    save_session(folder, Session(instrument=truth.instrument, ui={"params": options}))
    return folder
