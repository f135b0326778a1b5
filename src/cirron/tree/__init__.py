"""Spans as a tree, and the tree as text, dictionaries or a data frame."""

from cirron.tree.build import Node, Tree, build
from cirron.tree.dicts import to_dict, to_json
from cirron.tree.filters import keep
from cirron.tree.frame import to_frame
from cirron.tree.html import to_html
from cirron.tree.present import check_request, present
from cirron.tree.run_outline import RunOutline, Shape, outline_run
from cirron.tree.scope import Scope
from cirron.tree.scopes_of import scopes_of
from cirron.tree.show import print_tree, show
from cirron.tree.text import to_lines, to_text

__all__ = [
    "Node",
    "RunOutline",
    "Scope",
    "Shape",
    "Tree",
    "build",
    "check_request",
    "keep",
    "outline_run",
    "present",
    "print_tree",
    "scopes_of",
    "show",
    "to_dict",
    "to_frame",
    "to_html",
    "to_json",
    "to_lines",
    "to_text",
]
