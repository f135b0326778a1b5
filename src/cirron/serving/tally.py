"""The account of one request: what came out of a language model, and when."""

from __future__ import annotations

import math
from typing import Any

from cirron.serving.answer import Answer, answer_of
from cirron.serving.chunks import read_chunk

MOST_GAPS = 65_536  # of a longer stream the latest ones count

Mark = tuple[str, float, dict[str, Any]]


class Tally:
    """Filled by the core while a request is under way, and asked once when it is over.

    Times are nanoseconds since the request began.
    """

    __slots__ = ("_answer", "_arrivals", "_first_ns", "_gaps_ns", "_is_generated", "_last_ns")

    def __init__(self) -> None:
        self._answer = Answer()
        self._arrivals = 0
        self._first_ns: int | None = None
        self._last_ns = 0
        self._gaps_ns: list[int] = []
        self._is_generated = False

    def read(self, result: Any) -> None:
        """Take in what the function has returned."""
        self.add(answer_of(result))

    def add(self, answer: Answer) -> None:
        """Take in one answer among others."""
        self._answer = self._answer.and_also(answer)

    def see(self, chunk: Any, at_ns: int) -> None:
        """Take in what the function has yielded: a text or a token, or an object that says more about it."""
        if isinstance(chunk, (str, bytes, int)):
            brings_text = True
        else:
            answer, brings_text = read_chunk(chunk)
            self._answer = self._answer.then(answer)
        if brings_text and not self._is_generated:
            self._arrive(at_ns)

    def generate(self, at_ns: int) -> None:
        """Take in that a model here has made a token; what becomes of it later is no token more."""
        self._is_generated = True
        self._arrive(at_ns)

    def _arrive(self, at_ns: int) -> None:
        if self._first_ns is None:
            self._first_ns = at_ns
        elif len(self._gaps_ns) < MOST_GAPS:
            self._gaps_ns.append(at_ns - self._last_ns)
        else:
            self._gaps_ns[self._arrivals % MOST_GAPS] = at_ns - self._last_ns
        self._arrivals += 1
        self._last_ns = at_ns

    def facts(self, total_ns: int) -> tuple[list[Mark], dict[str, Any]]:
        """The marks and the attributes of a request that has lasted so long."""
        answer = self._answer
        tokens, how = answer.completion_tokens, {}
        if tokens is None and self._arrivals > 0:
            tokens, how = self._arrivals, {"counted": "chunks"}
        marks: list[Mark] = []
        if answer.prompt_tokens is not None:
            marks.append(("prompt_tokens", answer.prompt_tokens, {}))
        if tokens is not None:
            marks.append(("completion_tokens", tokens, how))
        marks += self._times()
        if tokens and total_ns > 0:
            marks.append(("tokens_per_s", tokens * 1e9 / total_ns, how))
        return marks, self._attributes()

    def _times(self) -> list[Mark]:
        if self._first_ns is None:
            return []
        marks: list[Mark] = [("time_to_first_token_ns", self._first_ns, {})]
        if self._gaps_ns:
            ordered = sorted(self._gaps_ns)
            p50, p95 = _percentile(ordered, 0.50), _percentile(ordered, 0.95)
            marks.append(("inter_token_ns", p50, {"p50": p50, "p95": p95}))
        return marks

    def _attributes(self) -> dict[str, Any]:
        """Under the names of OpenTelemetry's conventions for generative AI, whose times are in seconds."""
        answer = self._answer
        named = {
            "gen_ai.operation.name": answer.operation,
            "gen_ai.response.id": answer.response_id,
            "gen_ai.response.model": answer.model,
            "gen_ai.response.finish_reasons": answer.finish_reason,
            "gen_ai.usage.input_tokens": answer.prompt_tokens,
            "gen_ai.usage.output_tokens": answer.completion_tokens,
            "gen_ai.server.time_to_first_token": _seconds(self._first_ns),
            "gen_ai.server.time_per_output_token": _seconds(self._mean_gap_ns()),
        }
        return {name: value for name, value in named.items() if value is not None}

    def _mean_gap_ns(self) -> float | None:
        if self._first_ns is None or self._arrivals < 2:
            return None
        return (self._last_ns - self._first_ns) / (self._arrivals - 1)


def _percentile(ordered: list[int], share: float) -> int:
    """The least value that so many do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _seconds(ns: float | None) -> float | None:
    return None if ns is None else ns / 1e9
