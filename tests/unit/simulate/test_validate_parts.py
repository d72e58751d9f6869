"""The parts of the validation: scenarios, empty blocks, plots."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from photopipe_gui.errors import UsageError
from photopipe_gui.instruments import registry
from photopipe_gui.simulate.options import make_options
from photopipe_gui.simulate.scenarios import SCENARIOS, night_options
from photopipe_gui.simulate.validate import cases_of
from photopipe_gui.simulate.validate_plots import Points, strip_plot, ticks
from photopipe_gui.simulate.validate_sky import block_means


@pytest.mark.parametrize("scenario", list(SCENARIOS))
@pytest.mark.parametrize("instrument", ["ratir", "lmi", "rimas"])
@pytest.mark.parametrize("quick", [True, False])
def test_every_scenario_is_a_night_that_can_be_simulated(instrument, scenario, quick):
    options = make_options(registry.get(instrument), **night_options(instrument, scenario, quick))
    assert options.filters and options.n_science >= 5


def test_bad_seeing_is_worse_than_the_good_one():
    for name in ("ratir", "lmi", "rimas"):
        assert night_options(name, "bad-seeing")["seeing"] > 2 * night_options(name, "undersampled")["seeing"]


def test_unknown_scenario_is_refused():
    with pytest.raises(UsageError, match="cloudy"):
        cases_of([], ["overcast"], [])
    assert len(cases_of(["lmi"], ["all"], [1, 2])) == 2 * len(SCENARIOS)


def test_block_means_leave_out_what_is_not_empty():
    image = np.ones((64, 70))
    image[:32, :32] = 5.0
    empty = np.ones(image.shape, dtype=bool)
    empty[:32, :32] = False
    empty[32:, 40:64] = False
    image[40, 50] = 1e9
    means, counts = block_means(image, empty, 32, 0.25)
    assert means.shape == (2, 2) and np.isnan(means[0, 0])
    assert means[0, 1] == 1.0 and means[1, 0] == 1.0 and means[1, 1] == 1.0
    assert counts[1, 1] == 32 * 8


def test_plot_is_well_formed_and_shows_every_value():
    text = strip_plot("a < b", [Points("r", (0.1, float("nan"), 0.3)), Points("none", ())], limit=0.2, both=True)
    root = ElementTree.fromstring(text)
    circles = [one for one in root if one.tag.endswith("circle")]
    assert len(circles) == 2
    assert float(circles[0].get("cy")) > float(circles[1].get("cy")), "larger values stand higher"
    assert strip_plot("nothing", [Points("r", (float("nan"),))]) == ""


def test_ticks_are_round():
    assert ticks(0.0, 0.1) == [0.0, 0.02, 0.04, 0.06, 0.08, 0.1]
    assert ticks(3.0, 3.0) == [3.0]
