"""Arguments that several commands share, and options made from parameter dataclasses."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ..reduction.params import Option, from_mapping, options_of
from .screen import PlainReporter, make_reporter
from .session import Interrupt

if TYPE_CHECKING:
    from ..reduction.executor import Executor

Night = Annotated[Path, typer.Argument(metavar="NIGHT", help="Folder that holds the raw frames.", show_default=False)]
InstrumentName = Annotated[
    str,
    typer.Option(
        "--instrument",
        "-i",
        metavar="NAME",
        help="ratir, lmi, rimas, or one added by a package. Left out: read from the headers.",
        show_default=False,
    ),
]
Cams = Annotated[
    str | None,
    typer.Option("--cams", metavar="0,1", help="Cameras by number. Left out: all.", show_default=False),
]
Amin = Annotated[
    float | None,
    typer.Option(
        "--amin",
        help="Reject a frame whose median is not above this fraction of saturation.",
        show_default="0.2 for flats, 0 for the others",
    ),
]
Amax = Annotated[
    float | None,
    typer.Option(
        "--amax",
        help="Reject a frame whose median is not below this fraction of saturation.",
        show_default="0.8 for flats, 1 for the others",
    ),
]
RejectSat = Annotated[
    bool | None,
    typer.Option("--reject-sat/--no-reject-sat", help="Reject a frame that has saturated pixels.", show_default="no"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show warnings, errors and the summary alone.")]


def cameras(text: str | None) -> tuple[int, ...] | None:
    """Return camera numbers from ``0,1`` or ``C0 C1``; None for nothing given."""
    if text is None:
        return None
    words = text.replace(",", " ").split()
    try:
        numbers = tuple(int(word.lstrip("cC")) for word in words)
    except ValueError:
        raise UsageError(f"--cams is {text!r}; give camera numbers like 0,1.") from None
    if not numbers:
        raise UsageError("--cams is empty; give camera numbers like 0,1.")
    return numbers


def night_folder(night: Path) -> Path:
    """Return the night as an absolute path, checked to be a folder.

    Raises
    ------
    UsageError
        When it is not there, or a file.
    """
    folder = night.expanduser().resolve()
    if not folder.exists():
        raise UsageError(f"{night} does not exist. Give the folder that holds the night's raw frames.")
    if not folder.is_dir():
        raise UsageError(f"{night} is a file, not a folder. Give the folder that holds the night's raw frames.")
    return folder


@contextmanager
def working(quiet: bool = False) -> Iterator[tuple[PlainReporter, Interrupt]]:
    """Give a reporter for a job that Ctrl-C stops."""
    interrupt = Interrupt()
    with interrupt.watched(), make_reporter(interrupt, quiet) as reporter:
        yield reporter, interrupt


@contextmanager
def workers_for(interrupt: Interrupt, workers: int = 0, dask: str = "") -> Iterator[Executor]:
    """Give worker processes that a second Ctrl-C kills and that end with the block."""
    from ..reduction.executor import make_executor

    executor = make_executor("dask", address=dask) if dask else make_executor("processes", workers or None)
    interrupt.on_kill = executor.kill
    try:
        yield executor
    except KeyboardInterrupt:
        executor.kill()
        raise
    finally:
        interrupt.on_kill = None
        executor.close()


def help_of(described: Option) -> str:
    """Return the help text of an option with unit, limits and choices."""
    parts = [described.help]
    if described.unit:
        parts.append(f"In {described.unit}.")
    if described.choices:
        parts.append(f"One of {', '.join(choice for choice in described.choices if choice)}.")
    return " ".join(parts)


def _parameter(name: str, default: Any, described: Option, flag: str, panel: str | None) -> inspect.Parameter:
    kind: Any = type(default)
    if isinstance(default, tuple):
        kind, default = str, ",".join(default)
    names = [flag]
    if default is True and "/" not in flag:
        names = [f"{flag}/--no{flag[2:]}"]
    told = default != "" and default is not False
    made = typer.Option(*names, help=help_of(described), show_default=told, rich_help_panel=panel)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, made])


def with_options(
    cls: type,
    keyword: str,
    *,
    flags: Mapping[str, str] | None = None,
    leave_out: tuple[str, ...] = (),
    panel: str | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options that a parameter dataclass describes; it gets them as one object.

    Parameters
    ----------
    cls : type
        A dataclass whose fields are made by `reduction.params.option`.
    keyword : str
        The command's argument that takes the object.
    flags : mapping of field to str, optional
        Spelling of a flag (``--no-sky/--sky`` pairs too) that differs from the field's name.
    leave_out : tuple of str
        Fields that get no flag.
    panel : str, optional
        Heading of the options in the help.
    """
    described = {name: one for name, one in options_of(cls).items() if name not in leave_out}
    defaults = {f.name: f.default for f in dataclasses.fields(cls)}
    spelling = dict(flags or {})
    made = [
        _parameter(name, defaults[name], one, spelling.get(name, "--" + name.replace("_", "-")), panel)
        for name, one in described.items()
    ]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def command(**given: Any) -> Any:
            values = {}
            for name in described:
                value = given.pop(name)
                if isinstance(defaults[name], tuple):
                    value = tuple(word.strip() for word in value.split(",") if word.strip())
                values[name] = value
            return function(**given, **{keyword: from_mapping(cls, values)})

        own = [p for p in inspect.signature(function, eval_str=True).parameters.values() if p.name != keyword]
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        command.__signature__ = inspect.Signature([*parameters, *made])  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in [*parameters, *made]}
        return command

    return decorate
