"""The command line: ``photopipe-gui [NIGHT]`` and its commands, each loaded when it is called."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from . import __version__
from .errors import Cancelled

#: Commands in the order of the help, each with its first line there; ``commands/<name>.py`` holds ``command``.
COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "window": "Open the window. The same as giving no command.",
        "demo": "Make a demo night and open the window on it; without a display, reduce it here.",
        "select": "Choose the frames of a night by the rules and save the selections.",
        "masters": "Build the master bias, dark and flat frames of a night.",
        "reduce": "Do the whole job: choose, masters, the eight steps, coadds.",
        "options": "List the options of the eight steps, for reduce --set.",
        "fetch-catalogs": "Fetch a night's reference catalogues beforehand, for a site without network.",
        "restore-names": "Give renamed raw frames their original names back.",
        "simulate": "Simulate a night of raw frames whose truth is known.",
        "validate": "Reduce simulated nights and measure the result against their truth.",
    }
)
_ABOUT = """Choose a telescope night's frames, build its master frames and reduce it to calibrated coadds.

photopipe-gui NIGHT opens the window on a night; photopipe-gui alone opens it on the welcome page. The commands do the
same work without the window. NIGHT is the folder that holds the raw frames; they are never changed."""
_EPILOG = (
    "Exit status: 0 all done, 1 finished with frames lost, 2 bad usage or input, 70 error in the program, "
    "130 interrupted."
)


class NightGroup(TyperGroup):
    """Takes a first argument that is no command as the night to open, and imports a command only to run it."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return what the list of commands needs of one: its name and first line."""
        if cmd_name not in COMMANDS:
            return None
        return TyperCommand(cmd_name, callback=lambda: None, help=COMMANDS[cmd_name])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Load the command that runs."""
        return args[0], load_command(args[0]), args[1:]

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Put ``window`` before a night, or in place of nothing."""
        own = {"--help", "--version"}
        if not args or (args[0] not in COMMANDS and args[0] not in own):
            args = ["window", *args]
        return super().parse_args(ctx, args)


def load_command(name: str) -> Any:
    """Import a command and return it ready to run."""
    module = importlib.import_module(f".commands.{name.replace('-', '_')}", __package__)
    single = typer.Typer(add_completion=False, rich_markup_mode="rich")
    text = f"{COMMANDS[name]}\n\n{_paragraphs(module.HELP)}"
    single.command(name, help=text, epilog=_EPILOG)(_with_status(module.command))
    return typer.main.get_command(single)


def _paragraphs(text: str) -> str:
    """Join the lines of each paragraph, so that the help wraps it to the terminal."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _with_status(command: Callable[..., int]) -> Callable[..., None]:
    """Turn what a command returns into the exit status, and Ctrl-C into our own kind of end."""

    @functools.wraps(command)
    def run(**given: Any) -> None:
        try:
            status = command(**given)
        except KeyboardInterrupt:
            raise Cancelled("Interrupted.") from None
        raise typer.Exit(status)

    run.__signature__ = inspect.signature(command, eval_str=True)  # type: ignore[attr-defined]
    run.__annotations__ = {name: one.annotation for name, one in inspect.signature(run).parameters.items()}
    return run


def near_command(word: str) -> str:
    """Return the command that a mistyped word may mean; empty when none is near."""
    near = difflib.get_close_matches(word, COMMANDS, 1)
    return near[0] if near else ""


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"photopipe-gui {__version__}")
        raise typer.Exit


app = typer.Typer(cls=NightGroup, rich_markup_mode="rich", pretty_exceptions_enable=False, add_completion=False)


@app.callback(help=_paragraphs(_ABOUT), epilog=_EPILOG)
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_version, is_eager=True),
) -> None:
    """Take the options that stand before any command."""


def main(args: list[str] | None = None) -> int:
    """Run the command line; the value is the exit status, also for ``sys.exit``."""
    from .commands.session import run_guarded

    return run_guarded(lambda: app(args=sys.argv[1:] if args is None else args, prog_name="photopipe-gui"))
