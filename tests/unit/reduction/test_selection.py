"""Selection files and sessions: read, written, damaged, dangerous."""

import contextlib
import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photopipe_gui.errors import UsageError
from photopipe_gui.reduction.preprocess.rules import Limits
from photopipe_gui.reduction.selection import Selection, Verdict, load_selection, save_selection
from photopipe_gui.reduction.session import FILE_NAME, Session, load_session, save_session

LISTS = {"C0": ["/night/a b/ñ.fits"], "i": []}


def test_both_files_hold_the_same(tmp_path):
    path = save_selection(LISTS, tmp_path, "bias")
    assert path.suffix == ".json"
    assert path.name.startswith("bias_")
    assert load_selection(path) == LISTS
    assert load_selection(path.with_suffix(".p")) == LISTS
    with path.with_suffix(".p").open("rb") as stream:
        assert pickle.load(stream) == LISTS
    assert save_selection(LISTS, tmp_path, "bias") != path


class _Evil:
    def __reduce__(self):
        return eval, ("1/0",)


@pytest.mark.parametrize(
    "content", [{"C0": [_Evil()]}, _Evil(), Verdict(True), {"C0": {1, 2}}, ["a"], {"C0": [1]}, {1: []}]
)
def test_pickles_of_anything_else_are_refused(tmp_path, content):
    path = tmp_path / "x.p"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(UsageError, match=r"x\.p"):
        load_selection(path)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_damaged_pickles_only_raise_usage_errors(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("p") / "x.p"
    path.write_bytes(data)
    with contextlib.suppress(UsageError):
        load_selection(path)


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x05\x96\xff\x00\x00\x00\x00\x00\x00\x00.",  # a byte array longer than the file
        b"}r\xff\xff\xff\x7f.",  # a memo of two thousand million entries
    ],
)
def test_pickles_made_to_break_the_reader_are_refused(tmp_path, data):
    path = tmp_path / "x.p"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"x\.p"):
        load_selection(path)


def test_python_2_pickles_are_read(tmp_path):
    path = tmp_path / "old.p"
    path.write_bytes(b"(dp0\nS'C0'\np1\n(lp2\nS'/a/b.fits'\np3\nas.")
    assert load_selection(path) == {"C0": ["/a/b.fits"]}


def test_session_round_trip(tmp_path):
    selection = Selection(
        {"a": Verdict(False, "hand", "rejected by hand"), "b": Verdict(True), "c": Verdict(False, "rule", "why")}
    )
    session = Session("ratir", (0, 1), {"flat": Limits(0.1, 0.7, True)}, {}, {}, (["x", 1],), {"tab": "frames"})
    save_session(tmp_path, session.with_selection(selection))
    read, problem = load_session(tmp_path)
    assert problem == ""
    assert read.hand == {"a": False}
    assert read.verdicts == selection.verdicts
    assert read.limits == session.limits
    assert (read.instrument, read.cameras, read.ui) == ("ratir", (0, 1), {"tab": "frames"})
    content = json.loads((tmp_path / FILE_NAME).read_text())
    assert content["schema"] == 1
    assert content["frames"]["a"] == {"verdict": "reject", "by": "hand", "reason": "rejected by hand"}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema": 99}', '{"schema": 1, "frames": {"a": 5}}', '{"schema": 1, "limits": 3}']
)
def test_a_broken_session_is_set_aside_not_overwritten(tmp_path, text):
    (tmp_path / FILE_NAME).write_text(text)
    session, problem = load_session(tmp_path)
    assert session == Session()
    assert "damaged" in problem
    save_session(tmp_path, Session("lmi"))
    assert (tmp_path / "photopipe_session.damaged-1.json").read_text() == text
