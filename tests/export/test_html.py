"""The format `html`: one page that needs nothing else, and that nothing recorded can break out of."""

import json
import re
from html.parser import HTMLParser

import pytest

from cirron.export.html import page_of, write_html
from export.exporting import HOSTILE, as_bytes, hostile_spool, two_ranks_and_a_worker
from support.commands import cirron
from support.programs import run_program

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
OF_THE_PAGE = {
    "found_ns",
    "most_ns",
    "whole_ns",
    "wall_ns",
}  # what the scripts call what they add up themselves


TRACKED = """
import cirron as ci
from stormlog import MemoryTracker
ci.profile(frameworks=[])
with MemoryTracker(device="host") as tracker, tracker.phase("train"), tracker.phase("</script>"):
    kept = b"x" * 50_000_000
"""


class Page(HTMLParser):
    """A page as a browser takes it apart: its elements, and what stands in each script and style."""

    def __init__(self, content):
        super().__init__()
        self.elements = []
        self.raw = []
        self._within = None
        self.feed(content)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._within = len(self.raw)
            self.raw.append((tag, dict(attrs), ""))

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._within = None

    def handle_data(self, data):
        if self._within is not None:
            tag, attrs, before = self.raw[self._within]
            self.raw[self._within] = (tag, attrs, before + data)

    @property
    def profile(self):
        [content] = [content for _, attrs, content in self.raw if attrs.get("type") == "application/json"]
        return json.loads(content)

    @property
    def script(self):
        [content] = [content for tag, attrs, content in self.raw if tag == "script" and "type" not in attrs]
        return content


def exported():
    return Page(as_bytes(write_html).decode("utf-8"))


@pytest.fixture
def page():
    """The page of a run whose names are all hostile."""
    hostile_spool()
    return exported()


def test_names_that_would_end_the_script_come_back_as_they_were(page):
    assert {path["name"] for path in page.profile["paths"]} >= set(HOSTILE)


def test_nothing_recorded_adds_an_element(page):
    assert page.elements == Page(page_of({}).decode()).elements


def test_the_data_holds_nothing_that_html_or_javascript_take_for_their_own():
    names = [
        "</script>",
        "<!--",
        "<script",
        "]]>",
        "&lt;",
        "\u2028",
        "\u2029",
        "{{style}}",
        "{{profile}}",
        "{{script}}",
    ]
    content = page_of({"names": names, "more": {name: name for name in names}})
    data = content[content.index(b'id="profile">') + len(b'id="profile">') :].split(b"</script>")[0]
    assert not re.search("[<>&\u2028\u2029]", data.decode())
    assert json.loads(data)["names"] == names


def test_the_page_asks_for_nothing_from_anywhere(page):
    for tag, attrs in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster", "style"):
            assert attrs.get(name, "data:,") == "data:,", (tag, attrs)
    code = "".join(content for tag, attrs, content in page.raw if attrs.get("type") != "application/json")
    addresses = re.findall(r"(?:https?:)?//[\w.]+\.\w+|@import|url\(|fetch\(|XMLHttp|import\(", code)
    assert addresses == ["http://www.w3.org"]  # the name of SVG, which no browser asks for
    assert not {tag for tag, _ in page.elements} & {"iframe", "object", "embed", "base", "form", "img"}


def test_the_policy_forbids_everything_but_what_stands_in_the_page(page):
    policies = [attrs for tag, attrs in page.elements if attrs.get("http-equiv")]
    assert policies == [{"http-equiv": "Content-Security-Policy", "content": POLICY}]
    tags = [tag for tag, _ in page.elements]
    assert tags.index("meta") < tags.index("style") < tags.index("script")


def test_data_enters_the_document_as_text_only(page):
    ways_in = (
        r"(inner|outer|Adjacent|set)HTML|document\.write|DOMParser|srcdoc|eval\(|Function\(|createContextual"
    )
    assert not re.search(ways_in, page.script)


def test_the_scripts_ask_the_json_for_what_it_has(page, tmp_path, monkeypatch):
    two_ranks_and_a_worker()
    known = _keys(exported().profile) | _keys(page.profile) | OF_THE_PAGE
    (tmp_path / "tracked").mkdir()
    monkeypatch.chdir(tmp_path / "tracked")
    run_program(TRACKED)
    known |= _keys(exported().profile["memory"])
    asked = set(re.findall(r"\b[a-z0-9]+(?:_[a-z0-9]+)*_(?:ns|bytes|count|id|out|version)\b", page.script))
    assert "interrupted_count" in asked
    assert asked <= known


def test_each_element_the_scripts_look_for_is_there(page):
    there = {attrs["id"] for _, attrs in page.elements if "id" in attrs}
    asked = set(re.findall(r'byId\("([\w-]+)"\)', page.script))
    assert "flame" in asked
    assert asked <= there


def test_the_memory_of_a_tracker_is_in_the_page():
    assert run_program(TRACKED).stderr == ""
    page = exported()
    (course,) = page.profile["memory"]
    assert [(band["name"], band["depth"], band["count"]) for band in course["bands"]] == [
        ("train", 1, 1),
        ("</script>", 2, 1),
    ]
    held_bytes = [count_bytes for _, count_bytes in course["points"]]
    assert max(held_bytes) - held_bytes[0] == pytest.approx(50_000_000, rel=0.1)
    assert course["highest_bytes"] == max(held_bytes)
    assert page.elements == Page(page_of({}).decode()).elements


def test_the_command_writes_the_page():
    two_ranks_and_a_worker()
    code, out, err = cirron("traces", "export", "--format", "html", "--output", "run.html")
    assert (code, out) == (0, "")
    assert re.search(r"^Wrote run\.html: 9 spans, 3 marks, .*; open it in a browser$", err, re.MULTILINE)


def _keys(value):
    """All keys of an object, however deep they stand."""
    if isinstance(value, dict):
        return set(value) | {key for below in value.values() for key in _keys(below)}
    if isinstance(value, list):
        return {key for below in value for key in _keys(below)}
    return set()
