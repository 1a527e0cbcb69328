"""From and into a real Orthanc, as the command does it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.uid import EnhancedSRStorage

from monai_sr.errors import InputError
from monai_sr.integrations.pacs.session import (
    PASSWORD,
    TOKEN,
    USER,
    MissingError,
    PacsError,
    UnavailableError,
)
from monai_sr.integrations.pacs.transfer import upscale_by_pacs
from monai_sr.sample import sample_series_dir
from tests.cli.commands import invoke, monai_sr, refused
from tests.integrations.orthanc import PASSWORD as ORTHANC_PASSWORD
from tests.integrations.orthanc import USER as ORTHANC_USER
from tests.integrations.orthanc import running_orthanc
from tests.integrations.pacs.proxy import faulty_proxy
from tests.io.conftest import ROOT

STUDY = f"{ROOT}.1.1"


@pytest.fixture
def upscale(repeating):
    return lambda *arguments, **options: list(
        upscale_by_pacs(lambda: repeating, *map(str, arguments), **options)
    )


def images(folder):
    """Bytes of the pixels by SOPInstanceUID and SeriesInstanceUID."""
    found = {}
    for path in folder.rglob("*.dcm"):
        image = dcmread(path)
        found[image.SOPInstanceUID, image.SeriesInstanceUID] = image.PixelData
    return found


@pytest.mark.slow
def test_a_series_of_24_images_comes_back_as_the_local_command_makes_it(tmp_path, empty_orthanc):
    source = tmp_path / "source"
    source.mkdir()
    for path in sample_series_dir().iterdir():
        image = dcmread(path)
        for shift in (0, 1):
            image.SOPInstanceUID += str(shift)
            image.InstanceNumber += 12 * shift
            image.ImagePositionPatient[2] += 100 * shift
            image.save_as(source / f"{path.stem}_{shift}.dcm")
    empty_orthanc.push(source)
    (uid,) = empty_orthanc.series()
    address = f"{empty_orthanc.url}/studies/{empty_orthanc.study_of(uid)}/series/{uid}"
    bundle = ("--bundle", "swift_srgan_mri")
    result = invoke("upscale", address, empty_orthanc.url, *bundle)
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == f"Stored in {empty_orthanc.url}"
    (derived,) = empty_orthanc.series().keys() - {uid}
    assert empty_orthanc.series()[derived] == 24
    assert empty_orthanc.study_of(derived) == empty_orthanc.study_of(uid)
    assert invoke("upscale", source, tmp_path / "local", *bundle).exit_code == 0
    wanted = images(tmp_path / "local")
    assert len(wanted) == 24
    stored = tmp_path / "stored"
    stored.mkdir()
    for path in (empty_orthanc.folder / "storage").rglob("*"):
        if path.is_file() and path.read_bytes()[128:132] == b"DICM":
            shutil.copy(path, stored / f"{path.name}.dcm")
    assert {key: pixels for key, pixels in images(stored).items() if key[1] == derived} == wanted


def test_every_way_gives_the_same(upscale, empty_orthanc, make_dicom, tmp_path):
    folder = make_dicom()
    address = f"{empty_orthanc.url}/studies/{STUDY}"
    (stored,) = upscale(folder, empty_orthanc.url)
    assert (stored.status, stored.images) == ("done", 3)
    (derived,) = empty_orthanc.series()
    empty_orthanc.push(folder)
    (written,) = upscale(f"{address}/series/{ROOT}.5", tmp_path / "one")
    assert written.output == str(tmp_path / "one")
    for path in empty_orthanc.get("/studies"):
        empty_orthanc.get(f"/studies/{path}", "DELETE")
    empty_orthanc.push(folder)
    (through,) = upscale(address, empty_orthanc.url)
    assert through.output == empty_orthanc.url
    assert empty_orthanc.series() == {f"{ROOT}.5": 3, derived: 3}
    assert {uid for _, uid in images(tmp_path / "one")} == {derived}
    outcomes = upscale(address, tmp_path / "many")
    assert sorted(outcome.status for outcome in outcomes) == ["done", "skipped"]
    assert images(tmp_path / "many") == images(tmp_path / "one")
    with pytest.raises(InputError, match="add --include-derived"):
        upscale(f"{address}/series/{derived}", tmp_path / "again")
    (again,) = upscale(f"{address}/series/{derived}", tmp_path / "again", include_derived=True)
    assert (again.status, again.images) == ("done", 3)
    assert [path.name[:7] for path in (tmp_path / "many").iterdir()] == ["series_"]


def test_a_series_of_one_pacs_goes_into_another(upscale, empty_orthanc, make_dicom, tmp_path, monkeypatch):
    empty_orthanc.push(make_dicom())
    with running_orthanc(tmp_path / "other") as other:
        upscale(f"{empty_orthanc.url}/studies/{STUDY}", other.url)
        assert list(empty_orthanc.series().values()) == list(other.series().values()) == [3]
        monkeypatch.setenv(TOKEN, "abc")
        with pytest.raises(InputError, match="netrc"):
            upscale(f"{empty_orthanc.url}/studies/{STUDY}", other.url)


def test_of_a_study_what_is_no_image_is_skipped_and_the_rest_is_not_stopped(
    upscale, empty_orthanc, make_dicom, tmp_path
):
    def report(image):
        image.SOPClassUID = EnhancedSRStorage

    def turn(image):
        if image.InstanceNumber == 99:
            image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]

    folders = make_dicom(5), make_dicom(6, edit=report), make_dicom(7, edit=turn), make_dicom(8)
    empty_orthanc.push(*folders)
    with faulty_proxy(empty_orthanc.http_port) as proxy:
        proxy.fault = lambda request: request.path.endswith(f"{ROOT}.8.2") and request.answer(404, {})
        outcomes = upscale(f"{proxy.url}/studies/{STUDY}", empty_orthanc.url)
    assert [outcome.status for outcome in outcomes] == ["done", "skipped", "refused", "failed"]
    assert outcomes[2].reason.startswith(f"{outcomes[2].name} mixes orientations")
    assert "gave 1 of 3" in outcomes[3].reason
    assert sorted(empty_orthanc.series().values()) == [3] * 5
    # What is named is done or refused, never passed over.
    with pytest.raises(InputError, match="unsupported DICOM class") as caught:
        upscale(f"{empty_orthanc.url}/studies/{STUDY}/series/{ROOT}.6", tmp_path / "out")
    assert "monai-sr-" not in str(caught.value)


def test_wrong_addresses_and_options_are_refused(upscale, empty_orthanc, make_dicom, tmp_path):
    url, folder = empty_orthanc.url, make_dicom()
    study = f"{url}/studies/{STUDY}"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "picture.png")
    for arguments, options, said in (
        ((url, tmp_path / "out"), {}, "names no study"),
        ((study, tmp_path / "out"), {}, "no such study"),
        ((f"{study}/series/1.2", tmp_path / "out"), {}, "no such series"),
        ((folder, study), {}, "end before /studies"),
        ((folder, url), {"overwrite": True}, "--overwrite"),
        ((study, tmp_path / "out"), {"series": "1.2"}, "--series"),
        ((study, tmp_path / "out"), {"allow_private": True}, "--allow-private"),
        ((tmp_path / "picture.png", url), {}, "is no DICOM"),
        ((tmp_path / "nothing", url), {}, "does not exist"),
    ):
        with pytest.raises(InputError, match=said):
            upscale(*arguments, **options)
    empty_orthanc.push(folder)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        upscale(f"{study}/series/{ROOT}.5", tmp_path / "full")
    assert empty_orthanc.series() == {f"{ROOT}.5": 3}


def test_nothing_is_stored_of_what_fails_before(upscale, empty_orthanc, make_dicom, repeating, monkeypatch):
    folder = make_dicom()
    empty_orthanc.push(folder)

    def broken(volume, progress=None):
        raise RuntimeError

    monkeypatch.setattr(repeating, "stream", broken, raising=False)
    for source in (folder, f"{empty_orthanc.url}/studies/{STUDY}"):
        with pytest.raises(RuntimeError):
            upscale(source, empty_orthanc.url)
    assert empty_orthanc.series() == {f"{ROOT}.5": 3}


def test_a_pacs_that_is_down_or_refuses_is_an_error(upscale, proxy, make_dicom, empty_orthanc):
    folder = make_dicom()
    empty_orthanc.push(folder)
    for fault, kind in (((503, {}), UnavailableError), ((404, {}), MissingError), ((400, {}), PacsError)):
        proxy.fault = lambda request, fault=fault: request.answer(*fault)
        with pytest.raises(kind):
            upscale(f"{proxy.url}/studies/{STUDY}", proxy.url)
    assert empty_orthanc.series() == {f"{ROOT}.5": 3}


def test_the_command_says_it_in_a_sentence(tmp_path, monkeypatch):
    with running_orthanc(tmp_path / "orthanc", auth=True) as guarded:
        study, out = f"{guarded.url}/studies/1.2.3", tmp_path / "out"
        refused(monai_sr("upscale", study, out), "refuses access (401)", "MONAI_SR_DICOMWEB_TOKEN")
        assert "--recursive is for folders" in str(invoke("upscale", study, out, "--recursive").exception)
        monkeypatch.setenv(USER, ORTHANC_USER)
        monkeypatch.setenv(PASSWORD, "wrong")
        assert "refuses access (401)" in str(invoke("upscale", study, out).exception)
        monkeypatch.setenv(PASSWORD, ORTHANC_PASSWORD)
        assert "no such study" in str(invoke("upscale", study, out).exception)
