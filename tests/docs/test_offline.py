"""What would fetch from elsewhere is found, and what merely links there is not."""

from __future__ import annotations

import runpy

import pytest

from tests.docs.blocks import ROOT


@pytest.fixture(scope="module")
def fetched_elsewhere():
    return runpy.run_path(str(ROOT / "docs" / "_ext" / "offline.py"))["fetched_elsewhere"]


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ('<script src="https://example.org/a.js"></script>', ".html"),
        ('<script defer src="//example.org/a.js"></script>', ".html"),
        ('<link rel="stylesheet" href="http://example.org/a.css">', ".html"),
        ('<link rel="preconnect" href="https://example.org">', ".html"),
        ('<img src="a.png" srcset="https://example.org/a.png 2x">', ".html"),
        ('<p style="background: url(https://example.org/a.png)">', ".html"),
        ("@import 'https://example.org/a.css';", ".css"),
        ('a { src: url( "//example.org/a.woff2" ) }', ".css"),
    ],
)
def test_what_is_fetched_is_found(fetched_elsewhere, text, suffix):
    assert any("example.org" in address for address in fetched_elsewhere(text, suffix))


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ('<a href="https://example.org">there</a>', ".html"),
        ('<link rel="canonical" href="https://example.org/page.html">', ".html"),
        ('<script src="_static/a.js?v=1"></script><img src="data:image/png;base64,AA">', ".html"),
        ("a { background: url(\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'\") }", ".css"),
    ],
)
def test_what_is_not_fetched_passes(fetched_elsewhere, text, suffix):
    assert fetched_elsewhere(text, suffix) == []
