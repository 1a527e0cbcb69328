"""Published RGB checkpoints in the layout of the networks here, for one channel or three."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from monai_sr.errors import InputError

RGB_RANGE = 255.0
"""Intensity of white in the networks of the EDSR release; here it is 1."""

RGB_MEAN = (0.4488, 0.4371, 0.4040)
"""Mean colour of the DIV2K training set, which those networks subtract and add again."""


def rgb_to_gray_state_dict(
    state_dict: Mapping[str, Tensor], head_key: str = "head", tail_key: str = "tail"
) -> dict[str, Tensor]:
    """Weights of the one-channel network that an RGB network is on gray images.

    The result on x equals the mean over colour of the RGB network's output on x repeated three times, up to
    the borders.

    Args:
        state_dict: of a network of this package with `in_channels=3`.
        head_key: the convolution that sees the image: `head` in `EDSR`, `head.0` in `SRResNet`.
        tail_key: the convolution that gives the image.

    Returns:
        State dict for the same network with `in_channels=1`.

    Raises:
        InputError: naming a layer that is missing or does not have three image channels.

    Example:
        >>> from monai_sr.networks import SRResNet
        >>> rgb = SRResNet(scale_factor=2, in_channels=3, channels=4, num_blocks=1).state_dict()
        >>> rgb_to_gray_state_dict(rgb, head_key="head.0")["head.0.weight"].shape
        torch.Size([4, 1, 9, 9])
    """
    gray = dict(state_dict)
    gray[f"{head_key}.weight"] = _weight(state_dict, head_key, image_axis=1).sum(1, keepdim=True)
    gray[f"{tail_key}.weight"] = _weight(state_dict, tail_key, image_axis=0).mean(0, keepdim=True)
    gray[f"{tail_key}.bias"] = _bias(state_dict, tail_key).mean(0, keepdim=True)
    return gray


def edsr_state_dict(state_dict: Mapping[str, Tensor], in_channels: int = 1) -> dict[str, Tensor]:
    """Weights for `EDSR` from a checkpoint in the layout of the official EDSR-PyTorch release.

    The release works on [0, 255] and subtracts the mean colour; both are folded into the first and the last
    convolution. With one channel the output on x in [0, 1] is the gray mean of the published network's output
    on x repeated three times. This is exact where the receptive field ends inside the image: the release pads
    with zeros after subtracting the mean, that is with the mean colour, `EDSR` pads with black.

    Args:
        state_dict: keys `head.0.*`, `body.*`, `tail.0.*`, `tail.1.*` and, optionally, `sub_mean.*` and
            `add_mean.*`, without which the mean colour of DIV2K is taken.
        in_channels: 1, or 3 to keep the colours.

    Returns:
        State dict for `EDSR` with `global_skip=False` and the sizes of the checkpoint; the full model also
        needs its `residual_scale` of 0.1, which no checkpoint holds.

    Raises:
        ValueError: if `in_channels` is neither 1 nor 3.
        InputError: if the layout is another one, naming a layer.

    Reference:
        https://github.com/sanghyun-son/EDSR-PyTorch
    """
    if in_channels not in (1, 3):
        raise ValueError(f"in_channels must be 1 or 3, got {in_channels}.")
    _check_layout(state_dict)
    mean = RGB_RANGE * torch.tensor(RGB_MEAN)
    subtract, minus_mean = _color_transform(state_dict, "sub_mean", -mean)
    add, plus_mean = _color_transform(state_dict, "add_mean", mean)

    # Double precision: the sums run over values up to 255.
    head = _weight(state_dict, "head.0", image_axis=1).double()
    tail = _weight(state_dict, "tail.1", image_axis=0).double()
    folded = {
        "head.weight": torch.einsum("ocij,cd->odij", head, subtract) * RGB_RANGE,
        "head.bias": _bias(state_dict, "head.0").double() + torch.einsum("ocij,c->o", head, minus_mean),
        "tail.weight": torch.einsum("dc,cfij->dfij", add, tail) / RGB_RANGE,
        "tail.bias": (add @ _bias(state_dict, "tail.1").double() + plus_mean) / RGB_RANGE,
    }
    if in_channels == 1:
        folded = rgb_to_gray_state_dict(folded)
    dtype = state_dict["head.0.weight"].dtype
    kept = {
        key.replace("tail.0.", "upsampling."): value
        for key, value in state_dict.items()
        if key.startswith(("body.", "tail.0."))
    }
    return kept | {key: value.to(dtype) for key, value in folded.items()}


def _check_layout(state_dict: Mapping[str, Tensor]) -> None:
    """Every layer is there and no other, so that what loads is the published network."""
    blocks = sum(key.startswith("body.") and key.endswith(".body.0.weight") for key in state_dict)
    steps = sum(key.startswith("tail.0.") and key.endswith(".weight") for key in state_dict)
    layers = ["head.0", *(f"body.{block}.body.{conv}" for block in range(max(blocks, 1)) for conv in (0, 2))]
    layers += [f"body.{max(blocks, 1)}", *(f"tail.0.{2 * step}" for step in range(max(steps, 1))), "tail.1"]
    expected = [f"{layer}.{name}" for layer in layers for name in ("weight", "bias")]
    missing = next((key for key in expected if key not in state_dict), None)
    if missing is not None:
        raise InputError(
            f"The checkpoint has no {missing}: give a single-scale network of EDSR-PyTorch's layout."
        )
    color = {f"{shift}.{name}" for shift in ("sub_mean", "add_mean") for name in ("weight", "bias")}
    surplus = next((key for key in state_dict if key not in color.union(expected)), None)
    if surplus is not None:
        raise InputError(
            f"The checkpoint has {surplus}, which EDSR lacks: give a single-scale network of EDSR-PyTorch's "
            "layout."
        )


def _color_transform(state_dict: Mapping[str, Tensor], key: str, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Matrix (3, 3) and offset (3,) of a 1×1 convolution over colours, `shift` alone where there is none."""
    if f"{key}.weight" not in state_dict:
        return torch.eye(3, dtype=torch.float64), shift.double()
    return _weight(state_dict, key, image_axis=0)[:, :, 0, 0].double(), _bias(state_dict, key).double()


def _weight(state_dict: Mapping[str, Tensor], key: str, image_axis: int) -> Tensor:
    weight = _entry(state_dict, f"{key}.weight")
    if weight.ndim != 4 or weight.shape[image_axis] != 3:
        raise InputError(
            f"The checkpoint's layer {key} has shape {tuple(weight.shape)}: give a network for RGB images."
        )
    return weight


def _bias(state_dict: Mapping[str, Tensor], key: str) -> Tensor:
    return _entry(state_dict, f"{key}.bias")


def _entry(state_dict: Mapping[str, Tensor], key: str) -> Tensor:
    if key not in state_dict:
        raise InputError(f"The checkpoint has no {key}: give one whose layers have these names.")
    return state_dict[key]
