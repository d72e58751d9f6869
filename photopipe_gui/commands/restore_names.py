"""``photopipe-gui restore-names``: the journal of renames, played back."""

from __future__ import annotations

from .common import Night, night_folder
from .session import DONE, FRAMES_LOST

HELP = """Raw frames of LMI and RIMAS get names of the form YYYYMMDDThhmmssC<camera><type>.fits when a night is opened.
The renames are journalled in NIGHT/photopipe_renames.jsonl; this plays the journal back. No frame is overwritten."""


def command(night: Night) -> int:
    """Give frames their names back."""
    from ..instruments.naming import restore_names
    from .screen import make_console

    back = restore_names(night_folder(night))
    console = make_console()
    for rename in back:
        told = f"{rename.old} -> {rename.new}" if rename.new else f"{rename.old}: {rename.problem}"
        console.print(told, markup=False)
    problems = sum(bool(rename.problem) for rename in back)
    console.print(
        f"{len(back) - problems} frames have their original names back, {problems} do not."
        if back
        else "No frame of this night was renamed."
    )
    return FRAMES_LOST if problems else DONE
