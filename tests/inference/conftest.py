"""A session, and pictures of the requests in it."""

import copy
import inspect

import pytest

import cirron as ci
from cirron.tree.build import build
from cirron.tree.dicts import to_dict
from support.pictures import picture

HIDDEN = ("request_id",)  # another one on every run


class Requests:
    """What the session of the test has recorded."""

    def __init__(self, recorder):
        self._recorder = recorder

    def nodes(self):
        """Those below the session, as `trace("dict")` has them."""
        return self._recorder.trace("dict")["roots"][0]["children"]

    def named(self, name="request"):
        return [node for node in self.nodes() if node["name"] == name]

    def the_one(self):
        (node,) = self.nodes()
        return node

    def attributes(self):
        """Of the one request, without its function and its id."""
        return {
            key: value
            for key, value in self.the_one()["attrs"].items()
            if key not in ("function", "request_id")
        }

    def marks(self):
        """Of the one request, values by name."""
        marks = self.the_one()["marks"]
        return {mark["name"]: mark["value"] for mark in marks if not mark["name"].startswith("cirron.")}

    def picture(self):
        """The trees of all roots, a line a scope, with neither ids nor the dots of a function's name."""
        return picture({"roots": [_tidied(node) for node in copy.deepcopy(self.nodes())]})


def _tidied(node):
    for hidden in HIDDEN:
        node["attrs"].pop(hidden, None)
    if "function" in node["attrs"]:
        node["attrs"]["function"] = node["attrs"]["function"].rpartition(".")[2]
    node["children"] = [_tidied(child) for child in node["children"]]
    return node


def shapes_of(batches):
    """Each root as an indented text without ids and numbers: names of scopes and marks, and what attributes say."""
    (root,) = to_dict(build(batches))["roots"]
    return ["\n".join(_shape(node, 0)) for node in root["children"]]


def _shape(node, depth):
    said = [
        f"{key}={value}" for key, value in node["attrs"].items() if key in ("function", "outcome", "error")
    ]
    marks = [mark["name"] for mark in node["marks"] if not mark["name"].startswith("cirron.")]
    line = "  " * depth + " ".join([node["name"], *said])
    return [
        " | ".join([line, *marks]),
        *(text for child in node["children"] for text in _shape(child, depth + 1)),
    ]


def tree(text):
    """A picture as it stands in a test."""
    return inspect.cleandoc(text)


@pytest.fixture
def requests():
    """A session of the default instance, and the requests in it."""
    ci.profile(frameworks=[])
    yield Requests(ci)
    ci.shutdown()
