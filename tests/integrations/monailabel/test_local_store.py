"""A folder of images behind a real MONAI Label server, asked as its clients ask and as they should not."""

import shutil
import sys
import threading
import types
import urllib.request
from contextlib import suppress
from http.client import HTTPConnection
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from scipy.ndimage import zoom

from monai_sr.sample import sample_series_dir
from tests.integrations.monailabel.images import assert_finer, read, smooth, write_nifti, write_picture
from tests.integrations.monailabel.serving import APP, ROOT, running_server

pytestmark = pytest.mark.slow

MODEL = "swift_srgan_mri_x2"
SECRET = "what nobody may read"
PATIENT = "Doe^Jane"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("around") / "store"
    (folder / "series").mkdir(parents=True)
    for name in ("0001.dcm", "0002.dcm"):
        shutil.copy(sample_series_dir() / name, folder / "series")
    write_nifti(folder / "volume.nii.gz")
    write_picture(folder / "picture.png")
    write_picture(folder / "gray.png", np.uint8)
    (folder.parent / "outside.txt").write_text(SECRET)
    write_nifti(folder.parent / "outside.nii.gz")
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory, store):
    conf = {"models": "swift_srgan_mri,edsr_mri", "train": "true", "max_upload": "0.001"}
    with running_server(tmp_path_factory.mktemp("server"), APP, store, **conf) as running:
        yield running


def test_it_lists_its_models_and_images(server):
    info = server.ask("GET", "/info/").json
    assert sorted(info["models"]) == [
        "edsr_mri_x2",
        "edsr_mri_x4",
        "swift_srgan_mri_x2",
        "swift_srgan_mri_x4",
    ]
    assert {model["type"] for model in info["models"].values()} == {"others"}
    images = server.ask("GET", "/datastore/?output=all").json["objects"]
    assert sorted(images) == ["gray", "picture", "series", "volume"]


@pytest.mark.parametrize(
    ("name", "source", "result"),
    [
        ("volume", "volume.nii.gz", "r.nii.gz"),
        ("series", "series", "r.nii.gz"),
        ("picture", "picture.png", "r.png"),
        ("gray", "gray.png", "r.png"),
    ],
)
def test_an_image_of_the_store_comes_back_finer(server, store, tmp_path, name, source, result):
    assert_finer(store / source, server.infer(MODEL, tmp_path / result, f"image={name}"), 2)


def test_the_other_scale_is_its_own_model(server, store, tmp_path):
    result = server.infer("swift_srgan_mri_x4", tmp_path / "r.nii.gz", "image=volume")
    assert_finer(store / "volume.nii.gz", result, 4)


@pytest.mark.parametrize("name", ["volume", "series", "picture"])
def test_a_viewer_that_asks_for_8_bits_gets_an_image_all_the_same(server, store, tmp_path, name):
    params = {"result_extension": ".nrrd", "result_dtype": "uint8", "device": "cpu"}
    result = server.infer(MODEL, tmp_path / "r.nrrd", f"image={name}", params=params)
    source = next(path for path in store.iterdir() if path.name.startswith(name))
    assert_finer(source, result, 2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_an_upload_keeps_its_type(server, tmp_path, dtype):
    source = write_nifti(tmp_path / "mine.nii.gz", dtype)
    assert_finer(source, server.infer(MODEL, tmp_path / "r.nii.gz", file=source), 2)


def test_values_that_a_slope_gives_stay_what_they_are(server, tmp_path):
    image = nib.Nifti1Image(smooth((1, 96, 96), np.int16, 1000).T, np.eye(4))
    image.header.set_slope_inter(2, -1024)
    nib.save(image, tmp_path / "ct.nii.gz")
    result = server.infer(
        MODEL, tmp_path / "r.nrrd", file=tmp_path / "ct.nii.gz", params={"result_extension": ".nrrd"}
    )
    low, high = sitk.GetArrayFromImage(read(tmp_path / "ct.nii.gz")), sitk.GetArrayFromImage(read(result))
    assert high.dtype == np.int16
    assert low.min() == -1024
    cubic = zoom(low, (1, 2, 2), order=3, mode="nearest", grid_mode=True)
    assert abs(high - cubic).mean() < 30


def test_a_session_is_worked_on_by_its_identifier(server, store, tmp_path):
    session = server.ask("PUT", "/session/", file=store / "series" / "0001.dcm", field="files").json
    query = f"image=anything&session_id={session['session_id']}"
    result = server.infer(MODEL, tmp_path / "r.nii.gz", query)
    assert_finer(store / "series" / "0001.dcm", result, 2)
    assert server.ask("DELETE", f"/session/{session['session_id']}").status == 200
    assert server.ask("POST", f"/infer/{MODEL}?{query}").status == 404


def test_what_is_new_in_the_folder_or_sent_is_there_at_once(server, store, tmp_path):
    write_picture(store / "later.png")
    assert_finer(store / "later.png", server.infer(MODEL, tmp_path / "a.png", "image=later"), 2)
    (store / "later.png").unlink()
    assert server.ask("POST", f"/infer/{MODEL}?image=later").status == 404
    sent = write_picture(tmp_path / "sent.png")
    assert server.ask("PUT", "/datastore/image?image=sent", file=sent).json == {"image": "sent"}
    assert (store / "sent.png").read_bytes() == sent.read_bytes()
    assert server.ask("PUT", "/datastore/image?image=sent", file=store / "gray.png").status == 422
    assert (store / "sent.png").read_bytes() == sent.read_bytes()
    (store / "sent.png").unlink()


def test_dicom_is_downloaded_as_one_file(server, store, tmp_path):
    answer = server.ask("GET", "/datastore/image?image=series")
    (tmp_path / "r.nii.gz").write_bytes(answer.body)
    assert_finer(store / "series", tmp_path / "r.nii.gz", 1)


def test_a_batch_keeps_a_result_of_every_image_and_passes_over_a_bad_one(server, store):
    (store / "bad.nii.gz").write_bytes(b"no image")
    query = f"/batch/infer/{MODEL}?images=all&run_sync=true"
    body = {"device": "cpu", "multi_gpu": False, "label_tag": "sr", "max_workers": 2}
    answer = server.ask("POST", query, body=body)
    (store / "bad.nii.gz").unlink()
    results = answer.json
    assert "not a readable NIfTI" in results.pop("bad")["error"]
    assert sorted(results) == ["gray", "picture", "series", "volume"]
    for source, result in (("volume.nii.gz", "volume.nii.gz"), ("series", "series.nii.gz")):
        assert_finer(store / source, store / "labels" / "sr" / result, 2)
    assert_finer(store / "picture.png", store / "labels" / "sr" / "picture.png", 2)
    assert server.ask("GET", "/datastore/label?label=volume&tag=sr").status == 200
    assert server.ask("GET", "/info/").json["datastore"]["label_tags"] == {"sr": 4}


def test_it_answers_others_while_it_computes(server):
    answers = []
    query = "/infer/swift_srgan_mri_x4?image=series"
    computing = threading.Thread(target=lambda: answers.append(server.ask("POST", query)))
    computing.start()
    computing.join(0.5)
    assert server.ask("GET", "/info/").status == 200
    assert not answers
    computing.join()
    assert answers[0].status == 200


def test_fine_tuning_gives_new_weights_and_serves_the_old_ones(server, tmp_path):
    served = ROOT / "bundles" / "edsr_mri" / "models" / "model.pt"
    before = served.read_bytes()
    assert sorted(server.ask("GET", "/info/").json["trainers"]) == ["edsr_mri_x2", "edsr_mri_x4"]
    body = {"max_epochs": 1, "iterations_per_epoch": 1, "device": "cpu"}
    answer = server.ask("POST", "/train/edsr_mri_x2?run_sync=true", body=body)
    assert answer.status == 200, answer.body
    weights = APP / "model" / "edsr_mri_x2" / answer.json["weights"]
    try:
        assert served.read_bytes() == before
        assert weights.stat().st_size > 10_000
        assert weights.read_bytes() != before
        assert 10 < answer.json["psnr"] < 100
    finally:
        shutil.rmtree(weights.parent)
    for wrong in ({"max_epochs": 10**9}, {"max_epochs": "1"}):
        assert server.ask("POST", "/train/edsr_mri_x2?run_sync=true", body=wrong).status == 422


@pytest.fixture
def slicer_module(monkeypatch):
    """Slicer's module, as far as it runs outside Slicer: its own classes are none."""
    for name in ("qt", "slicer", "slicer.ScriptedLoadableModule"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    for name in ("ScriptedLoadableModule", "ScriptedLoadableModuleLogic", "ScriptedLoadableModuleWidget"):
        setattr(sys.modules["slicer.ScriptedLoadableModule"], name, type(name, (), {}))
    path = ROOT / "monai_sr" / "integrations" / "slicer" / "MonaiSR.py"
    spec = spec_from_file_location("MonaiSR", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_slicers_module_gets_a_finer_file(slicer_module, server, tmp_path):
    assert MODEL in slicer_module.models(server.url)
    source, target = tmp_path / f"{PATIENT}.nrrd", tmp_path / "finer.nrrd"
    sitk.WriteImage(read(write_nifti(tmp_path / "v.nii.gz")), str(source))
    slicer_module.upscale_file(server.url, MODEL, source, target)
    assert_finer(source, target, 2)


def test_slicers_module_says_in_a_sentence_what_is_wrong(slicer_module, server, tmp_path):
    (tmp_path / "image.nrrd").write_bytes(b"NRRD0004\n")
    with pytest.raises(RuntimeError, match=r"^The server refuses: The image is not a readable"):
        slicer_module.upscale_file(server.url, MODEL, tmp_path / "image.nrrd", tmp_path / "finer.nrrd")
    with pytest.raises(RuntimeError, match="does not answer"):
        slicer_module.models("http://127.0.0.1:9")
    with pytest.raises(RuntimeError, match="http://HOST"):
        slicer_module.models("file:///etc/passwd")


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


OUTSIDE = "../outside"
ATTACKS = {
    "an absolute path": ("POST", f"/infer/{MODEL}?image=/etc/passwd", {}),
    "a path upwards": ("POST", f"/infer/{MODEL}?image={OUTSIDE}", {}),
    "a path in the parameters": (
        "POST",
        f"/infer/{MODEL}?image=volume",
        {"params": {"image": "/etc/passwd"}},
    ),
    "another image in the parameters": (
        "POST",
        f"/infer/{MODEL}?image=volume",
        {"params": {"image": "gray"}},
    ),
    "another model": ("POST", f"/infer/{MODEL}?image=volume", {"params": {"model": "edsr_mri_x4"}}),
    "a session in the parameters": ("POST", f"/infer/{MODEL}?image=volume", {"params": {"session": {}}}),
    "no JSON": ("POST", f"/infer/{MODEL}?image=volume", {"params": "{"}),
    "JSON but no object": ("POST", f"/infer/{MODEL}?image=volume", {"params": "[1]"}),
    "no image": ("POST", f"/infer/{MODEL}", {}),
    "no such model": ("POST", "/infer/nothing?image=volume", {}),
    "a result elsewhere": (
        "POST",
        f"/infer/{MODEL}?image=volume",
        {"params": {"result_extension": "/../../evil.nii.gz"}},
    ),
    "a picture of a volume": (
        "POST",
        f"/infer/{MODEL}?image=volume",
        {"params": {"result_extension": ".png"}},
    ),
    "a tag elsewhere": (
        "POST",
        f"/infer/{MODEL}?image=volume",
        {"params": {"save_label": True, "label_tag": "../../evil"}},
    ),
    "the tag of what people draw": (
        "POST",
        f"/infer/{MODEL}?image=volume",
        {"params": {"save_label": True, "label_tag": "final"}},
    ),
    "a session upwards": ("POST", f"/infer/{MODEL}?session_id={OUTSIDE}", {}),
    "a session's folder": ("DELETE", "/session/%2e%2e", {}),
    "a batch's tag elsewhere": (
        "POST",
        f"/batch/infer/{MODEL}?images=all&run_sync=true",
        {"body": {"label_tag": "../evil"}},
    ),
    "a batch's tag of people": (
        "POST",
        f"/batch/infer/{MODEL}?images=all&run_sync=true",
        {"body": {"label_tag": "final"}},
    ),
    "a batch of no model": ("POST", "/batch/infer/nothing?images=all&run_sync=true", {"body": {}}),
    "reading an image": ("GET", f"/datastore/image?image={OUTSIDE}", {}),
    "reading an absolute image": ("GET", "/datastore/image?image=/etc/passwd", {}),
    "reading a label": ("GET", f"/datastore/label?label=volume&tag={OUTSIDE}", {}),
    "reading what is known": ("GET", f"/datastore/image/info?image={OUTSIDE}", {}),
    "writing an image": ("PUT", "/datastore/image?image=../evil", {"file": "gray.png"}),
    "writing a hidden image": ("PUT", "/datastore/image?image=.evil", {"file": "gray.png"}),
    "writing a program": ("PUT", "/datastore/image?image=evil", {"file": "evil.py"}),
    "writing a label": (
        "PUT",
        "/datastore/label?image=volume&tag=../../evil",
        {"file": "volume.nii.gz", "field": "label"},
    ),
    "writing a label of no image": (
        "PUT",
        f"/datastore/label?image={OUTSIDE}&tag=sr",
        {"file": "volume.nii.gz", "field": "label"},
    ),
    "deleting an image": ("DELETE", "/datastore/image?id=volume", {}),
    "deleting a label": ("DELETE", "/datastore/label?id=volume&tag=../..", {}),
    "replacing weights": ("PUT", f"/model/{MODEL}", {"file": "gray.png"}),
    "taking weights away": ("DELETE", f"/model/{MODEL}", {}),
    "reading the log": ("GET", "/logs/?lines=0", {}),
    "starting anew": ("POST", "/reload", {}),
    "an archive": (
        "PUT",
        "/session/?uncompress=true",
        {"file": "gray.png", "field": "files"},
    ),
    "a batch that names an image": (
        "POST",
        f"/batch/infer/{MODEL}?images=all&run_sync=true",
        {"body": {"image": "/etc/passwd"}},
    ),
    "scores": ("POST", "/scoring/nothing", {"body": {}}),
    "what is no image": ("PUT", "/datastore/image?image=evil", {"file": "evil.nii.gz"}),
    "another server's page": (
        "POST",
        f"/infer/{MODEL}?image=volume",
        {"headers": {"Origin": "http://evil.example"}},
    ),
    "a name that was led here": ("GET", "/datastore/", {"headers": {"Host": "evil.example"}}),
    "a slide": ("POST", f"/infer/wsi/{MODEL}?image=volume", {"body": {}}),
    "the proxy without a PACS": ("GET", "/proxy/dicom/qido/studies", {}),
}


@pytest.mark.parametrize("attack", list(ATTACKS))
def test_an_attack_reads_and_writes_nothing(server, store, tmp_path, attack):
    method, path, options = ATTACKS[attack]
    if name := options.get("file"):
        file = tmp_path / name
        file.write_bytes((store / name).read_bytes() if (store / name).exists() else b"evil")
        options = options | {"file": file}
    server.ask("GET", "/info/")
    before = snapshot(store.parent)
    answer = server.ask(method, path, **options)
    assert 400 <= answer.status < 500, answer.body
    assert answer.json["detail"].endswith(".")
    assert SECRET.encode() not in answer.body
    assert str(store).encode() not in answer.body
    assert snapshot(store.parent) == before


def test_a_batch_of_paths_reads_none(server, store):
    body = {"images": ["/etc/passwd", OUTSIDE, str(store.parent / "outside.nii.gz")], "label_tag": "evil"}
    answer = server.ask("POST", f"/batch/infer/{MODEL}?run_sync=true", body=body)
    assert [set(result) for result in answer.json.values()] == [{"error"}] * 3
    assert not (store / "labels" / "evil").exists()


def test_more_than_the_limit_is_not_even_read(server):
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    connection.putrequest("POST", f"/infer/{MODEL}")
    connection.putheader("Content-Length", str(2**40))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"send less" in answer.read()


def test_more_than_the_limit_without_a_word_of_it_is_refused(server):
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    headers = {"Content-Type": "multipart/form-data; boundary=b", "Transfer-Encoding": "chunked"}
    with suppress(ConnectionError):
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.nii.gz"\r\n\r\n'
        connection.request("POST", f"/infer/{MODEL}", iter([head, *[bytes(2**16)] * 64]), headers)
    assert 400 <= connection.getresponse().status < 500


def test_another_page_may_not_ask(server):
    request = urllib.request.Request(f"{server.url}/info/", headers={"Origin": "http://elsewhere.example"})
    with urllib.request.urlopen(request, timeout=30) as response:
        assert "access-control-allow-origin" not in response.headers


def test_nothing_of_a_request_is_left_or_logged(server):
    """Last: of everything that was asked above."""
    log = server.log.read_text()
    assert "Traceback" not in log
    for word in ("volume", "picture", "outside", PATIENT):
        assert word not in log
