"""The eight steps, in order: the pipeline, the command line, the form and the matrix are drawn from this."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import UsageError
from .steps import astrometry, crclean, flatten, makesky, prepare, skysub, stack, zpoint
from .tasks import Context, FrameTask, GroupResult, GroupTask, StepResult


@dataclass(frozen=True)
class StepSpec:
    """One step.

    Attributes
    ----------
    name, title : str
        As in `autoproc`'s arguments, and as shown.
    letter : str
        Put before a frame's file name; empty for steps that make one product a group.
    scope : str
        ``frame``: ``run(task, params)`` in a worker. ``group``: ``run_group(group, params, context)`` in the driver,
        which hands its work to the workers.
    params : type
        Parameter dataclass.
    aids : tuple of str
        Masters and sky frames that it uses.
    version : int
        Raised when the step's results change, so that products of older versions are made anew.
    """

    name: str
    title: str
    letter: str
    scope: Literal["frame", "group"]
    params: type
    run: Callable[[FrameTask, Any], StepResult] | None = None
    run_group: Callable[[GroupTask, Any, Context], GroupResult] | None = None
    aids: tuple[str, ...] = ()
    version: int = 1


STEPS: tuple[StepSpec, ...] = (
    StepSpec("prepare", "Prepare", "p", "frame", prepare.PrepareParams, prepare.run, aids=("bias", "dark")),
    StepSpec("flatten", "Flatten", "f", "frame", flatten.FlattenParams, flatten.run, aids=("flat",)),
    StepSpec("makesky", "Make sky", "", "group", makesky.MakeskyParams, run_group=makesky.run_group),
    StepSpec("skysub", "Subtract sky", "s", "frame", skysub.SkysubParams, skysub.run, aids=("sky",)),
    StepSpec("crclean", "Clean cosmic rays", "z", "frame", crclean.CrcleanParams, crclean.run),
    StepSpec("astrometry", "Astrometry", "a", "group", astrometry.AstrometryParams, run_group=astrometry.run_group),
    StepSpec("zpoint", "Zero point", "t", "group", zpoint.ZpointParams, run_group=zpoint.run_group),
    StepSpec("stack", "Stack", "", "group", stack.StackParams, run_group=stack.run_group),
)
STEP_NAMES: tuple[str, ...] = tuple(step.name for step in STEPS)


def step(name: str) -> StepSpec:
    """Return a step by name.

    Raises
    ------
    UsageError
        For an unknown name; the text lists the eight.
    """
    for spec in STEPS:
        if spec.name == name:
            return spec
    near = difflib.get_close_matches(str(name), STEP_NAMES, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise UsageError(f"There is no step {name!r}; the steps are {', '.join(STEP_NAMES)}.{hint}")


def steps_between(start: str | None, stop: str | None, only: str | None) -> tuple[StepSpec, ...]:
    """Return the steps from ``start`` to ``stop``, both included, or ``only`` one.

    Raises
    ------
    UsageError
        For an unknown name, ``only`` beside the others, or ``start`` after ``stop``.
    """
    if only:
        if start or stop:
            raise UsageError("Give either only (step), or start and stop.")
        return (step(only),)
    first = STEPS.index(step(start)) if start else 0
    last = STEPS.index(step(stop)) if stop else len(STEPS) - 1
    if first > last:
        raise UsageError(f"start ({start}) comes after stop ({stop}); the order is {', '.join(STEP_NAMES)}.")
    return STEPS[first : last + 1]
