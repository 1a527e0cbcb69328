"""Which runtime computes, and that all of them compute the same."""

import importlib.util
import sys

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from monai_sr.errors import InputError
from monai_sr.networks import EDSR, SRResNet, SwiftSRGAN
from monai_sr.runtimes import RUNTIMES, choose_device, make_runtime
from monai_sr.runtimes.conversion import largest_difference
from monai_sr.runtimes.layout import rearranged
from tests.runtimes.networks import trained

CPU = torch.device("cpu")


@pytest.fixture(autouse=True, scope="module")
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONAI_SR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.parametrize("network_type", [EDSR, SRResNet, SwiftSRGAN])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_runtime_computes_the_same(runtime, network_type):
    network = trained(network_type, 2, global_skip=True)
    made = make_runtime(network, CPU, runtime)
    assert (made.name, made.precision) == (runtime, "float32")
    with torch.inference_mode():
        scale = float(network(torch.rand(1, 1, 24, 40)).abs().max())
    assert largest_difference(network, made) <= 1e-5 * scale
    batch = torch.rand(3, 1, 9, 14)
    torch.testing.assert_close(made(batch)[1:2], made(batch[1:2]), rtol=1e-4, atol=1e-4 * scale)


def test_the_same_again_is_bit_for_bit_the_same():
    network, image = trained(SwiftSRGAN, 4, global_skip=True), torch.rand(1, 1, 33, 21)
    assert torch.equal(make_runtime(network, CPU)(image), make_runtime(network, CPU)(image))


def test_openvino_computes_on_a_cpu_where_it_is(monkeypatch):
    network = trained(EDSR, 2, global_skip=True)
    assert make_runtime(network, CPU).name == "openvino"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert make_runtime(network, CPU).name == "torch"


def test_pytorch_computes_the_rearranged_network_on_a_cpu():
    network, image = trained(SRResNet, 4, global_skip=True), torch.rand(1, 1, 24, 40)
    products = []
    for run in (network, rearranged(network), make_runtime(network, CPU, "torch")):
        with FlopCounterMode(display=False) as counter:
            run(image)
        products.append(counter.get_total_flops())
    assert products[0] != products[1] == products[2]


class Winding(nn.Module):
    """Its steps depend on the values."""

    scale_factor = 1

    def forward(self, x):
        return x if x.mean() > 0 else -x


def test_pytorch_takes_what_no_other_can():
    assert make_runtime(Winding(), CPU).name == "torch"
    with pytest.raises(
        InputError,
        match=r"Winding cannot be followed\. --runtime openvino cannot compute it: use --runtime torch",
    ):
        make_runtime(Winding(), CPU, "openvino")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"runtime": "caffe"}, "There is no runtime caffe: use auto, torch, openvino"),
        ({"precision": "int8"}, "There is no precision int8: use auto, float32"),
        ({"precision": "bfloat16"}, "not measured that bfloat16 holds for these weights.*--force-precision"),
        ({"runtime": "openvino", "precision": "float16"}, "openvino does not compute float16 on cpu"),
    ],
)
def test_what_cannot_be_is_said(options, complaint):
    with pytest.raises(InputError, match=complaint):
        make_runtime(trained(EDSR, 2, global_skip=True), CPU, **options)


@pytest.mark.parametrize(("runtime", "extra"), [("openvino", "openvino"), ("onnxruntime", "onnx")])
def test_a_runtime_that_is_not_installed_names_its_extra(monkeypatch, runtime, extra):
    monkeypatch.setitem(sys.modules, runtime, None)
    with pytest.raises(InputError, match=rf"pip install 'monai-sr\[{extra}\]'"):
        make_runtime(trained(EDSR, 2, global_skip=True), CPU, runtime)


def test_a_lower_precision_is_taken_where_measured_and_fast(monkeypatch):
    network = trained(EDSR, 2, global_skip=True)
    for fast in (True, False):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda fast=fast: {"amx_bf16": fast})
        made = make_runtime(network, CPU, "torch", "auto", measured=["bfloat16"])
        assert made.precision == ("bfloat16" if fast else "float32")
        assert make_runtime(network, CPU, "torch", "auto").precision == "float32"


def test_a_forced_precision_computes_in_it():
    network = trained(EDSR, 2, global_skip=True)
    image = torch.rand(1, 1, 16, 16)
    exact = make_runtime(network, CPU, "torch")(image)
    forced = make_runtime(network, CPU, "torch", "bfloat16", force_precision=True)
    assert forced.precision == "bfloat16"
    error = float((forced(image) - exact).abs().max() / exact.abs().max())
    assert 1e-5 < error < 0.05


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match=r"No CUDA device.*--device cpu"):
        choose_device("cuda")
    with pytest.raises(InputError, match="no device tpu"):
        choose_device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda")
    assert choose_device("cpu") == torch.device("cpu")


class Complex(nn.Module):
    """Its steps can be followed, and no exporter takes them."""

    def forward(self, x):
        return torch.special.airy_ai(x)


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_what_an_exporter_does_not_know_is_said(runtime):
    with pytest.raises(InputError, match=rf"cannot be converted to .* --runtime {runtime} cannot compute it"):
        make_runtime(Complex(), CPU, runtime)


def test_a_precision_that_would_not_be_computed_in_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": False, "avx512_bf16": False})
    network = trained(EDSR, 2, global_skip=True)
    with pytest.raises(InputError, match="no bfloat16 for openvino: use float32, or --runtime torch"):
        make_runtime(network, CPU, "openvino", "bfloat16", force_precision=True)
