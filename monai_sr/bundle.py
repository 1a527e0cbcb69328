"""Bundles: where they are, what their card says, their network and its weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from torch import nn

from monai_sr import networks
from monai_sr.errors import InputError
from monai_sr.weights import Weights, blend, read_weights

CARD = Path("configs") / "metadata.json"
INFERENCE = Path("configs") / "inference.json"
DEFAULT_SCALE = 2
"""The scale of `models/model.pt`; other scales are named, as in `models/model_x4.pt`."""

LEAST_AGREEMENT = 60.0
"""PSNR in dB that a lower precision's output must have against float32's to be taken by itself."""

LARGEST_CHANGE = 0.01
"""By how many dB a lower precision may change the PSNR against the reference to be taken by itself."""


def weights_file(root: str | Path, scale_factor: int, stage: str = "") -> Path:
    """Where a bundle keeps the weights of a scale, whether they exist or not.

    Args:
        root: the bundle's folder.
        scale_factor: enlargement.
        stage: "pixel" for the pixel-loss stage of a bundle that goes on with an adversarial one, "interval"
            for the head that guesses how far its images are off.

    Returns:
        Path below `models/`.

    Example:
        >>> weights_file("edsr_mri", 4).as_posix()
        'edsr_mri/models/model_x4.pt'
    """
    name = "model.pt" if scale_factor == DEFAULT_SCALE else f"model_x{scale_factor}.pt"
    return Path(root) / "models" / (f"{stage}_{name}" if stage else name)


def bundle_folders() -> dict[str, Path]:
    """Bundles that can be used by name.

    Returns:
        Name -> folder: those of `bundles/` in the current folder, and those that came with the package.
    """
    homes = [*_own_homes(), Path.cwd() / "bundles"]
    cards = (card for home in homes for card in sorted(home.glob(f"*/{CARD.as_posix()}")))
    return {card.parents[1].name: card.parents[1] for card in cards}


def _own_homes() -> list[Path]:
    package = Path(str(resources.files("monai_sr")))
    # An installed package carries its bundles inside; in a checkout they stand beside it.
    return [package / "_bundles", package.parent / "bundles"]


def default_root(name: str) -> Path:
    """The folder that a bundle's configs mean by `bundle_root`.

    Args:
        name: the bundle's name.

    Returns:
        The current folder if it is that bundle, else the bundle of that name.

    Raises:
        InputError: if there is none.
    """
    here = Path.cwd()
    if (here / CARD).is_file() and _read_card(here / CARD).get("name") == name:
        return here
    return find_bundle(name).root


def find_bundle(name_or_path: str | Path) -> Bundle:
    """A bundle by its name or its folder.

    Args:
        name_or_path: a name that `bundle_folders` knows, or the path of a bundle's folder.

    Returns:
        The bundle.

    Raises:
        InputError: if there is no such bundle.
    """
    path = Path(name_or_path)
    if (path / CARD).is_file():
        found = Bundle(path)
        if not found.card.keys() & {"name", "version", "network_data_format"}:
            raise InputError(
                f"{path} is no bundle: its {CARD.as_posix()} states neither a name nor a version."
            )
        if not (path / INFERENCE).is_file():
            raise InputError(f"{path} is no whole bundle: it has no {INFERENCE.as_posix()}.")
        return found
    known = bundle_folders()
    if str(name_or_path) in known:
        return Bundle(known[str(name_or_path)])
    raise InputError(
        f"There is no bundle {name_or_path}: use one of {', '.join(known) or 'none installed'}, "
        f"or the path of a folder that holds {CARD.as_posix()}."
    )


@dataclass(frozen=True)
class Bundle:
    """One bundle on disk.

    Args:
        root: its folder.
    """

    root: Path

    @cached_property
    def card(self) -> dict[str, Any]:
        """The content of `configs/metadata.json`."""
        return _read_card(self.root / CARD)

    @property
    def name(self) -> str:
        """The name on the card, else the folder's."""
        return str(self.card.get("name", self.root.resolve().name))

    @property
    def version(self) -> str:
        """The version on the card."""
        return str(self.card.get("version", "unknown"))

    @property
    def is_own(self) -> bool:
        """Whether the configuration that is run came with the package; another is code of unknown origin.

        A copy, as in a clone beside an installed package, runs the same and needs no more trust.
        """
        config = self.root / INFERENCE
        known = [path for home in _own_homes() for path in home.glob(f"*/{INFERENCE.as_posix()}")]
        return config.is_file() and config.read_bytes() in [path.read_bytes() for path in known]

    @property
    def scale_factors(self) -> list[int]:
        """Scales that the bundle has weights for, ascending."""
        named = [path.stem.removeprefix("model_x") for path in self.root.glob("models/model_x*.pt")]
        found = [int(scale) for scale in named if scale.isdecimal()]
        if weights_file(self.root, DEFAULT_SCALE).is_file():
            found.append(DEFAULT_SCALE)
        return sorted(found)

    def weights(self, scale_factor: int, alpha: float | None = None) -> Weights:
        """The released weights of a scale.

        Args:
            scale_factor: enlargement.
            alpha: from 0, the weights of the pixel-loss stage, to 1, those of the adversarial stage, mixed
                in between; None takes the final ones.

        Returns:
            The weights.

        Raises:
            InputError: if the bundle has none for that scale or stage, they are not those of its card, or
                `alpha` is out of range.
        """
        final = weights_file(self.root, scale_factor)
        if not final.is_file():
            scales = ", ".join(str(scale) for scale in self.scale_factors)
            others = f", but for {scales}" if scales else " nor for any other"
            raise InputError(
                f"Bundle {self.name} has no weights for scale factor {scale_factor}{others}: "
                "train them, or pass your own with --weights."
            )
        if alpha is None:
            return self._read(final)
        if not 0 <= alpha <= 1:
            raise InputError(f"alpha must be from 0 (faithful) to 1 (crisp), got {alpha:g}.")
        pixel = weights_file(self.root, scale_factor, "pixel")
        if not pixel.is_file():
            raise InputError(
                f"Bundle {self.name} has no pixel-loss weights for scale factor {scale_factor} to blend "
                "with: leave alpha out, or take a bundle trained adversarially."
            )
        return blend([self._read(pixel), self._read(final)], [1 - alpha, alpha])

    def measured_precisions(self, scale_factor: int) -> list[str]:
        """Precisions below float32 that were measured to keep the quality of all weights of a scale.

        Args:
            scale_factor: enlargement.

        Returns:
            Names such as bfloat16: those of the card's `precision` whose output on real slices is within
            `LEAST_AGREEMENT` of float32's and changes the PSNR by less than `LARGEST_CHANGE`.
        """
        stated = self.card.get("precision", {}).get(f"x{scale_factor}", {})
        return [
            name
            for name, found in stated.items()
            if found["psnr_to_float32"] >= LEAST_AGREEMENT and abs(found["psnr_change"]) < LARGEST_CHANGE
        ]

    @property
    def kernel(self) -> str | None:
        """Short name of the modality's degradation, see `monai_sr.degradation`; None if the card has none."""
        kernel = self.card.get("degradation_kernel")
        return None if kernel is None else str(kernel)

    def interval_head(self, scale_factor: int) -> tuple[networks.IntervalHead, dict[str, Any]]:
        """What gives the intervals about the released final network's pixels.

        Args:
            scale_factor: enlargement.

        Returns:
            The head, and the card's entry on its calibration.

        Raises:
            InputError: if they were not calibrated for the weights of that scale, or the file is not that of
                the card.
        """
        own, path = (weights_file(self.root, scale_factor, stage) for stage in ("", "interval"))
        entry = self.card.get("intervals", {}).get(f"x{scale_factor}")
        if entry is None or not path.is_file():
            raise InputError(
                f"Bundle {self.name} has no calibrated intervals for scale factor {scale_factor}: leave out "
                "--uncertainty, or calibrate them by scripts/train_intervals.py."
            )
        found = {file.name: self._read(file).sha256 for file in (own, path)}
        if entry.get("weights_sha256") != found:
            raise InputError(
                f"The intervals of bundle {self.name} were calibrated for other weights than its own: leave "
                "out --uncertainty, or take the bundle anew."
            )
        head = networks.IntervalHead(scale_factor)
        self._read(path).load_into(head)
        return head, entry

    def _read(self, path: Path) -> Weights:
        """Weights that are those of the card; a card without hashes is of the user's own make."""
        weights = read_weights(path)
        stated = self.card.get("weights_sha256")
        if stated and stated.get(path.name) != weights.sha256:
            raise InputError(
                f"{path} is not the file that {self.root / CARD} names by its SHA-256: take the bundle "
                "anew, or pass your own weights with --weights."
            )
        return weights

    def network(self, scale_factor: int) -> nn.Module:
        """The network of `configs/inference.json`, with its initial weights.

        Args:
            scale_factor: enlargement.

        Returns:
            The network, on the CPU.

        Raises:
            InputError: if the configuration cannot be read or does not know the scale.
        """
        config = self.root / INFERENCE
        try:
            content = json.loads(config.read_text(encoding="utf-8"))
            network = _own_network(content, scale_factor) or _parsed_network(content, scale_factor)
        except (OSError, ValueError, TypeError, RuntimeError, KeyError, ImportError) as error:
            raise InputError(
                f"{config} gives no network for scale factor {scale_factor}: {_root_cause(error)}"
            ) from error
        if not isinstance(network, nn.Module):
            raise InputError(f"{config} has a network_def that is no network: name one by `_target_`.")
        return network


def _own_network(config: Any, scale_factor: int) -> nn.Module | None:
    """A network of ours whose definition has plain values; none where only MONAI's parser can tell."""
    definition = config.get("network_def") if isinstance(config, dict) else None
    if not isinstance(definition, dict):
        return None
    definition = dict(definition)
    module, _, name = str(definition.pop("_target_", "")).rpartition(".")
    values = {key: scale_factor if value == "@scale_factor" else value for key, value in definition.items()}
    if module != networks.__name__ or not all(isinstance(value, int | float) for value in values.values()):
        return None
    made: nn.Module | None = getattr(networks, name)(**values) if name in networks.__all__ else None
    return made


def _parsed_network(config: Any, scale_factor: int) -> object:
    # Importing MONAI's parser takes longer than a whole image.
    from monai.bundle import ConfigParser

    parser = ConfigParser(config)
    parser["scale_factor"] = scale_factor
    return parser.get_parsed_content("network_def")


def _read_card(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON: repair it or take the bundle anew.") from error
    if not isinstance(card, dict):
        raise InputError(f"{path} is not a bundle's metadata: it must hold one JSON object.")
    return card


def _root_cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error)
