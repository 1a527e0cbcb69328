"""Super-resolution of medical images with MONAI, from DICOM to DICOM.

Names load on first use, so that `import monai_sr` is instant and reading a file never imports torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monai_sr.api import super_resolve
    from monai_sr.io import read_volume, write_volume
    from monai_sr.networks import EDSR, SRGANDiscriminator, SRResNet, SwiftSRGAN, SwiftSRGANDiscriminator
    from monai_sr.upscaler import Upscaler
    from monai_sr.volume import Volume

__version__ = "0.1.0"

__all__ = [
    "EDSR",
    "SRGANDiscriminator",
    "SRResNet",
    "SwiftSRGAN",
    "SwiftSRGANDiscriminator",
    "Upscaler",
    "Volume",
    "__version__",
    "read_volume",
    "super_resolve",
    "write_volume",
]

_HOMES = {
    "EDSR": "monai_sr.networks",
    "SRGANDiscriminator": "monai_sr.networks",
    "SRResNet": "monai_sr.networks",
    "SwiftSRGAN": "monai_sr.networks",
    "SwiftSRGANDiscriminator": "monai_sr.networks",
    "Upscaler": "monai_sr.upscaler",
    "Volume": "monai_sr.volume",
    "read_volume": "monai_sr.io",
    "super_resolve": "monai_sr.api",
    "write_volume": "monai_sr.io",
}


def __getattr__(name: str) -> object:
    """Import a public name's module when the name is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
