from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_sr.integrations.pacs.multipart import MultipartError, write_part

TYPE = 'multipart/related; type="application/dicom"; boundary="x y"'
BODY = b"\r\n--x y\r\nContent-Type: application/dicom\r\nX: 1\r\n\r\n%s\r\n--x y--\r\n"


def written(content_type, *chunks):
    file = io.BytesIO()
    write_part(content_type, iter(chunks), file)
    return file.getvalue()


@given(st.binary(max_size=200), st.integers(1, 30))
def test_a_part_is_found_however_it_is_cut(data, size):
    body = BODY % data
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    if b"\r\n--x y" not in data:
        assert written(TYPE, *chunks) == data


def test_what_looks_like_the_end_and_is_not_is_data():
    assert written(TYPE, BODY % b"ab\r\n--x", b"") == b"ab\r\n--x"


def test_a_file_without_parts_is_taken():
    assert written("application/dicom; transfer-syntax=*", b"ab", b"c") == b"abc"


@pytest.mark.parametrize(
    ("content_type", "body", "said"),
    [
        ("text/html", b"<html>", "no multipart"),
        ("", b"DICM", "no multipart"),
        ("multipart/related", BODY % b"a", "no multipart"),
        (TYPE, b"", "no part"),
        (TYPE, b"a" * 10**6, "no part"),
        (TYPE, BODY.replace(b"x y", b"other") % b"a", "no DICOM part"),
        (TYPE, BODY.replace(b"application/dicom", b"application/dicom+json") % b"a", "no DICOM part"),
        (TYPE, BODY.replace(b"application/dicom", b"image/jpeg") % b"a", "no DICOM part"),
        (TYPE, (BODY % b"a")[:-8], "ends early"),
        (TYPE, (BODY % b"a").rstrip(b"-\r\n") + b"\r\n", "more than one part"),
    ],
)
def test_anything_else_is_refused(content_type, body, said):
    with pytest.raises(MultipartError, match=said):
        written(content_type, *(body[start : start + 1000] for start in range(0, len(body), 1000)))
