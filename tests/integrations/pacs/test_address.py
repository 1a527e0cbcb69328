from __future__ import annotations

import pytest

from monai_sr.errors import InputError
from monai_sr.integrations.pacs.address import is_pacs_address, parse_address


@pytest.mark.parametrize(
    ("text", "url", "study", "series", "shown"),
    [
        (
            "dicomweb://pacs:8042/dicom-web",
            "http://pacs:8042/dicom-web",
            None,
            None,
            "dicomweb://pacs:8042/dicom-web",
        ),
        ("DICOMWEBS://pacs/", "https://pacs", None, None, "dicomwebs://pacs"),
        ("dicomweb://pacs/a/b/studies/1.2/", "http://pacs/a/b", "1.2", None, "dicomweb://pacs/a/b"),
        (
            "dicomweb://[::1]:80/rs/studies/1/series/2.3",
            "http://[::1]:80/rs",
            "1",
            "2.3",
            "dicomweb://[::1]:80/rs",
        ),
    ],
)
def test_an_address_is_taken_apart(text, url, study, series, shown):
    address = parse_address(text)
    assert is_pacs_address(text)
    assert (address.url, address.study_uid, address.series_uid) == (url, study, series)
    assert str(address) == shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dicomweb://user:hidden@pacs/rs", "MONAI_SR_DICOMWEB_USER"),
        ("dicomweb://user@pacs/rs", "MONAI_SR_DICOMWEB_USER"),
        ("dicomweb:///rs", "HOST"),
        ("http://pacs/rs", "dicomweb://HOST"),
        ("dicomweb://pacs:port/rs", "host and port"),
        ("dicomweb://pacs/rs?token=hidden", "after ? or #"),
        ("dicomweb://pacs/rs/studies/1.2/series/..%2f", "must end in"),
        ("dicomweb://pacs/rs/studies/1.2/series/1/instances/3", "must end in"),
        ("dicomweb://pacs/rs/studies/1.2/serie/3", "must end in"),
        (f"dicomweb://pacs/rs/studies/{'1' * 65}", "must end in"),
    ],
)
def test_what_is_no_address_is_refused(text, said):
    with pytest.raises(InputError, match=said.replace("?", r"\?")) as caught:
        parse_address(text)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "private"),
    [
        ("dicomweb://localhost:1/x", True),
        ("dicomweb://127.0.0.1/x", True),
        ("dicomweb://[::1]/x", True),
        ("dicomwebs://pacs/x", True),
        ("dicomweb://pacs/x", False),
        ("dicomweb://localhost.pacs/x", False),
    ],
)
def test_what_others_could_read_is_known(text, private):
    assert parse_address(text).is_private is private
