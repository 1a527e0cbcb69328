"""Sphinx's settings for the documentation, which `make docs` builds; a warning fails the build."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]
# Notebooks run in processes of their own, which find the package and each other's settings here.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")]))

import monai_sr  # noqa: E402

project = "monai_sr"
author = copyright = "monai_sr contributors"
release = version = monai_sr.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_nb",
    "generated",
    "references",
    "offline",
]
exclude_patterns = ["_build", "_ext"]
nitpicky = True

# Two hyphens begin an option.
smartquotes = False

html_theme = "furo"
html_title = f"monai_sr {release}"
html_copy_source = False
html_show_sphinx = False

# Pages are Markdown; a heading can be linked to by its own words.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

# A notebook runs at every build, and its error is the build's.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
nb_ipywidgets_js = {}  # which would be fetched from elsewhere

# Backticks in a docstring link to what the reference holds, and are code where it holds nothing.
default_role = "py:obj"
autodoc_member_order = "groupwise"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
autoclass_content = "class"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Reference"]
