"""What language models' clients return, and what is read from it; each is the library's own type."""

import asyncio
import dataclasses
import types

import pytest
from anthropic.types import Message, RawContentBlockDeltaEvent, RawMessageDeltaEvent, RawMessageStartEvent
from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response

import cirron as ci

CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-x",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "hi"},
            "logprobs": None,
        }
    ],
    "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
}
EMBEDDINGS = {
    "object": "list",
    "model": "embed-x",
    "data": [],
    "usage": {"prompt_tokens": 5, "total_tokens": 5},
}
COMPLETION = CHAT | {
    "object": "text_completion",
    "choices": [{"index": 0, "finish_reason": "length", "text": "hi"}],
}
RESPONSE = {
    "id": "resp-1",
    "object": "response",
    "created_at": 1,
    "model": "gpt-x",
    "status": "completed",
    "output": [],
    "usage": {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18},
}
MESSAGE = {
    "id": "msg-1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": "hi"}],
    "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 3,
        "output_tokens": 7,
        "cache_creation_input_tokens": 2,
        "cache_read_input_tokens": 6,
    },
}

Chat = types.SimpleNamespace


def counted(requests):
    marks = requests.marks()
    assert ("tokens_per_s" in marks) == ("completion_tokens" in marks)
    return marks.get("prompt_tokens"), marks.get("completion_tokens")


def serve(result):
    """The result of a request, which comes out as it went in."""

    @ci.inference
    def call():
        return result

    assert call() is result


@dataclasses.dataclass
class Usage:
    prompt_tokens: int
    completion_tokens: int


class Plain:
    """Of somebody's own client."""

    def __init__(self, usage):
        self.usage = usage


@pytest.mark.parametrize(
    ("result", "tokens"),
    [
        (CHAT, (11, 7)),
        (ChatCompletion.model_validate(CHAT), (11, 7)),
        (Completion.model_validate(COMPLETION), (11, 7)),
        (EMBEDDINGS, (5, None)),
        (CreateEmbeddingResponse.model_validate(EMBEDDINGS), (5, None)),
        (RESPONSE, (11, 7)),
        (Response.model_construct(**RESPONSE), (11, 7)),
        (MESSAGE, (11, 7)),
        (Message.model_validate(MESSAGE), (11, 7)),
        (types.SimpleNamespace(usage=Usage(1, 2)), (1, 2)),
        (Plain({"prompt_tokens": 1, "completion_tokens": 2}), (1, 2)),
        ([CHAT, CHAT], (22, 14)),
    ],
)
def test_token_counts_of_answers(requests, result, tokens):
    serve(result)
    assert counted(requests) == tokens


def test_opentelemetrys_names_are_attributes(requests):
    serve(ChatCompletion.model_validate(CHAT))
    assert requests.attributes() == {
        "gen_ai.operation.name": "chat",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-x",
        "gen_ai.response.finish_reasons": "stop",
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 7,
    }


def test_the_answer_of_a_coroutine_is_read_too(requests):
    @ci.inference
    async def call():
        await asyncio.sleep(0)
        return MESSAGE

    assert asyncio.run(call()) is MESSAGE
    assert requests.attributes()["gen_ai.response.model"] == "claude-x"


class Lazy:
    """Computes its usage when it is asked."""

    @property
    def usage(self):
        raise AssertionError("nobody asked for it")


class Proxy:
    """Answers to any name."""

    def __getattr__(self, name):
        raise AssertionError(f"nobody asked for {name}")


@pytest.mark.parametrize(
    "result",
    [None, 3, "usage", b"usage", (CHAT,), [], {"usage": None}, Lazy(), Proxy(), object(), [Lazy()], [[CHAT]]],
    ids=repr,
)
def test_other_results_are_left_alone(requests, result):
    serve(result)
    assert requests.marks() == {}
    assert ci.health()["internal_errors"] == {}


@pytest.mark.parametrize("usage", ["much", {"prompt_tokens": "3"}, {"prompt_tokens": -1}, [1], 7])
def test_a_usage_that_is_no_count_is_no_mark(requests, usage):
    serve({"usage": usage})
    assert requests.marks() == {}
    assert ci.health()["internal_errors"] == {}


class Trap(dict):
    """A mapping that cannot be read."""

    def get(self, *args):
        raise RuntimeError("broken")


def test_a_result_that_cannot_be_read_is_counted_and_returned(requests):
    serve({"usage": Trap()})
    assert requests.marks() == {}
    assert ci.health()["internal_errors"] == {"request result": 1}


def stream(chunks):
    @ci.inference
    def call():
        yield from chunks

    out = list(call())
    assert len(out) == len(chunks)
    assert all(mine is theirs for mine, theirs in zip(out, chunks, strict=True))


def chat_chunks(usage):
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x"}

    def chunk(delta, reason=None):
        return head | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    texts = [chunk({"content": text}) for text in ("a", "b", "c")]
    chunks = [chunk({"role": "assistant", "content": ""}), *texts, chunk({}, "stop")]
    return chunks + ([head | {"choices": [], "usage": CHAT["usage"]}] if usage else [])


@pytest.mark.parametrize("make", [dict, ChatCompletionChunk.model_validate])
def test_chunks_of_a_chat_with_their_usage(requests, make):
    stream([make(chunk) for chunk in chat_chunks(usage=True)])
    assert counted(requests) == (11, 7)
    assert {"time_to_first_token_ns", "inter_token_ns"} <= requests.marks().keys()
    assert requests.attributes()["gen_ai.response.finish_reasons"] == "stop"
    assert requests.attributes()["gen_ai.server.time_to_first_token"] > 0


def test_without_usage_the_chunks_that_bring_text_are_counted(requests):
    stream(chat_chunks(usage=False))
    (mark,) = [mark for mark in requests.the_one()["marks"] if mark["name"] == "completion_tokens"]
    assert (mark["value"], mark["attrs"]) == (3, {"counted": "chunks"})


def test_the_events_of_a_response(requests):
    deltas = [{"type": "response.output_text.delta", "delta": text} for text in "abc"]
    stream([
        {"type": "response.created", "response": RESPONSE | {"usage": None, "status": "in_progress"}},
        *deltas,
        {"type": "response.completed", "response": RESPONSE},
    ])  # fmt: skip
    assert counted(requests) == (11, 7)
    assert requests.attributes()["gen_ai.response.finish_reasons"] == "completed"
    assert "inter_token_ns" in requests.marks()


def test_the_events_of_a_message(requests):
    begun = MESSAGE | {"content": [], "stop_reason": None, "usage": MESSAGE["usage"] | {"output_tokens": 1}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}}
    ended = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}
    stream([
        RawMessageStartEvent.model_validate({"type": "message_start", "message": begun}),
        RawContentBlockDeltaEvent.model_validate(delta),
        RawContentBlockDeltaEvent.model_validate(delta),
        RawMessageDeltaEvent.model_validate(ended),
    ])  # fmt: skip
    assert counted(requests) == (11, 7)
    assert requests.attributes()["gen_ai.response.model"] == "claude-x"
    assert requests.attributes()["gen_ai.response.finish_reasons"] == "end_turn"


class Output:
    """As vLLM's RequestOutput and CompletionOutput are made."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


def vllm_output(tokens, reason=None):
    completion = Output(index=0, text="x" * tokens, token_ids=list(range(tokens)), finish_reason=reason)
    return Output(request_id="7", prompt="hi", prompt_token_ids=[1, 2, 3], outputs=[completion])


def test_outputs_of_vllm(requests):
    serve([vllm_output(4, "stop"), vllm_output(5, "length")])
    assert counted(requests) == (6, 9)


def test_a_stream_of_vllm_gives_all_that_there_is_each_time(requests):
    stream([vllm_output(1), vllm_output(2), vllm_output(4, "stop")])
    assert counted(requests) == (3, 4)
    assert "inter_token_ns" in requests.marks()


def test_token_ids_are_tokens(requests):
    stream([17, 4, 99])
    assert counted(requests) == (None, 3)
