"""Names of our own, and zips that would do harm."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from monai_sr.errors import InputError
from monai_sr.integrations.web.refusals import TooLargeError
from monai_sr.integrations.web.upload import IMAGES, image_in, neutral, stored_path, unpack
from monai_sr.sample import sample_series_dir


def pack(path: Path, *entries: tuple[str, bytes], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "suffix", ["", "..", "/etc/passwd", ".dcm/..", ".exe", ".nii.gz.exe", ".dcm\0", ".DCM "]
)
def test_a_suffix_that_names_no_format_is_dropped(suffix):
    assert stored_path(Path("x"), 0, 1, suffix) == Path("x/00000/00001")


def test_sentences_hold_no_path_of_ours(tmp_path):
    images = tmp_path / IMAGES
    for path, said in (
        (images / "00000" / "00012.dcm", "File 12"),
        (images / "00003" / "00001", "File 1"),
        (images, "The upload"),
        (images / "00000", "The upload"),
        (tmp_path / "result" / "00001.nii.gz", "The result"),
        (tmp_path / "result.zip", "The result"),
    ):
        assert neutral(f"{path} is damaged; copy it again", tmp_path) == f"{said} is damaged; copy it again"


def test_a_zip_keeps_its_folders_apart_and_drops_what_file_managers_leave(tmp_path):
    entries = [
        ("b/2.dcm", b"2"),
        ("a/1.DCM", b"1"),
        ("b/1.nii.gz", b"3"),
        ("c/", b""),
        ("__MACOSX/b/._2.dcm", b"x"),
    ]
    unpack(pack(tmp_path / "a.zip", *entries), tmp_path / "out", 100)
    found = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_bytes() for path in tmp_path.glob("out/*/*")
    }
    assert found == {"00000/00001.dcm": b"1", "00001/00002.nii.gz": b"3", "00001/00003.dcm": b"2"}


def test_what_is_unpacked_is_counted_whatever_the_zip_claims(tmp_path):
    path = pack(tmp_path / "a.zip", ("1", bytes(600)), ("2", bytes(600)), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(TooLargeError, match="Unpacked"):
        unpack(path, tmp_path / "out", 1000)
    assert sum(file.stat().st_size for file in tmp_path.glob("out/*/*")) <= 1000
    content = bytearray(path.read_bytes())
    # The sizes in the directory at the end, which a bomb would belie.
    for at in [n for n in range(len(content)) if content[n : n + 4] == b"PK\x01\x02"]:
        content[at + 24 : at + 28] = b"\1\0\0\0"
    path.write_bytes(content)
    with pytest.raises(InputError):
        unpack(path, tmp_path / "again", 1000)
    assert sum(file.stat().st_size for file in tmp_path.glob("again/*/*")) <= 1000
    with pytest.raises(TooLargeError, match="over 1 files"):
        unpack(path, tmp_path / "more", 1000, max_files=1)


def test_other_zips_are_refused(tmp_path):
    for compression in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = pack(tmp_path / "a.zip", ("1", b"a" * 100), compression=compression)
        with pytest.raises(InputError, match="uncommon kind"):
            unpack(path, tmp_path / "out", 1000)
    encrypted = bytearray(pack(tmp_path / "b.zip", ("1", b"a" * 100)).read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        encrypted[encrypted.index(mark) + flags] |= 1
    (tmp_path / "b.zip").write_bytes(encrypted)
    with pytest.raises(InputError, match="encrypted"):
        unpack(tmp_path / "b.zip", tmp_path / "out", 1000)
    whole = pack(tmp_path / "c.zip", ("1", b"a" * 100), compression=zipfile.ZIP_DEFLATED).read_bytes()
    for cut in range(0, len(whole), 7):
        (tmp_path / "c.zip").write_bytes(whole[:cut] + io.BytesIO(whole[cut + 3 :]).read())
        try:
            unpack(tmp_path / "c.zip", tmp_path / f"out_{cut}", 1000)
        except InputError:
            continue


def test_the_one_image_is_found_among_others(tmp_path):
    folder = tmp_path / "00000"
    folder.mkdir()
    (folder / "00001.nii").write_bytes(b"")
    assert image_in(tmp_path) == folder / "00001.nii"
    (folder / "00002").write_bytes(b"a sidecar")
    assert image_in(tmp_path) == folder / "00001.nii"
    (folder / "00003.png").write_bytes(b"")
    with pytest.raises(InputError, match="2 images"):
        image_in(tmp_path)
    first = sorted(sample_series_dir().iterdir())[0]
    (folder / "00004.dcm").write_bytes(first.read_bytes())
    assert image_in(tmp_path) == tmp_path
