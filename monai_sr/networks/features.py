"""Frozen ImageNet features, for losses that compare images as a trained network sees them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn

from monai_sr.errors import InputError
from monai_sr.imagenet import IMAGENET_MEAN, IMAGENET_STD

PUBLISHED = "published"
"""In place of a file: the checkpoint that torchvision publishes."""


def load_feature_weights(source: str | Path) -> dict[str, Tensor]:
    """Read the weights of a feature network.

    Args:
        source: a file, or the URL of a checkpoint whose name ends in its SHA-256's first digits, such as
            `vgg19-dcbb9e9d.pth`. Downloads are checked against that hash and kept in torch.hub's folder.

    Returns:
        Tensors by name, on the CPU; half precision becomes float32.

    Raises:
        InputError: if the weights cannot be fetched or read, or do not match their hash.
    """
    source = str(source)
    try:
        if "://" in source:
            if not re.search(r"-[0-9a-f]{8,}\.", source.rsplit("/", 1)[-1]):
                raise InputError(
                    f"weights={source} names no SHA-256: the file's name must end in its hash, as in "
                    "vgg19-dcbb9e9d.pth, so that the download can be checked."
                )
            state: Any = torch.hub.load_state_dict_from_url(
                source, map_location="cpu", progress=False, check_hash=True, weights_only=True
            )
        else:
            state = torch.load(source, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(
            f"weights={source} does not exist; name a file of weights, or 'published'."
        ) from error
    except URLError as error:
        raise InputError(
            f"weights={source} cannot be downloaded ({error.reason}); name a local copy instead."
        ) from error
    except InputError:
        raise
    except Exception as error:  # torch.load and a damaged archive raise many unrelated types
        reason = str(error).partition("\n")[0]
        raise InputError(f"weights={source} is not a readable file of weights: {reason}") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"weights={source} is not a state dict: it must hold tensors by name.")
    return {key: value.float() if value.is_floating_point() else value for key, value in state.items()}


class ImageNetNormalize(nn.Module):
    """Images of a known range, gray or RGB, as networks trained on ImageNet expect them.

    Args:
        value_range: the least and greatest intensity of the input, mapped to 0 and 1.

    Raises:
        ValueError: if the range is empty.

    Example:
        >>> ImageNetNormalize()(torch.full((1, 1, 1, 1), 0.5)).flatten()
        tensor([0.0655, 0.1964, 0.4178])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, value_range: Sequence[float] = (0.0, 1.0)) -> None:
        super().__init__()
        low, high = value_range
        if not low < high:
            raise ValueError(f"value_range must rise, got {tuple(value_range)}; give (least, greatest).")
        mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
        self.register_buffer("mean", (low + mean * (high - low)).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", (std * (high - low)).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Repeat a single channel and normalise: (N, 1 or 3, H, W) to (N, 3, H, W)."""
        # Broadcasting over the channel repeats a gray image.
        return (x - self.mean) / self.std


class FrozenFeatures(nn.Module):
    """A trained feature network that never changes, whatever `train()` or an optimizer does.

    Gradients pass through to the input.

    Args:
        features: the trunk, built on the "meta" device, so that a forgotten weight cannot pass for a random
            one; its keys are torchvision's without the leading `features.`.
        weights: see `load_feature_weights`; or "published".
        url: of the published checkpoint.
        value_range: the least and greatest intensity of the images.

    Raises:
        ValueError: if the range is empty.
        InputError: if the weights cannot be read, or lack a layer, or one has another shape.
    """

    def __init__(
        self, features: nn.Sequential, weights: str | Path, url: str, value_range: Sequence[float]
    ) -> None:
        super().__init__()
        self.normalize = ImageNetNormalize(value_range)
        self.features = features
        self._load(load_feature_weights(url if weights == PUBLISHED else weights), weights)
        self.requires_grad_(False)
        self.eval()

    def _load(self, state: dict[str, Tensor], source: str | Path) -> None:
        needed = {f"features.{key}": value for key, value in self.features.state_dict().items()}
        for key, value in needed.items():
            if not state.keys() & needed.keys():
                raise InputError(
                    f"weights={source} are not of the network of {type(self).__name__}: not even {key} is "
                    "there. Give a file of torchvision's weights of that network, or 'published'."
                )
            if key not in state:
                raise InputError(
                    f"weights={source} has no {key}, which {type(self).__name__} needs; choose a shallower "
                    "layer, or weights that go deeper, such as 'published'."
                )
            if state[key].shape != value.shape:
                raise InputError(
                    f"weights={source} has {key} of shape {tuple(state[key].shape)}, but "
                    f"{type(self).__name__} needs {tuple(value.shape)}; give weights of that very network."
                )
        self.load_state_dict({key: state[key] for key in needed}, assign=True)

    def train(self, mode: bool = True) -> FrozenFeatures:
        """Stay in evaluation mode: the features are a yardstick."""
        return super().train(False)

    def forward(self, x: Tensor) -> Tensor:
        """Features of a batch.

        Args:
            x: images, shape (N, 1 or 3, H, W), in `value_range`.

        Returns:
            Activations, shape (N, C, H/2ᵏ, W/2ᵏ) for the k halvings of the trunk.
        """
        out: Tensor = self.features(self.normalize(x))
        return out
