from __future__ import annotations

import builtins

import pytest
import torch
from torch import nn

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.export import FORMATS, export_network
from monai_sr.networks import EDSR, SRResNet, SwiftSRGAN
from monai_sr.runtimes.conversion import largest_difference


def network(kind=EDSR, scale_factor=2):
    torch.manual_seed(0)
    made = kind(scale_factor, channels=4, num_blocks=1, global_skip=True).eval()
    # A fresh network adds nothing to its skip, which would hide a wrong body.
    for parameter in made.tail.parameters():
        nn.init.normal_(parameter, std=0.1)
    return made


def output(tmp_path, format):
    return tmp_path / f"model{FORMATS[format][0]}"


@pytest.mark.parametrize("kind", [EDSR, SRResNet, SwiftSRGAN])
@pytest.mark.parametrize("format", FORMATS)
def test_an_export_equals_its_network(tmp_path, kind, format):
    path = output(tmp_path, format)
    assert export_network(network(kind, 4), path, format) < 1e-5
    usual = tmp_path / "usual"
    usual.touch()
    assert path.stat().st_mode == usual.stat().st_mode
    usual.unlink()
    beside = {"model.bin"} if format == "openvino" else set()
    assert {file.name for file in tmp_path.iterdir()} == {path.name, *beside}


def test_torchscript_runs_without_the_package_s_code(tmp_path):
    export_network(network(), tmp_path / "model.ts", "torchscript")
    image = torch.rand(1, 1, 9, 5)
    torch.testing.assert_close(torch.jit.load(tmp_path / "model.ts")(image), network()(image))


@pytest.mark.parametrize("change", ["value", "shape", "nan"])
def test_a_difference_is_seen(change):
    made = network()

    def run(image):
        pred = made(image)
        if change == "shape":
            return pred[..., 1:]
        if pred.shape[-1] == 2 * 9:  # one size of several
            pred = pred.clone()
            pred[..., 0, 0] += 0.5 if change == "value" else float("nan")
        return pred

    assert largest_difference(made, made) == 0
    expected = 0.5 if change == "value" else float("inf")
    assert largest_difference(made, run) == pytest.approx(expected)


def test_an_export_that_differs_is_not_kept(tmp_path, monkeypatch):
    def wrong(made, path):
        path.write_text("wrong")
        return lambda image: made(image) + 1

    monkeypatch.setitem(FORMATS, "onnx", (".onnx", wrong))
    with pytest.raises(MonaiSRError, match=r"converted network differs from its original by 1\.0e\+00"):
        export_network(network(), tmp_path / "model.onnx", "onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("format", "module"), [("onnx", "onnxruntime"), ("openvino", "openvino")])
def test_a_missing_runtime_names_its_extra(tmp_path, monkeypatch, format, module):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name == module:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=rf"needs {module}: pip install 'monai-sr\[{format}\]'"):
        export_network(network(), output(tmp_path, format), format)
    assert not list(tmp_path.iterdir())


def test_wrong_outputs_are_refused(tmp_path):
    with pytest.raises(InputError, match="no format tflite: use one of torchscript"):
        export_network(network(), tmp_path / "model.tflite", "tflite")
    with pytest.raises(InputError, match=r"must end in \.onnx for onnx"):
        export_network(network(), tmp_path / "model.ts", "onnx")
    (tmp_path / "model.bin").write_text("mine")
    with pytest.raises(InputError, match=r"model\.bin exists"):
        export_network(network(), tmp_path / "model.xml", "openvino")
    assert (tmp_path / "model.bin").read_text() == "mine"
    export_network(network(), tmp_path / "model.xml", "openvino", overwrite=True)
    assert (tmp_path / "model.bin").read_bytes()[:4] != b"mine"
