"""A folder of images behind a real MONAI Label server, asked as its clients ask and as they should not."""

import shutil
import sys
import threading
import types
from importlib.util import module_from_spec, spec_from_file_location

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from scipy.ndimage import zoom

from tests.integrations.monailabel.images import (
    PATIENT,
    assert_finer,
    read,
    smooth,
    write_nifti,
    write_picture,
)
from tests.integrations.monailabel.serving import APP, ROOT

pytestmark = pytest.mark.slow

MODEL = "swift_srgan_mri_x2"


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
    ("name", "file", "result"),
    [
        ("volume", "volume.nii.gz", "r.nii.gz"),
        ("series", "series", "r.nii.gz"),
        ("picture", "picture.png", "r.png"),
        ("gray", "gray.png", "r.png"),
    ],
)
def test_an_image_of_the_store_comes_back_finer(server, store, tmp_path, name, file, result):
    assert_finer(store / file, server.infer(MODEL, tmp_path / result, f"image={name}"), 2)


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
