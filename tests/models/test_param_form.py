"""The form of parameters: values, errors, what is kept and copied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from photopipe_gui.errors import UsageError
from photopipe_gui.gui.models.param_form import ParamForm, fields_of
from photopipe_gui.reduction.params import option


@dataclass(frozen=True)
class Params:
    start: str = option("", "First step.", choices=("", "prepare", "stack"))
    redo: bool = option(False, "Make anew.")
    mastersky: bool = option(True, "Subtract a sky frame.")
    skyflattarg: bool = option(True, "One sky per target.")
    refcat: str = option("", "Catalogue file.")
    filters: tuple[str, ...] = option((), "Filters.")
    workers: int = option(0, "Processes.", low=0, high=8, advanced=True)
    limit: float = option(2.5, "A limit.", unit="sigma", low=1.0, high=10.0)
    folder: Path | None = option(None, "A folder.")  # noqa: RUF009
    overrides: int = 3  # no option: not in the form


@pytest.fixture
def form(qapp):
    return ParamForm(Params)


def test_fields_come_from_the_dataclass():
    kinds = {field.name: field.kind for field in fields_of(Params)}
    assert kinds == {
        "start": "choice", "redo": "bool", "mastersky": "bool", "skyflattarg": "bool", "refcat": "file",
        "filters": "list", "workers": "int", "limit": "float", "folder": "path",
    }  # fmt: skip
    limit = next(field for field in fields_of(Params) if field.name == "limit")
    assert "From 1 to 10 sigma" in limit.tooltip
    assert "Default: 2.5" in limit.tooltip


def test_values_are_converted_to_the_type_of_the_field(form):
    assert form.set_value("workers", "3")
    assert form.set_value("filters", "r, i  z")
    assert form.set_value("folder", "/tmp/x")
    params = form.params()
    assert params.workers == 3
    assert params.filters == ("r", "i", "z")
    assert params.folder == Path("/tmp/x")
    assert form.set_value("folder", "  ")
    assert form.params().folder is None


def test_a_value_outside_its_limits_is_kept_with_an_error_and_cannot_be_used(form, qtbot):
    with qtbot.waitSignal(form.changed):
        assert not form.set_value("workers", 9)
    assert not form.valid
    assert "workers is 9" in form.error("workers")
    with pytest.raises(UsageError, match="workers is 9"):
        form.params()
    assert form.set_value("workers", 8)
    assert form.valid
    assert not form.set_value("limit", "much")
    assert "must be a number" in form.error("limit")


def test_no_signal_without_a_change(form, qtbot):
    form.set_value("workers", 2)
    with qtbot.assertNotEmitted(form.changed):
        form.set_value("workers", 2)


def test_what_differs_from_the_defaults_survives_a_restart(form, qapp):
    form.set_value("filters", "J H")
    form.set_value("redo", True)
    saved = form.as_json()
    assert saved == {"redo": True, "filters": ["J", "H"]}
    other = ParamForm(Params)
    other.restore({**saved, "gone_in_this_version": 1})
    assert other.params() == form.params()
    other.reset()
    assert other.params() == Params()


def test_the_command_line_has_the_published_flags(form):
    form.set_value("redo", True)
    form.set_value("mastersky", False)
    form.set_value("skyflattarg", False)
    form.set_value("filters", "r i")
    form.set_value("refcat", "/data/my cat.fits")
    line = form.command_line("/nights/a b", "lmi")
    assert line == (
        "photopipe-gui reduce '/nights/a b' --instrument lmi --redo --nomastersky --no-skyflattarg "
        "--refcat '/data/my cat.fits' --filters r,i"
    )
