"""The image view."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QColor
from pytestqt.qtbot import QtBot

from photopipe_gui.gui import display
from photopipe_gui.gui.theme import theme
from photopipe_gui.gui.widgets.image_view import ImageView

RNG = np.random.default_rng(2)


@pytest.fixture
def view(qtbot: QtBot) -> ImageView:
    theme().set_name("light")
    made = ImageView()
    qtbot.addWidget(made)
    made.resize(400, 300)
    made.show()
    qtbot.waitExposed(made)
    return made


def sky(level: float = 1000.0, shape: tuple[int, int] = (120, 160)) -> np.ndarray:
    return RNG.normal(level, 10, shape).astype(np.float32)


def color_at(view: ImageView, x: float, y: float) -> QColor:
    place = view.view_box().mapViewToScene(QPointF(x, y)).toPoint()
    return QColor(view.picture().pixel(place))


def test_row_0_is_at_the_bottom_and_column_0_at_the_left(view: ImageView, qtbot: QtBot) -> None:
    image = np.zeros((120, 160), np.float32)
    image[:20, :20] = 100
    view.set_stretch("linear")
    view.set_image(image)
    qtbot.wait(20)
    assert color_at(view, 5, 5).lightness() > 200
    assert color_at(view, 150, 5).lightness() < 20
    lower_left = view.view_box().mapViewToScene(QPointF(0, 0))
    upper_right = view.view_box().mapViewToScene(QPointF(159, 119))
    assert lower_left.x() < upper_right.x() and lower_left.y() > upper_right.y()


def test_saturated_and_missing_pixels_have_their_colours(view: ImageView, qtbot: QtBot) -> None:
    image = sky()
    image[40:60, 40:60] = 16383
    image[80:100, 80:100] = np.nan
    view.set_image(image, saturation=16383)
    qtbot.wait(20)
    assert color_at(view, 50, 50).name() == theme().colors().saturated
    assert color_at(view, 90, 90).name() == theme().colors().bad
    view.set_show_saturated(False)
    qtbot.wait(20)
    assert color_at(view, 50, 50).name() == "#ffffff"


def test_a_mask_marks_bad_pixels_until_it_is_switched_off(view: ImageView, qtbot: QtBot) -> None:
    mask = np.zeros((120, 160), np.uint8)
    mask[50:70, 50:70] = 1
    view.set_image(sky(), mask)
    qtbot.wait(20)
    assert color_at(view, 60, 60).name() == theme().colors().bad
    view.set_show_bad(False)
    qtbot.wait(20)
    assert color_at(view, 60, 60).name() != theme().colors().bad


def test_zoom_and_pan_stay_from_image_to_image(view: ImageView) -> None:
    view.set_image(sky())
    view.zoom_to(3.0, 40, 50)
    before = view.view_box().viewRect()
    view.set_image(sky(2000))
    after = view.view_box().viewRect()
    assert after == before
    view.clear("reading")
    view.set_image(sky(500))
    assert view.view_box().viewRect() == before


def test_an_image_of_another_size_is_fitted(view: ImageView, qtbot: QtBot) -> None:
    view.set_image(sky())
    view.zoom_to(3.0)
    view.set_image(sky(shape=(500, 300)))
    qtbot.wait(20)
    assert view.view_box().viewRect().height() >= 499


def test_actual_size_is_one_pixel_for_one(view: ImageView, qtbot: QtBot) -> None:
    view.set_image(sky())
    view.actual_size()
    box = view.view_box()
    assert box.viewRect().width() == pytest.approx(box.width(), rel=0.02)
    view.fit()
    qtbot.wait(20)
    assert box.viewRect().height() == pytest.approx(120, abs=2)


def test_limits_follow_the_image_unless_locked(view: ImageView) -> None:
    view.set_image(sky(1000))
    first = view.limits
    view.set_image(sky(5000))
    assert view.limits[0] > first[1]
    view.set_locked(True)
    held = view.limits
    view.set_image(sky(1000))
    assert view.limits == held
    view.set_locked(False)
    assert view.limits[1] < held[0]


def test_z_goes_round_the_stretches(view: ImageView) -> None:
    view.set_image(sky())
    seen = []
    for _ in display.STRETCHES:
        seen.append(view.stretch)
        view.next_stretch()
    assert tuple(seen) == display.STRETCHES and view.stretch == seen[0]


def test_the_cursor_tells_the_pixel_under_it(view: ImageView, qtbot: QtBot) -> None:
    image = sky(shape=(120, 100))
    view.set_image(image)
    qtbot.wait(20)
    place = view.view_box().mapViewToScene(QPointF(30, 70)).toPoint()
    with qtbot.waitSignal(view.cursorMoved) as caught:
        qtbot.mouseMove(view._graphics.viewport(), place)
    x, y, value = caught.args
    assert abs(x - 30) <= 1 and abs(y - 70) <= 1
    assert value == pytest.approx(image[int(y), int(x)])
    qtbot.wait(40)
    with qtbot.waitSignal(view.cursorLeft, timeout=1500):
        qtbot.mouseMove(view._graphics.viewport(), QPoint(1, 1))


def test_a_click_tells_its_place(view: ImageView, qtbot: QtBot) -> None:
    view.set_image(sky())
    qtbot.wait(20)
    place = view.view_box().mapViewToScene(QPointF(30, 70)).toPoint()
    with qtbot.waitSignal(view.clicked, timeout=1500) as caught:
        qtbot.mouseClick(view._graphics.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert caught.args == pytest.approx([30, 70], abs=1)


def test_values_outside_the_image_are_nan(view: ImageView) -> None:
    view.set_image(sky())
    assert np.isnan(view.value(-5, 3)) and np.isnan(view.value(3, 500))


def test_a_large_image_is_scaled_off_the_ui_thread(view: ImageView, qtbot: QtBot) -> None:
    image = sky(shape=(2000, 2000))
    with qtbot.waitSignal(view.rendered, timeout=3000):
        start = time.perf_counter()
        view.set_image(image)
        held = time.perf_counter() - start
    assert held < 0.05
    assert view.raster().width() == 2000


@pytest.mark.parametrize("shape", [(0, 5), (3, 4, 5), (7,)])
def test_what_is_no_image_is_refused(view: ImageView, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        view.set_image(np.zeros(shape, np.float32))


def test_the_red_theme_shows_red_alone(view: ImageView, qtbot: QtBot) -> None:
    view.set_stretch("linear")
    view.set_image(np.tile(np.linspace(0, 1, 160, dtype=np.float32), (120, 1)))
    theme().set_name("red")
    qtbot.wait(20)
    for x in (40, 80, 155):
        tone = color_at(view, x, 60)
        assert tone.red() > 1.8 * max(tone.green(), tone.blue())
    theme().set_name("light")
