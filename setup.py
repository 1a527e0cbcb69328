"""Packaging of monai-sr; pyproject.toml holds the tools' settings."""

from __future__ import annotations

import ast
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def version() -> str:
    """Read `__version__` without importing the package, whose dependencies may not be there yet."""
    for statement in ast.parse((ROOT / "monai_sr" / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__version__":
            return str(ast.literal_eval(statement.value))
    raise RuntimeError("monai_sr/__init__.py assigns no __version__: add it")


# Every bound is explained in CONTRIBUTING.md.
INSTALL_REQUIRES = [
    "monai>=1.6,<2",
    "torch>=2.8,<3",
    "numpy>=1.24,<3",
    "pytorch-ignite>=0.4.11,<0.6",
    "pydicom>=3.0.2,<4",
    "pylibjpeg>=2,<3",
    "pylibjpeg-openjpeg>=2.3,<3",
    "pylibjpeg-rle>=2,<3",
    "pyjpegls>=1.4,<2",
    "python-gdcm>=3.0.24,<4",
    "nibabel>=5.2,<6",
    "pillow>=10.3,<14",
    "scipy>=1.11,<2",
    "SimpleITK>=2.3,<3",
    "matplotlib>=3.8,<4",
    "tensorboard>=2.14,<3",
    "fire>=0.6,<1",
    "jinja2>=3.1.6,<4",
    "jsonschema>=4.20,<5",
    "typer>=0.12,<1",
    "rich>=13,<16",
]
EXTRAS = {
    "onnx": ["onnx>=1.17,<2", "onnxscript>=0.5,<1", "onnxruntime>=1.20,<2"],
    "openvino": ["openvino>=2025.0,<2027"],
    "safetensors": ["safetensors>=0.4,<1"],
    "ray": ["ray>=2.40,<3"],
    "pacs": ["dicomweb-client>=0.60,<1", "requests>=2.31,<3", "urllib3>=2.2,<3"],
    "app": ["starlette>=0.49.1,<2", "uvicorn>=0.30,<1", "h11>=0.16,<1"],
    "uncertainty": ["highdicom>=0.24,<1"],
    "docs": ["sphinx>=8.1,<10", "furo>=2024.8.6,<2027", "myst-nb>=1.2,<2"],
}
DEV_REQUIRES = [
    *(requirement for extra in EXTRAS.values() for requirement in extra),
    "pytest>=8,<10",
    "pytest-xdist>=3.6,<4",
    "hypothesis>=6.100,<7",
    "ruff>=0.12,<1",
    "mypy>=1.14,<3",
    "pre-commit>=3.7,<5",
    "setuptools>=77,<90",
    "nilearn>=0.11,<1",
    "scikit-image>=0.22,<1",
    "httpx>=0.27,<1",
    "playwright>=1.45,<2",
    "axe-playwright-python>=0.1.4,<0.2",
]

setup(
    name="monai-sr",
    version=version(),
    description="Super-resolution of medical images with MONAI, from DICOM to DICOM",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="monai_sr contributors",
    license="Apache-2.0",
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Image Processing",
        "Topic :: Scientific/Engineering :: Medical Science Apps.",
        "Typing :: Typed",
    ],
    python_requires=">=3.10",
    install_requires=INSTALL_REQUIRES,
    extras_require={**EXTRAS, "dev": DEV_REQUIRES},
    entry_points={"console_scripts": ["monai-sr = monai_sr.cli:main"]},
    # The wheel carries the repository's bundles as monai_sr/_bundles, so that they are found by name.
    packages=[*find_packages(include=["monai_sr", "monai_sr.*"]), "monai_sr._bundles"],
    package_dir={"monai_sr._bundles": "bundles"},
    package_data={
        "monai_sr": ["py.typed"],
        "monai_sr.integrations": ["slicer/*.py"],
        "monai_sr.integrations.monailabel": ["requirements.txt"],
        "monai_sr.integrations.web": ["static/*"],
        "monai_sr.report": ["assets/*.j2", "assets/*.css", "assets/*.js", "assets/vendor/*"],
        "monai_sr.study": ["assets/*"],
        "monai_sr.through_plane": ["weights.*"],
        "monai_sr.sample": ["README.md", "datalist.json", "*/*.nii.gz", "dicom/*/*.dcm"],
        "monai_sr._bundles": ["[!_]*/LICENSE", "[!_]*/configs/*", "[!_]*/docs/*", "[!_]*/models/*.pt"],
    },
    include_package_data=False,
    zip_safe=False,
)
