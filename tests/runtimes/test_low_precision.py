"""Below float32 a network gets the image in two parts, and stays near what it computes in float32."""

import pytest
import torch
from torch import nn

from monai_sr.bundle import LEAST_AGREEMENT, find_bundle
from monai_sr.io import read_volume
from monai_sr.networks import EDSR, SRResNet, SwiftSRGAN
from monai_sr.runtimes import RUNTIMES, is_fast, make_runtime
from monai_sr.runtimes.layout import rearranged
from monai_sr.runtimes.low_precision import TwoParts, split_image
from monai_sr.sample import sample_series_dir
from tests.runtimes.networks import trained

CPU = torch.device("cpu")


@torch.no_grad()
@pytest.mark.parametrize("rewrite", [lambda network: network, rearranged])
@pytest.mark.parametrize("global_skip", [False, True])
@pytest.mark.parametrize("scale_factor", [2, 4])
@pytest.mark.parametrize("network_type", [EDSR, SRResNet, SwiftSRGAN])
def test_the_split_network_is_the_same_function(network_type, scale_factor, global_skip, rewrite):
    network = trained(network_type, scale_factor, global_skip).double()
    split, skip = split_image(rewrite(network))
    assert (skip is not None) == global_skip
    for size in ((1, 1), (7, 9), (24, 33)):
        image = torch.rand(2, 1, *size)
        expected = network(image.double())
        held = image.bfloat16().double()
        pred = split(torch.cat([held, image.double() - held], dim=1)) + (skip(image.double()) if skip else 0)
        torch.testing.assert_close(pred, expected, rtol=1e-11, atol=1e-11)


def test_the_parts_are_what_the_precision_holds_and_the_rest():
    seen = []
    image = torch.rand(1, 1, 8, 8)
    TwoParts(lambda parts: seen.append(parts) or parts[:, :1], None, torch.bfloat16)(image)
    (parts,) = seen
    assert torch.equal(parts[:, :1], image.bfloat16().float())
    assert torch.equal(parts.sum(dim=1, keepdim=True), image)
    assert float((parts.bfloat16().float().sum(dim=1, keepdim=True) - image).abs().max()) < 2**-16


class Around(nn.Module):
    """Adds its image by a path that is no interpolation alone."""

    scale_factor = 2

    def __init__(self, path):
        super().__init__()
        self.head = nn.Conv2d(1, 4, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)
        self.path = path

    def forward(self, x):
        return self.shuffle(self.head(x)) + self.path(x)


def larger(x):
    return nn.functional.interpolate(x, scale_factor=2.0)


@torch.no_grad()
@pytest.mark.parametrize(
    "path", [lambda x: larger(2 * x), lambda x: larger(x).relu(), lambda x: larger(x) * larger(x)]
)
def test_what_cannot_be_split_computes_as_it_is(path):
    network = Around(path).eval()
    assert split_image(network) is None
    image = torch.rand(1, 1, 12, 12)
    pred = make_runtime(network, CPU, "torch", "bfloat16", force_precision=True)(image)
    assert float((pred - network(image)).abs().max()) < 0.05


@pytest.fixture(scope="module")
def image():
    """A slice of the sample, intensities from 0 to 1."""
    frame = read_volume(sample_series_dir()).array[4].astype("float32")
    return torch.from_numpy(frame / frame.max())[None, None]


@pytest.fixture(autouse=True, scope="module")
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONAI_SR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.parametrize("scale_factor", [2, 4])
@pytest.mark.parametrize("name", ["edsr_mri", "srgan_mri", "swift_srgan_mri"])
def test_released_networks_hold_by_every_runtime_that_computes_in_it(name, scale_factor, image):
    bundle = find_bundle(name)
    network = bundle.network(scale_factor)
    bundle.weights(scale_factor).load_into(network)
    exact = make_runtime(network, CPU, "torch")(image)
    measured = "bfloat16" in bundle.measured_precisions(scale_factor)
    names = [name for name in RUNTIMES if "bfloat16" in RUNTIMES[name]["cpu"]]
    # OpenVINO does not emulate it.
    for runtime in names if is_fast("bfloat16", CPU) else ["torch"]:
        pred = make_runtime(network, CPU, runtime, "bfloat16", force_precision=True)(image)
        agreement = float(-10 * (pred - exact).square().mean().log10())
        assert agreement >= (LEAST_AGREEMENT if measured else 56)
