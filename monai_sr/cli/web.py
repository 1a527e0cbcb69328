"""The command that serves the local web page: `app`."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import Annotated

import typer

from monai_sr.cli.common import (
    DeviceOption,
    MemoryOption,
    TrustOption,
    chosen_bundle,
    console,
    errors,
    parse_bytes,
)
from monai_sr.errors import InputError


def serve_app(
    host: Annotated[
        str, typer.Option(help="Where to listen. The page has no login: other machines reach it too.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 for any free one.")] = 8000,
    bundles: Annotated[
        list[str] | None,
        typer.Option("--bundle", "-b", help="Offer this bundle; repeat for several. All by default."),
    ] = None,
    max_upload: Annotated[
        str, typer.Option(help="Largest upload, such as 2G or 512M, also once it is unpacked.")
    ] = "512M",
    device: DeviceOption = "auto",
    memory: MemoryOption = "4G",
    trust: TrustOption = False,
) -> None:
    """Serve a local page: drop images, compare before and after, download the result."""
    from monai_sr.bundle import bundle_folders, find_bundle
    from monai_sr.runtimes import choose_device

    try:
        from monai_sr.integrations.web.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn"):
            raise
        raise InputError(f"The app needs {error.name}: pip install 'monai-sr[app]'.") from error
    from monai_sr.integrations.web.offers import offer
    from monai_sr.integrations.web.settings import Settings

    if bundles:
        offered = [find_bundle(chosen_bundle(name, trust)) for name in bundles]
    else:
        offered = [found for found in map(find_bundle, bundle_folders().values()) if found.is_own]
    choose_device(device)  # says now, not at the first image, if there is none
    settings = Settings(offer(offered), parse_bytes(max_upload), device, parse_bytes(memory))

    def tell(address: str, is_private: bool) -> None:
        console.print(f"Open {address} in a browser; Ctrl+C stops it.", highlight=False, soft_wrap=True)
        console.print("Research software, not for diagnosis.", highlight=False)
        if not is_private:
            errors.print(
                "Warning: there is no login. Whoever reaches this address can upload images and use this "
                "machine, and nothing is encrypted on the way.",
                style="yellow",
                highlight=False,
                soft_wrap=True,
            )

    # Being told to end is how a server ends, not a failure.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        serve(settings, host, port, tell)
    console.print("Stopped; what was uploaded is deleted.", highlight=False)
