from __future__ import annotations

import hashlib
import pickle

import pytest
import torch

from monai_sr.errors import InputError
from monai_sr.networks import EDSR, SRResNet
from monai_sr.weights import Weights, blend, read_weights


def network(scale_factor=2):
    return EDSR(scale_factor, channels=4, num_blocks=1)


def weights(network, name="a.pt"):
    return Weights(network.state_dict(), hashlib.sha256(name.encode()).hexdigest(), name)


@pytest.mark.parametrize("wrapped", [False, True])
def test_weights_load_and_their_hash_is_that_of_the_file(tmp_path, wrapped):
    source, target = network(), network()
    file = tmp_path / "weights.pt"
    torch.save({"model": source.state_dict()} if wrapped else source.state_dict(), file)
    read = read_weights(file)
    read.load_into(target)
    assert read.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert read.description == ""
    x = torch.rand(1, 1, 5, 5)
    assert torch.equal(target(x), source(x))


def test_half_precision_is_taken_to_the_network_s_own(tmp_path):
    source, target = network().half(), network()
    torch.save(source.state_dict(), tmp_path / "half.pt")
    read_weights(tmp_path / "half.pt").load_into(target)
    assert target.head.weight.dtype == torch.float32
    assert torch.equal(target.head.weight.half(), source.head.weight)


@pytest.mark.parametrize("content", [network(4).state_dict(), {}])
def test_weights_of_another_network_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"other\.pt holds weights of another network or scale factor"):
        read_weights(tmp_path / "other.pt").load_into(network())


@pytest.mark.parametrize("content", [{"head.weight": 3}, [1, 2], torch.zeros(3), {"model": None}])
def test_what_holds_no_tensors_by_name_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"other\.pt is not a weights file: it must hold tensors by name"):
        read_weights(tmp_path / "other.pt")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut"])
def test_what_is_no_weights_file_is_refused(tmp_path, content):
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"notes\.txt is not a weights file"):
        read_weights(file)
    with pytest.raises(InputError, match="does not exist"):
        read_weights(tmp_path / "missing.pt")
    with pytest.raises(InputError, match="not a weights file"):
        read_weights(tmp_path)


class Hostile:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize(
    "save", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content, 2))]
)
def test_code_in_a_weights_file_does_not_run(tmp_path, save):
    trace = tmp_path / "trace"
    save({"head.weight": Hostile(trace)}, tmp_path / "hostile.pt")
    with pytest.raises(InputError, match="not a weights file"):
        read_weights(tmp_path / "hostile.pt")
    assert not trace.exists()


def test_the_ends_of_a_blend_are_its_parts():
    parts = [weights(SRResNet(2, channels=4, num_blocks=1), name) for name in ("pixel.pt", "gan.pt")]
    for index, shares in enumerate(([1.0, 0.0], [0.0, 1.0])):
        mixed = blend(parts, shares)
        assert all(torch.equal(value, mixed.state[key]) for key, value in parts[index].state.items())


def test_a_blend_is_linear_in_every_tensor_and_keeps_counters():
    networks = [SRResNet(2, channels=4, num_blocks=1) for _ in range(3)]
    for steps, part in enumerate(networks):
        for _ in range(steps):
            part(torch.rand(2, 1, 4, 4))
    parts = [weights(part.half()) for part in networks]
    mixed = blend(parts, [0.5, 0.3, 0.2]).state
    key = "body.0.body.1.running_var"
    first, second, third = (part.state[key].float() for part in parts)
    torch.testing.assert_close(mixed[key], 0.5 * first + 0.3 * second + 0.2 * third)
    assert mixed["head.0.weight"].dtype == torch.float32
    assert mixed["body.0.body.1.num_batches_tracked"] == 0
    SRResNet(2, channels=4, num_blocks=1).load_state_dict(mixed)


def test_a_blend_says_what_it_is_and_no_two_share_a_hash():
    parts = [weights(network(), name) for name in ("pixel.pt", "gan.pt")]
    first, second = blend(parts, [0.7, 0.3]), blend(parts, [0.3, 0.7])
    assert f"0.7 of {parts[0].sha256}" in first.description
    assert f"0.3 of {parts[1].sha256}" in first.description
    assert len({first.sha256, second.sha256, parts[0].sha256, parts[1].sha256}) == 4
    assert blend(parts, [0.7, 0.3]).sha256 == first.sha256


@pytest.mark.parametrize("other", [network(4), SRResNet(2, channels=4), EDSR(2, channels=5, num_blocks=1)])
def test_different_networks_do_not_blend(other):
    with pytest.raises(InputError, match=r"a\.pt and b\.pt are of different networks or scale factors"):
        blend([weights(network()), weights(other, "b.pt")], [0.5, 0.5])


@pytest.mark.parametrize("shares", [[1.0], [0.5, 0.6], [1.5, -0.5], [0.3, 0.3, 0.4]])
def test_shares_that_do_not_fit_are_refused(shares):
    with pytest.raises(ValueError, match="shares"):
        blend([weights(network()), weights(network())], shares)
