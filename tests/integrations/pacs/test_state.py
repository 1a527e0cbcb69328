from __future__ import annotations

import subprocess
import sys
import time

import pytest

from monai_sr.errors import InputError
from monai_sr.integrations.pacs import state as module
from monai_sr.integrations.pacs.state import ATTEMPTS, FILE, State


@pytest.fixture
def state(tmp_path):
    opened = State(tmp_path / "state", "task")
    yield opened
    opened.close()


def reopened(state, tmp_path, task="task"):
    state.close()
    return State(tmp_path / "state", task)


def test_what_is_written_is_read_again(state, tmp_path):
    state.settle("a", 3, "refused", "why")
    state.begin("b", 4)
    state.begin("c", 5)
    state.restore("c", None)
    state = reopened(state, tmp_path)
    refused, begun = state.get("a"), state.get("b")
    assert (refused.images, refused.status, refused.reason) == (3, "refused", "why")
    assert (begun.attempts, begun.status) == (1, "begun")
    assert state.get("c") is None
    # The same series may do well when something else is done to it.
    assert reopened(state, tmp_path, "other").get("a") is None


def test_failures_are_counted_and_waited_for(state):
    waits = []
    for _ in range(ATTEMPTS):
        assert state.get("a") is None or not state.get("a").is_over(3)
        state.begin("a", 3)
        entry = state.fail("a", "why")
        waits.append(round(entry.retry_at - time.time()))
    assert waits == [module.FIRST_WAIT * 2**number for number in range(ATTEMPTS)]
    assert state.get("a").is_over(3)
    # A series that got more images is another matter.
    assert not state.get("a").is_over(4)
    state.begin("a", 4)
    assert state.get("a").attempts == 1


def test_an_end_without_a_word_counts(state, tmp_path):
    for _ in range(ATTEMPTS):
        state.begin("a", 3)
        state = reopened(state, tmp_path)
    assert state.get("a").is_over(3)


def test_two_watchers_do_not_share_a_state(state, tmp_path):
    with pytest.raises(InputError, match="in use by another watcher"):
        State(tmp_path / "state", "task")
    state.close()
    State(tmp_path / "state", "task").close()


def test_a_lock_ends_with_its_process(tmp_path):
    code = f"""
import os, signal
from pathlib import Path
from monai_sr.integrations.pacs.state import State
state = State(Path({str(tmp_path)!r}), "task")
state.begin("a", 3)
(state.work / "images").mkdir()
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert len(list((tmp_path / "work").iterdir())) == 1
    state = State(tmp_path, "task")
    assert state.get("a").attempts == 1
    assert list(state.work.iterdir()) == []
    state.close()


def test_a_folder_that_cannot_be_used_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / FILE).write_text("no database, but longer than the header of one would be" * 50)
    for folder in (tmp_path / "file", tmp_path):
        with pytest.raises(InputError, match="choose another --state"):
            State(folder, "task")
