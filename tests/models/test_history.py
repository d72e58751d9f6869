"""Undo and redo."""

from __future__ import annotations

import json

from photopipe_gui.gui.models.history import LENGTH, History, Step


def hand(name: str) -> Step:
    return Step(f"reject {name}", hand={name: (None, False)})


def limits(low: float, high: float, to: float) -> Step:
    return Step("flat limits", limits={"flat": ((low, high, False), (to, high, False))})


def test_undo_and_redo_walk_over_the_steps() -> None:
    history = History()
    for name in "abc":
        history.push(hand(name))
    assert [history.undo().text, history.undo().text] == ["reject c", "reject b"]
    assert history.redo_text == "reject b"
    assert history.redo().text == "reject b"
    assert history.undo_text == "reject b"


def test_a_new_step_forgets_what_was_undone() -> None:
    history = History()
    history.push(hand("a"))
    history.push(hand("b"))
    history.undo()
    history.push(hand("c"))
    assert history.redo() is None
    assert [history.undo().text, history.undo().text, history.undo()] == ["reject c", "reject a", None]


def test_a_drag_is_one_step_and_the_next_drag_another() -> None:
    history = History()
    history.push(limits(0.2, 0.8, 0.3), merge=True)
    history.push(limits(0.3, 0.8, 0.4), merge=True)
    history.close()
    history.push(limits(0.4, 0.8, 0.5), merge=True)
    assert history.undo().limits["flat"] == ((0.4, 0.8, False), (0.5, 0.8, False))
    assert history.undo().limits["flat"] == ((0.2, 0.8, False), (0.4, 0.8, False))
    assert history.undo() is None


def test_steps_survive_the_session_file() -> None:
    history = History()
    history.push(hand("a"))
    history.push(limits(0.2, 0.8, 0.3))
    history.undo()
    steps, position = history.as_json()
    copy = History()
    copy.load(json.loads(json.dumps(steps)), position)
    assert copy.redo().limits["flat"][1] == (0.3, 0.8, False)
    assert copy.undo().text == "flat limits"
    assert copy.undo().hand == {"a": (None, False)}


def test_damaged_steps_start_an_empty_history() -> None:
    history = History()
    history.load([{"text": "x", "hand": {"a": ["yes", "no"]}, "limits": {}}], 1)
    assert history.undo() is None


def test_the_oldest_steps_fall_off() -> None:
    history = History()
    for number in range(LENGTH + 5):
        history.push(hand(str(number)))
    taken = 0
    while history.undo() is not None:
        taken += 1
    assert taken == LENGTH
