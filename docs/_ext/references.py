"""Links from the reference: our names to where they are documented, other projects' names to nowhere."""

from __future__ import annotations

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

OURS = "monai_sr."


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the two resolvers to Sphinx."""
    app.connect("missing-reference", _ours)
    app.connect("warn-missing-reference", _others)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _ours(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """A name at its home, such as `monai_sr.volume.Volume`, as what it is imported as, `monai_sr.Volume`."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not target.startswith(OURS):
        return None
    python = env.domains.python_domain
    found = {
        entry.docname: (name, entry)
        for name, entry in python.objects.items()
        if name.rpartition(".")[2] == target.rpartition(".")[2]
    }
    if len(found) != 1:
        return None
    docname, (name, entry) = found.popitem()
    uri = app.builder.get_relative_uri(node["refdoc"], docname)
    link = nodes.reference("", "", internal=True, refuri=f"{uri}#{entry.node_id}", reftitle=name)
    link += content
    return link


def _others(app: Sphinx, domain: object, node: pending_xref) -> bool | None:
    """Accept in silence what is no name of ours: its project documents it, and a build asks no server."""
    is_python = node.get("refdomain") == "py"
    is_ours = str(node.get("reftarget", "")).startswith(OURS) or node.get("refdoc") is None
    # Backticks are code in the first place: a parameter or an expression has nowhere to lead.
    return True if is_python and (node.get("reftype") == "obj" or not is_ours) else None
