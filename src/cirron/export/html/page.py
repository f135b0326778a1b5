"""The format `html`: one page with everything in it, for a browser that may be offline."""

from __future__ import annotations

import time
from importlib.resources import files
from typing import Any

import msgspec

from cirron.export.destination import Sink
from cirron.export.memory_json import memory
from cirron.export.profile_json import profile
from cirron.export.source import Source
from cirron.export.source_scopes import scopes_by_session
from cirron.tree.run_outline import together

# Only within strings can JSON hold these, so there they may be spelled out. Without `<` no string ends the script
# element or begins a comment in it; the two line ends are such to JavaScript, but not to JSON.
_SPELLED_OUT = {
    character.encode(): f"\\u{ord(character):04x}".encode()
    for character in ("<", ">", "&", "\u2028", "\u2029")
}


# One script in the page, one file a concept here; the later ones use what the earlier ones declare.
_SCRIPTS = ("model", "elements", "header", "flame", "search", "detail", "charts", "memory", "table", "start")


def write_html(source: Source, sink: Sink) -> None:
    """Write the page about a run: its flame graph, a table by path, and charts of its marks and of its memory.

    Args:
        source: the records, of which only scopes are kept in memory.
        sink: takes the page.
    """
    now_ns = time.time_ns()
    top = together(source.run, scopes_by_session(source, now_ns, marks=True))
    fields = profile(source.run, source.sessions, top, now_ns)
    sink.write(page_of({**fields, "memory": memory(source.reader, fields["run"]["started_ns"])}))


def page_of(fields: dict[str, Any]) -> bytes:
    """The page that shows a profile.

    Args:
        fields: what `profile` gives, with what `memory` does.

    Example:
        Path("run.html").write_bytes(page_of(profile(run, sessions, outline_run(reader, run).top)))
    """
    script = b"\n".join(_part(f"{name}.js") for name in _SCRIPTS)
    frame = _part("page.html").replace(b"{{style}}", _part("page.css")).replace(b"{{script}}", script)
    before, _, after = frame.partition(b"{{profile}}")
    return before + _embeddable(fields) + after


def _part(name: str) -> bytes:
    return files("cirron.export.html").joinpath(name).read_bytes()


def _embeddable(fields: dict[str, Any]) -> bytes:
    """JSON that may stand in a script element, whatever its strings say."""
    content = msgspec.json.encode(fields)
    for plain, spelled_out in _SPELLED_OUT.items():
        content = content.replace(plain, spelled_out)
    return content
