"""What one chunk of a stream says."""

from __future__ import annotations

from typing import Any

from cirron.serving.answer import Answer, answer_of
from cirron.serving.fields import field, items, text

_NOTHING = Answer()


def read_chunk(chunk: Any) -> tuple[Answer, bool]:
    """What it says of the answer, and whether it brings a piece of that.

    Chunks of OpenAI's completions have `choices`; the events of its responses, and those of Anthropic, have a `type`;
    vLLM gives all that there is so far.
    """
    if field(chunk, "prompt_token_ids") is not None:
        return answer_of(chunk), True
    if field(chunk, "choices") is not None:
        return answer_of(chunk), any(map(_brings_text, items(chunk, "choices")))
    if field(chunk, "type") is not None:
        return _of_event(chunk)
    return (answer_of(chunk) if field(chunk, "usage") is not None else _NOTHING), False


def _brings_text(choice: Any) -> bool:
    """Not so the first chunk, which tells the role, nor the last, which tells why it ends."""
    if text(choice, "text") is not None:
        return True
    delta = field(choice, "delta")
    said = text(delta, "content", "refusal", "reasoning_content") is not None
    return delta is not None and (said or bool(items(delta, "tool_calls")))


def _of_event(event: Any) -> tuple[Answer, bool]:
    whole = field(event, "response") or field(event, "message")
    if whole is not None:
        return answer_of(whole), False
    delta = field(event, "delta")
    said = isinstance(delta, str) or text(delta, "text", "partial_json", "thinking") is not None
    told = answer_of(event)._replace(finish_reason=text(delta, "stop_reason"), operation=None)
    return told, bool(said)
