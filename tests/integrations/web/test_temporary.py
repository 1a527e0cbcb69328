"""A folder for one server, and what others left."""

from __future__ import annotations

import tempfile

from monai_sr.integrations.web.temporary import PREFIX, private_folder


def test_leftovers_go_and_what_is_in_use_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / f"{PREFIX}left"
    left.mkdir()
    (left / "in-use").touch()
    (left / "image").write_bytes(b"of somebody")
    starting, elsewhere = tmp_path / f"{PREFIX}starting", tmp_path / "elsewhere"
    for folder in (starting, elsewhere):
        folder.mkdir()
    (elsewhere / "in-use").touch()
    link = tmp_path / f"{PREFIX}link"
    link.symlink_to(elsewhere)
    with private_folder() as first:
        assert not left.exists()
        (first / "image").touch()
        with private_folder() as second:
            assert (first / "image").exists()
            assert first != second
        assert not second.exists()
        assert (first / "image").exists()
    assert sorted(tmp_path.iterdir()) == sorted([starting, elsewhere, link])
    assert (elsewhere / "in-use").exists()
