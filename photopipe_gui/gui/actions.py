"""Everything that can be done, with its keys: menus, tooltips and the key sheet are made from this table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """An action.

    Attributes
    ----------
    name : str
        Key in the window's and the pages' commands.
    text : str
        For menus and the key sheet.
    keys : tuple of str
        Qt key sequences; no key belongs to two actions.
    group : str
        Heading on the key sheet.
    icon : str
        Meaning of the icon, empty for none.
    page : bool
        Belongs to the tab in front, and does nothing where the tab has no such command.
    repeats : bool
        Holding the key repeats it.
    """

    name: str
    text: str
    keys: tuple[str, ...] = ()
    group: str = "Window"
    icon: str = ""
    page: bool = False
    repeats: bool = False


_LOOK, _DECIDE, _IMAGE = "Going through frames", "Deciding", "Image"

ACTIONS = (
    ActionSpec("open", "Open a night", ("Ctrl+O",), icon="open"),
    ActionSpec("masters", "Build masters", ("Ctrl+M",), icon="masters"),
    ActionSpec("reduce", "Reduce", ("Ctrl+R",), icon="reduce"),
    ActionSpec("stop", "Stop", ("Ctrl+.",), icon="stop"),
    ActionSpec("undo", "Undo", ("Ctrl+Z",), icon="undo", repeats=True),
    ActionSpec("redo", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), icon="redo", repeats=True),
    ActionSpec("tab_frames", "Frames", ("F1",)),
    ActionSpec("tab_masters", "Masters", ("F2",)),
    ActionSpec("tab_reduce", "Reduce", ("F3",)),
    ActionSpec("keys", "This key sheet", ("?",), icon="keys"),
    ActionSpec("quit", "Quit", ("Ctrl+Q",)),
    ActionSpec("previous", "Previous frame", ("Left", "K"), _LOOK, "previous", True, True),
    ActionSpec("next", "Next frame", ("Right", "J"), _LOOK, "next", True, True),
    ActionSpec("first", "First frame", ("Home",), _LOOK, "", True),
    ActionSpec("last", "Last frame", ("End",), _LOOK, "", True),
    ActionSpec("play", "Blink", ("Space",), _LOOK, "play", True),
    ActionSpec("play_back", "Blink backwards", ("Shift+Space",), _LOOK, "", True),
    ActionSpec("flip", "Flip to the comparison frame", ("B",), _LOOK, "flip", True),
    ActionSpec("set_comparison", "Make this the comparison frame", ("Shift+B",), _LOOK, "", True),
    ActionSpec("gallery", "Gallery", ("G",), _LOOK, "frames", True),
    ActionSpec("find", "Find frames", ("/",), _LOOK, "find", True),
    ActionSpec("accept", "Accept", ("A",), _DECIDE, "accept", True),
    ActionSpec("reject", "Reject", ("X",), _DECIDE, "reject", True),
    ActionSpec("rule", "Back to the rule", ("U",), _DECIDE, "rule", True),
    ActionSpec("accept_next", "Accept and go on", ("Shift+A",), _DECIDE, "", True, True),
    ActionSpec("reject_next", "Reject and go on", ("Shift+X",), _DECIDE, "", True, True),
    ActionSpec("rule_next", "Back to the rule and go on", ("Shift+U",), _DECIDE, "", True, True),
    ActionSpec("stretch", "Next stretch", ("Z",), _IMAGE, "", True),
    ActionSpec("lock", "Lock the stretch", ("H",), _IMAGE, "lock", True),
    ActionSpec("fit", "Fit", ("F",), _IMAGE, "fit", True),
    ActionSpec("actual", "Actual size", ("1",), _IMAGE, "actual", True),
    ActionSpec("saturated", "Saturated pixels", ("S",), _IMAGE, "saturated", True),
    ActionSpec("bad", "Bad pixels", ("M",), _IMAGE, "bad", True),
    ActionSpec("contour", "Contour", ("C",), _IMAGE, "contour", True),
    ActionSpec("calibrate", "Science frames with masters applied", ("V",), _IMAGE, "masters", True),
    ActionSpec("loupe", "Zoomed centre", ("L",), _IMAGE, "zoom", True),
)


def by_name(name: str) -> ActionSpec:
    """The action of a name; KeyError when there is none."""
    for spec in ACTIONS:
        if spec.name == name:
            return spec
    raise KeyError(name)
