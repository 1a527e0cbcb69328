"""Frames are made ahead of their use, in order and in bounds."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monai_sr.batch.pipeline import ahead
from monai_sr.upscaler import AHEAD
from monai_sr.volume import LazyFrames, Source, Volume

COUNT = 12


def volume(make):
    array = LazyFrames((COUNT, 1, 2), np.dtype(np.int16), make)
    return Volume(
        array, np.eye(4), np.ones(COUNT), np.zeros(COUNT), (-32768, 32767), Source(), Path("series")
    )


def frame(index):
    return np.full((1, 2), index, np.int16)


def test_every_frame_is_the_same():
    with ahead(volume(frame)) as read:
        assert [int(each[0, 0]) for each in read.array] == list(range(COUNT))
        assert [int(read.array[index][0, 0]) for index in (5, 5, 2, 11, 0)] == [5, 5, 2, 11, 0]
        assert replace(read, array=np.asarray(read.array)).array.shape == (COUNT, 1, 2)


def test_the_next_frame_is_made_while_one_is_used():
    made = {index: threading.Event() for index in range(COUNT)}

    def make(index):
        made[index].set()
        return frame(index)

    with ahead(volume(make)) as read:
        read.array[0]
        assert made[AHEAD].wait(10)
        assert not made[AHEAD + 1].wait(0.2)


@pytest.mark.parametrize("order", [range(COUNT), range(COUNT - 1, -1, -1), [3, 9, 0, 6]])
def test_each_frame_is_made_once(order):
    made = []
    with ahead(volume(lambda index: made.append(index) or frame(index))) as read:
        assert [int(read.array[index][0, 0]) for index in order] == list(order)
    assert made == list(order)


def test_an_error_is_raised_where_its_frame_is_asked_for():
    def make(index):
        if index == 3:
            raise ValueError("frame 4 is damaged")
        return frame(index)

    with ahead(volume(make)) as read:
        assert [int(read.array[index][0, 0]) for index in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="frame 4 is damaged"):
            read.array[3]


def test_no_thread_outlives_it():
    before = threading.active_count()

    def use():
        with ahead(volume(frame)) as read:
            read.array[0]
            raise KeyError("a writer's error")

    with pytest.raises(KeyError):
        use()
    assert threading.active_count() == before
