"""`clapboard.syncnet_files.tables`: plain values with the keys, shapes and types of the published pipeline."""

import io
import pickle
import pickletools
from typing import Any

import numpy as np
import pytest

from clapboard.syncnet_files.tables import Grid, Row, faces, frames_of, offsets, pickled, scenes, track_of
from clapboard.values import Shot, Track

HOLE = Grid(np.array([*range(50), *range(1600, 1650)]), 2.0 + np.array([*range(50), *range(1600, 1650)]) / 25, 2.0)
"""Two seconds of picture, a minute of none, two seconds more; it begins at 2 s."""


class NumpyAlone(pickle.Unpickler):
    """Loads nothing but the two types of numpy that have had the same name in all of its versions."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "numpy" and name in ("ndarray", "dtype"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is asked for")


def loaded(content: bytes) -> Any:
    """What a pickle holds, read without Clapboard and without numpy's inner modules."""
    return NumpyAlone(io.BytesIO(content)).load()


def track(first: int = 0, count: int = 40, number: int = 0, scores: np.ndarray | None = None) -> Track:
    """A face 100 px wide and 120 high that moves 1 px to the right in a frame, missed in its frames 5 and 6."""
    x = 300.0 + np.arange(count, dtype=np.float32)
    boxes = np.column_stack([x, np.full(count, 80), x + 100, np.full(count, 200)]).astype(np.float32)
    missed = np.isin(np.arange(count), [5, 6])
    time_s = 2.0 + (first + np.arange(count)) / 25
    return Track(number, Shot(2.0, 4.0), time_s, boxes, np.zeros((count, 5, 2), np.float32), missed, scores)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_pickles_load_on_any_numpy(dtype: type) -> None:
    """Version 2 of numpy writes names that version 1 does not have: none of these may be in the file."""
    value = [{"a": np.arange(6).reshape(2, 3).astype(dtype)}, (1, "b", 2.5), np.zeros((0, 31), dtype)]
    content = pickled(value)
    found = loaded(content)
    assert found[1] == value[1]
    for new, old in ((found[0]["a"], value[0]["a"]), (found[2], value[2])):
        assert (new.dtype, new.shape) == (old.dtype, old.shape)
        assert np.array_equal(new, old)
        assert new.flags.writeable
    words = {argument for _, argument, _ in pickletools.genops(content) if isinstance(argument, str)}
    assert not any("core" in word or "clapboard" in word for word in words)
    assert pickle.loads(content)[1] == value[1]


def test_arrays_that_do_not_lie_in_order_are_kept() -> None:
    """A column of a table is stored as its numbers, not as a view of what was around it."""
    table = np.arange(12.0).reshape(3, 4)
    assert np.array_equal(loaded(pickled(table[:, 1])), [1, 5, 9])
    assert np.array_equal(loaded(pickled(table.T)), table.T)


@pytest.mark.parametrize("bad", [np.float32(1.5), np.array([{}]), {"shot": Shot(0, 1)}])
def test_nothing_else_gets_into_a_pickle(bad: Any) -> None:
    """A numpy number or an object of ours would need more than numpy's plain types to be loaded."""
    with pytest.raises(TypeError, match="no plain value"):
        pickled([bad])


def test_frames_count_from_the_start_of_the_picture() -> None:
    """Also behind a hole, and where the file's clock does not begin at 0."""
    assert HOLE.frames == 1650
    assert [HOLE.number(time_s) for time_s in (2.0, 3.0, 66.0, 99.0)] == [0, 25, 1600, 1650]
    assert frames_of(track(first=10), HOLE).tolist() == list(range(10, 50))
    assert frames_of(track(first=1600), HOLE).tolist() == list(range(1600, 1640))


def test_faces_are_those_that_were_seen() -> None:
    """A list a frame, of dicts; frames of the track in which the detector missed are in the track alone."""
    scores = np.linspace(0.9, 1.0, 40).astype(np.float32)
    scores[5:7] = np.nan
    found = faces([track(0, 40, 0, scores), track(10, 20, 1)], HOLE)
    assert [len(found), len(found[0]), len(found[4]), len(found[5]), len(found[20])] == [1650, 1, 1, 0, 2]
    assert set(found[4][0]) == {"frame", "bbox", "conf"}
    assert found[4][0]["frame"] == 4
    assert found[4][0]["bbox"] == [304.0, 80.0, 404.0, 200.0]
    assert found[4][0]["conf"] == pytest.approx(0.9103, abs=1e-3)
    assert {type(value) for value in found[4][0].values()} == {int, list, float}
    assert {type(value) for value in found[4][0]["bbox"]} == {float}
    assert loaded(pickled(found)) == found


def test_scenes_are_pairs_of_frames() -> None:
    """First frame, and first one after it; together they are the whole file."""
    found = scenes([Shot(2.0, 3.0), Shot(3.0, 66.0), Shot(66.0, 67.96)], HOLE)
    assert found == [(0, 25), (25, 1600), (1600, 1650)]
    assert {type(one) for pair in found for one in pair} == {int}
    assert scenes([], Grid(np.zeros(0, np.int64), np.zeros(0), 0.0)) == []


def test_a_track_has_the_published_keys_and_shapes() -> None:
    """``proc_track`` is the square that was cut out: middle of the face and half of its longer side."""
    found = loaded(pickled(track_of(track(3), HOLE)))
    assert {name: set(of) for name, of in found.items()} == {"track": {"frame", "bbox"}, "proc_track": {"x", "y", "s"}}
    frame, box = found["track"]["frame"], found["track"]["bbox"]
    assert (frame.dtype, frame.shape, frame[0]) == (np.int64, (40,), 3)
    assert (box.dtype, box.shape) == (np.float64, (40, 4))
    x, y, s = (found["proc_track"][name] for name in "xys")
    assert {(one.dtype.str, one.shape) for one in (x, y, s)} == {("<f8", (40,))}
    assert x[10:30] == pytest.approx(350 + np.arange(10, 30))
    assert y == pytest.approx(np.full(40, 140.0))
    assert s == pytest.approx(np.full(40, 60.0))


def test_the_table_of_offsets() -> None:
    """Three columns that old scripts know, four more, and remarks that ``comment="#"`` of a reader skips."""
    rows = [Row("00000.avi", 5, 3.25, 200.0, 6.5, 0, 0.04), Row("00001.avi", *[float("nan")] * 4, 3, 9.0)]
    lines = offsets(rows, {"model": "m"}).splitlines()
    assert lines[0].split("\t")[:3] == ["FILENAME", "OFFSET", "CONF"]
    assert lines[1].split("\t") == ["00000.avi", "5", "3.250", "200", "6.500", "0", "0.0400"]
    assert lines[2].split("\t") == ["00001.avi", "nan", "nan", "nan", "nan", "3", "9.0000"]
    assert {len(line.split("\t")) for line in lines[:3]} == {7}
    assert lines[3:] == ["# model: m"]


def test_the_reader_of_these_tests_is_strict() -> None:
    """It would refuse what numpy writes by itself, whatever its version."""
    with pytest.raises(pickle.UnpicklingError, match="_reconstruct is asked for"):
        loaded(pickle.dumps(np.zeros(3)))
    assert len(loaded(pickled([1, 2]))) == 2
