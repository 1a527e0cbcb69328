"""What `monailabel start_server --app` looks for in the app's folder."""

from __future__ import annotations

from monai_sr.integrations.monailabel.app import SuperResolutionApp

__all__ = ["SuperResolutionApp"]
