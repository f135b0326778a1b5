"""What is known of a language model's answer, whoever has given it."""

from __future__ import annotations

from typing import Any, NamedTuple

from cirron.serving.fields import count, field, items, text

_OPERATIONS = {
    "chat.completion": "chat",
    "chat.completion.chunk": "chat",
    "response": "chat",
    "message": "chat",
    "text_completion": "text_completion",
    "list": "embeddings",
}
_CACHED = ("cache_creation_input_tokens", "cache_read_input_tokens")


class Answer(NamedTuple):
    """What an answer says of itself; None where it says nothing."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    model: str | None = None
    response_id: str | None = None
    finish_reason: str | None = None
    operation: str | None = None

    def then(self, later: Answer) -> Answer:
        """This and what a later part of the same answer says, which is the last word."""
        return self._replace(**{name: told for name, told in later._asdict().items() if told is not None})

    def and_also(self, other: Answer) -> Answer:
        """This and another answer in the same request: their tokens add up."""
        return self.then(other)._replace(
            prompt_tokens=_sum(self.prompt_tokens, other.prompt_tokens),
            completion_tokens=_sum(self.completion_tokens, other.completion_tokens),
        )


def answer_of(result: Any) -> Answer:
    """What a result says: an answer of OpenAI's or Anthropic's shape, one of vLLM's, or a list of these."""
    if isinstance(result, list):
        whole = Answer()
        for each in result:
            whole = whole.and_also(answer_of(each))
        return whole
    if field(result, "prompt_token_ids") is not None:
        return _of_vllm(result)
    usage = field(result, "usage")
    return Answer(
        prompt_tokens=_prompt_tokens(usage),
        completion_tokens=count(usage, "completion_tokens", "output_tokens"),
        model=text(result, "model"),
        response_id=text(result, "id"),
        finish_reason=_finish_reason(result),
        operation=_OPERATIONS.get(text(result, "object", "type") or ""),
    )


def _prompt_tokens(usage: Any) -> int | None:
    """Anthropic counts what it had in its cache apart."""
    told = count(usage, "prompt_tokens", "input_tokens")
    cached = [count(usage, name) for name in _CACHED]
    return told if told is None else told + sum(tokens or 0 for tokens in cached)


def _finish_reason(result: Any) -> str | None:
    reasons = [text(choice, "finish_reason") for choice in items(result, "choices")]
    told = [reason for reason in reasons if reason is not None]
    return ",".join(told) if told else text(result, "stop_reason", "status")


def _of_vllm(output: Any) -> Answer:
    outputs = items(output, "outputs")
    reasons = [text(each, "finish_reason") for each in outputs]
    return Answer(
        prompt_tokens=len(field(output, "prompt_token_ids")),
        completion_tokens=sum(len(field(each, "token_ids") or ()) for each in outputs),
        response_id=text(output, "request_id"),
        finish_reason=",".join(reason for reason in reasons if reason is not None) or None,
        operation="text_completion",
    )


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else one + other
