"""A session, and pictures of the requests in it."""

import copy
import inspect

import pytest

import cirron as ci
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


def tree(text):
    """A picture as it stands in a test."""
    return inspect.cleandoc(text)


@pytest.fixture
def requests():
    """A session of the default instance, and the requests in it."""
    ci.profile(frameworks=[])
    yield Requests(ci)
    ci.shutdown()
