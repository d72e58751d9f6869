"""The instruments' data hang together."""

import pytest

from photopipe_gui.errors import UsageError
from photopipe_gui.instruments import registry
from photopipe_gui.instruments.model import Camera

INSTRUMENTS = [registry.get(name) for name in registry.names()]
CAMERAS = [pytest.param(i, c, id=f"{i.name}-{c.name}") for i in INSTRUMENTS for c in i.cameras]


def test_the_three_instruments_are_there():
    assert {"ratir", "lmi", "rimas"} <= set(registry.names())


@pytest.mark.parametrize(("instrument", "camera"), CAMERAS)
def test_camera_data_are_plausible(instrument, camera: Camera):
    assert set(camera.filters) <= set(instrument.filters)
    assert camera.gain > 0
    assert camera.ceiling > 1000
    assert 0.05 < camera.scale < 1
    assert [c.suffix for c in camera.channels] == (["a", "b"] if camera.split else [""])
    for channel in camera.channels:
        if channel.area is not None:
            y0, y1, x0, x1 = channel.area
            assert 0 <= y0 < y1 <= camera.shape[0]
            assert 0 <= x0 < x1 <= camera.shape[1]
    if camera.split:
        first, second = (channel.area for channel in camera.channels)
        assert first.y1 <= second.y0


def test_unknown_instrument_names_the_near_one():
    with pytest.raises(UsageError, match="Did you mean ratir"):
        registry.get("ratri")


def test_unknown_camera_lists_those_there_are():
    with pytest.raises(KeyError, match="C0, C1, C2, C3"):
        registry.get("ratir").camera(7)


def test_saturation_and_gain_follow_the_software_gain():
    ratir = registry.get("ratir")
    cards = {"SOFTGAIN": 4}
    assert ratir.rules.saturation(cards, ratir.camera(1)) == 16383
    assert ratir.rules.gain(cards, ratir.camera(1)) == pytest.approx(4.66)
    assert ratir.rules.saturation({"SOFTGAIN": 2}, ratir.camera(3)) == 17999
    assert ratir.rules.gain({"SOFTGAIN": 2}, ratir.camera(3)) == pytest.approx(1.2)
