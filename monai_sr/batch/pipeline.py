"""Reading, computing and writing at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from monai_sr.upscaler import AHEAD
from monai_sr.volume import LazyFrames, Volume


@contextmanager
def ahead(volume: Volume) -> Iterator[Volume]:
    """Make the next frames of a volume in a thread of its own while one is used.

    Whoever asks for them one after the other, upwards or downwards, waits no longer than for the slower of
    both. A frame's error is raised where the frame is asked for.

    Args:
        volume: whose frames are read or computed when asked for.

    Yields:
        The same volume; its frames can be asked for until the context ends.
    """
    count, rows, columns = volume.array.shape
    waiting: dict[int, Future[np.ndarray]] = {}
    last = -1
    with ThreadPoolExecutor(1, thread_name_prefix="frames") as thread:

        def frame(index: int) -> np.ndarray:
            nonlocal last
            step, last = index - last, index
            # After a leap nobody knows which comes next.
            likely = range(index, index + step * (AHEAD + 1), step) if abs(step) == 1 else [index]
            for skipped in waiting.keys() - likely:
                waiting.pop(skipped).cancel()
            for following in likely:
                if 0 <= following < count and following not in waiting:
                    waiting[following] = thread.submit(volume.array.__getitem__, following)
            return waiting.pop(index).result()

        try:
            yield replace(volume, array=LazyFrames((count, rows, columns), volume.array.dtype, frame))
        finally:
            thread.shutdown(cancel_futures=True)
