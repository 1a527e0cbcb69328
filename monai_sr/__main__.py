"""`python -m monai_sr` is the `monai-sr` command."""

from __future__ import annotations

from monai_sr.cli import main

if __name__ == "__main__":
    main()
