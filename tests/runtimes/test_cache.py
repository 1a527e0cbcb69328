"""Converted networks are kept, and never trusted when damaged."""

import errno
import logging
import os

import pytest
import torch
from torch import nn

from monai_sr.errors import MonaiSRError
from monai_sr.runtimes.cache import MANIFEST, cache_folder, cached, network_key
from monai_sr.runtimes.rewriting import trace


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_SR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Builder:
    def __init__(self):
        self.count = 0

    def __call__(self, folder):
        self.count += 1
        (folder / "network.xml").write_text("a network")
        (folder / "network.bin").write_bytes(bytes(100))


def test_is_made_once(folder):
    build = Builder()
    assert cached("key", build) == cached("key", build) == folder / "key"
    assert build.count == 1
    assert sorted(os.listdir(folder)) == ["key"]
    cached("another", build)
    assert build.count == 2


@pytest.mark.parametrize("name", ["network.xml", "network.bin", MANIFEST])
@pytest.mark.parametrize("damage", ["changed", "gone", "emptied"])
def test_what_is_damaged_is_made_anew_and_said_once(folder, caplog, name, damage):
    build = Builder()
    cached("key", build)
    file = folder / "key" / name
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(b"" if damage == "emptied" else b"{" + file.read_bytes()[1:-1] + b"!")
    with caplog.at_level(logging.WARNING):
        cached("key", build)
        cached("key", build)
    assert build.count == 2
    assert [record.getMessage() for record in caplog.records] == [
        f"{folder / 'key'} is damaged: it is made anew"
    ]
    assert (folder / "key" / "network.xml").read_text() == "a network"


def test_nothing_is_left_of_what_could_not_be_made(folder):
    def fails(draft):
        (draft / "half").write_text("half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cached("key", fails)
    assert os.listdir(folder) == []


def test_where_the_disk_is_full_nothing_is_kept(folder, caplog):
    def fails_there(draft):
        if draft.parent == folder:
            raise OSError(errno.ENOSPC, "No space left on device")
        Builder()(draft)

    with caplog.at_level(logging.WARNING):
        made = cached("key", fails_there)
    assert (made / "network.xml").is_file()
    assert caplog.messages == [f"{folder} cannot be written (No space left on device): nothing is kept"]
    assert os.listdir(folder) == []


def test_that_no_disk_has_room_is_said(folder):
    def fails(draft):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(MonaiSRError, match=r"could not be written .No space left on device.: make room"):
        cached("key", fails)
    assert os.listdir(folder) == []


@pytest.mark.parametrize("what", ["file", "dangling link"])
def test_what_is_no_folder_is_made_anew(folder, caplog, what):
    folder.mkdir(exist_ok=True)
    if what == "file":
        (folder / "key").write_text("in the way")
    else:
        (folder / "key").symlink_to(folder / "nowhere")
    with caplog.at_level(logging.WARNING):
        made = cached("key", Builder())
    assert (made / "network.xml").is_file()
    assert not made.is_symlink()
    assert caplog.messages == [f"{folder / 'key'} is damaged: it is made anew"]


def test_another_process_may_be_first(folder):
    def late(draft):
        Builder()(draft)
        cached("key", Builder())

    assert cached("key", late) == folder / "key"
    assert sorted(os.listdir(folder)) == ["key"]


def test_works_where_nothing_can_be_kept(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MONAI_SR_CACHE", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        made = cached("key", Builder())
    assert (made / "network.xml").is_file()
    assert "cannot be written" in caplog.text


def test_the_folder_is_the_user_s(monkeypatch, tmp_path):
    monkeypatch.delenv("MONAI_SR_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "monai_sr"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "monai_sr"


def test_the_key_follows_everything_that_is_computed():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    key = network_key(trace(network), "1.0")
    assert key == network_key(trace(network), "1.0")
    assert key != network_key(trace(network), "1.1")
    assert key != network_key(trace(nn.Sequential(network[0], nn.Sigmoid())), "1.0")
    padded = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU())
    padded.load_state_dict(network.state_dict())
    assert key != network_key(trace(padded), "1.0")
    with torch.no_grad():
        network[0].bias[1] += 1e-6
    assert key != network_key(trace(network), "1.0")
