"""crclean as a step: flags, header, what is skipped."""

import dataclasses

import numpy as np
import pytest
from sky_scenes import group_of, make_visit

from photopipe_gui.errors import FrameError
from photopipe_gui.reduction.auto.steps import crclean
from photopipe_gui.reduction.fitsio import read_frame, write_frame
from photopipe_gui.reduction.frame import Mask

PARAMS = crclean.CrcleanParams()


@pytest.fixture
def hit(tmp_path):
    """A sky-subtracted frame with 60 hits of one to four pixels; returns its task and where they are."""
    visit = make_visit(tmp_path, n=1, n_stars=40, level=300.0, gradient=0.0, fringe=0.0, dither=0)
    frame = read_frame(visit.paths[0])
    frame.image -= np.float32(visit.levels[0])
    rng = np.random.default_rng(6)
    where = np.zeros(frame.image.shape, bool)
    for _ in range(60):
        y, x = rng.integers(5, 500, 2)
        where[y, x : x + rng.integers(1, 5)] = True
    frame.image[where] += 800
    write_frame(visit.paths[0], frame)
    return group_of(visit, None).frames[0], where


def test_hits_are_flagged_counted_and_repaired(hit):
    task, where = hit
    result = crclean.run(task, PARAMS)
    frame = read_frame(result.product)
    flagged = (frame.mask & Mask.COSMIC) != 0
    assert flagged[where].mean() > 0.97
    assert (flagged & ~where).sum() < 0.3 * where.sum()
    assert frame.header["NPZAP"] == flagged.sum() == result.measurements["NPZAP"]
    assert np.median(frame.image[where]) < 60
    assert "crclean" in "".join(frame.header["HISTORY"])
    assert 3 < result.measurements["CRFWHM"] < 5.5


def test_noise_comes_from_the_header_or_else_from_the_sky(hit):
    task, where = hit
    crclean.run(task, PARAMS)
    assert read_frame(task.target).header["CRNOISE"] == 8.0
    frame = read_frame(task.source)
    for keyword in ("RDNOISE", "GAIN", "SKYCTS"):
        del frame.header[keyword]
    write_frame(task.source, frame)
    crclean.run(task, PARAMS)
    found = (read_frame(task.target).mask & Mask.COSMIC) != 0
    assert found[where].mean() > 0.95 and (found & ~where).sum() < 0.3 * where.sum()


def test_earlier_flags_stay_and_are_not_hits(hit):
    task, _ = hit
    frame = read_frame(task.source)
    frame.mask[200:202, 200:220] = Mask.SATURATED
    frame.image[200:202, 200:220] = 60000
    frame.image[300, 300], frame.mask[300, 300] = np.nan, Mask.NODATA | Mask.BAD
    write_frame(task.source, frame)
    crclean.run(task, PARAMS)
    done = read_frame(task.target)
    assert (done.mask[200:202, 200:220] == Mask.SATURATED).all() and (done.image[200:202, 200:220] == 60000).all()
    assert np.isnan(done.image[300, 300]) and done.mask[300, 300] == Mask.NODATA | Mask.BAD


@pytest.mark.parametrize("name", ["SKY_FLAT", "twilight", "DomeFlat", "flat", "SkyFlat-r", "EveningTwilight"])
def test_flats_are_skipped_in_words(hit, name):
    task, _ = hit
    frame = read_frame(task.source)
    frame.header["TARGNAME"] = name
    write_frame(task.source, frame)
    result = crclean.run(task, PARAMS)
    assert result.product == task.source and name in result.skipped and not task.target.exists()


@pytest.mark.parametrize("name", ["GRB180618A", "flatiron", "inflate", "M31"])
def test_targets_are_not_taken_for_flats(name):
    assert not crclean.is_flat_target(name)


def test_a_frame_without_noise_is_refused(hit):
    task, _ = hit
    frame = read_frame(task.source)
    frame.image[:] = 0
    write_frame(task.source, frame)
    with pytest.raises(FrameError, match="no noise"):
        crclean.run(dataclasses.replace(task), PARAMS)
