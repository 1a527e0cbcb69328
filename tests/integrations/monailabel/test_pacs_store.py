"""A real PACS behind a real MONAI Label server."""

import gzip
import re
import time

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from dicomweb_client import DICOMwebClient
from pydicom import dcmread

from tests.integrations.monailabel.images import assert_finer, read
from tests.integrations.monailabel.serving import APP, environment, running_server
from tests.integrations.orthanc import running_orthanc
from tests.io.test_validators import assert_as_valid

pytestmark = pytest.mark.slow

MODEL = "swift_srgan_mri_x2"


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory, source):
    environment()
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        running.push(source)
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory, orthanc):
    conf = {"models": "swift_srgan_mri"}
    with running_server(tmp_path_factory.mktemp("server"), APP, orthanc.dicom_web, **conf) as running:
        yield running


@pytest.fixture(scope="module")
def pushed(server, uid, tmp_path_factory):
    """What a push of the series says, and the labelmap that it gives, as a viewer asks for it."""
    params = {"result_extension": ".nrrd", "result_dtype": "uint8"}
    answer = server.ask("POST", f"/infer/{MODEL}_push?image={uid}&output=all", params=params)
    assert answer.status == 200, answer.body
    labelmap = tmp_path_factory.mktemp("labelmap") / "labelmap.nrrd"
    labelmap.write_bytes(answer.body[answer.body.index(b"NRRD") : answer.body.rindex(b"\r\n--")])
    return re.search(r'"series": "([0-9.]+)"', answer.body.decode("latin-1"))[1], labelmap


def test_models_that_give_an_image_stand_beside_those_that_push(server):
    models = server.ask("GET", "/info/").json["models"]
    assert {name: model["type"] for name, model in models.items()} == {
        "swift_srgan_mri_x2": "others",
        "swift_srgan_mri_x2_push": "segmentation",
        "swift_srgan_mri_x4": "others",
        "swift_srgan_mri_x4_push": "segmentation",
    }


def test_a_series_comes_back_finer(server, source, uid, tmp_path):
    assert_finer(source, server.infer(MODEL, tmp_path / "r.nii.gz", f"image={uid}"), 2)
    assert_finer(
        source,
        server.infer(MODEL, tmp_path / "r.nrrd", f"image={uid}", params={"result_extension": ".nrrd"}),
        2,
    )


def test_a_push_puts_a_valid_finer_series_into_the_study(
    pushed, orthanc, source, uid, tmp_path, require_tool
):
    series, _ = pushed
    client = DICOMwebClient(orthanc.dicom_web)
    study = dcmread(source / "0001.dcm").StudyInstanceUID
    found = client.search_for_series(study)
    assert {entry["0020000E"]["Value"][0] for entry in found} == {uid, series}
    for number, image in enumerate(client.retrieve_series(study, series)):
        image.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    assert_finer(source, tmp_path, 2)
    assert_as_valid(sorted(source.iterdir()), sorted(tmp_path.iterdir()), require_tool)


def test_a_push_gives_an_empty_labelmap_on_the_grid_of_the_image(pushed, source):
    labels, image = read(pushed[1]), read(source)
    assert labels.GetPixelIDTypeAsString() == "8-bit unsigned integer"
    assert not sitk.GetArrayFromImage(labels).any()
    assert labels.GetSize() == image.GetSize()
    for what in ("GetOrigin", "GetSpacing", "GetDirection"):
        np.testing.assert_allclose(getattr(labels, what)(), getattr(image, what)(), atol=1e-4)


def test_a_second_push_stores_nothing_new(pushed, server, orthanc, uid):
    before = orthanc.get("/statistics"), _received(orthanc)
    answer = server.ask("POST", f"/infer/{MODEL}_push?image={uid}&output=json")
    assert answer.json["series"] == pushed[0]
    assert (orthanc.get("/statistics"), _received(orthanc)) == before


def test_what_the_pacs_lost_is_stored_again(pushed, server, orthanc, uid):
    (first, *_), before = _instances(orthanc, pushed[0]), orthanc.get("/statistics")
    orthanc.get(f"/instances/{first}", "DELETE")
    server.ask("POST", f"/infer/{MODEL}_push?image={uid}&output=json")
    assert orthanc.get("/statistics")["CountInstances"] == before["CountInstances"]


def _received(orthanc):
    changes = orthanc.get("/changes?limit=10000")["Changes"]
    return sum(change["ChangeType"] == "NewInstance" for change in changes)


def _instances(orthanc, series):
    for entry in orthanc.get("/series"):
        found = orthanc.get(f"/series/{entry}")
        if found["MainDicomTags"]["SeriesInstanceUID"] == series:
            return found["Instances"]
    return []


def test_a_batch_does_every_series_but_its_own(pushed, server, source, uid):
    body = {"device": "cpu", "multi_gpu": False, "label_tag": "sr"}
    results = server.ask("POST", f"/batch/infer/{MODEL}?images=all&run_sync=true", body=body).json
    assert results.keys() == {uid, pushed[0]}
    assert "made by monai-sr" in results[pushed[0]]["error"]
    (kept,) = server.home.rglob("labels/sr/*.nii.gz")
    assert_finer(source, kept, 2)


def test_a_batch_in_the_background_does_the_same(pushed, server, source, uid):
    body = {"device": "cpu", "label_tag": "later"}
    assert server.ask("POST", f"/batch/infer/{MODEL}?images=all", body=body).status == 200
    deadline = time.monotonic() + 120
    while (task := server.ask("GET", "/batch/infer").json)["status"] in ("SUBMITTED", "RUNNING"):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert task["status"] == "DONE", task
    (kept,) = server.home.rglob("labels/later/*.nii.gz")
    assert_finer(source, kept, 2)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/infer/{MODEL}?image=1.2.3.4"),
        ("POST", f"/infer/{MODEL}?image=../../series"),
        ("POST", f"/infer/{MODEL}?image=1.2.3%26includefield%3Dall"),
        ("POST", f"/infer/{MODEL}_push?image=*"),
        ("GET", "/datastore/image?image=../../../etc/passwd"),
        ("DELETE", "/datastore/image?id=1.2.3"),
        ("GET", "/proxy/dicom/%2e%2e/system"),
        ("GET", "/proxy/dicom/%252e%252e/system"),
        ("GET", "/proxy/dicom/wado/..%2f..%2fsystem"),
    ],
)
def test_what_is_no_series_is_not_asked_of_the_pacs(server, method, path):
    answer = server.ask(method, path)
    assert 400 <= answer.status < 500, answer.body
    assert answer.json["detail"].endswith(".")
    assert b"Orthanc" not in answer.body


def test_an_upload_is_not_pushed(server, source, orthanc):
    before = orthanc.get("/statistics")
    assert server.ask("POST", f"/infer/{MODEL}_push", file=source / "0001.dcm").status == 422
    assert server.ask("PUT", "/datastore/image?image=1.2.3", file=source / "0001.dcm").status == 422
    assert orthanc.get("/statistics") == before


def test_a_viewer_reaches_the_pacs_through_the_server(server, uid):
    body = server.ask("GET", "/proxy/dicom/series").body
    # Passed on as the PACS packs it.
    assert uid in (gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body).decode()


def test_a_pacs_that_stops_is_said_at_once(pushed, server, orthanc, uid):
    """Last: nothing answers afterwards."""
    orthanc.stop()
    for method, path in (
        ("POST", f"/infer/{MODEL}?image={uid}"),
        ("POST", f"/infer/{MODEL}_push?image={uid}"),
        ("POST", f"/batch/infer/{MODEL}?images=all&run_sync=true"),
        ("GET", "/info/"),
    ):
        start = time.monotonic()
        answer = server.ask(method, path)
        assert (answer.status, time.monotonic() - start < 15) == (502, True)
        assert answer.json["detail"] == "The PACS cannot be reached; check address and server."
    log = server.log.read_text()
    assert "Traceback" not in log
    assert uid not in log
