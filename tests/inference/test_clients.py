"""OpenAI's client against a server on loopback, and generate() of Hugging Face on a small model."""

import asyncio
import contextvars
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai
import pytest
import torch
from transformers import BartConfig, BartForConditionalGeneration, GPT2Config, GPT2LMHeadModel

import cirron as ci
from inference.test_answers import chat_chunks, counted


class Completions(BaseHTTPRequestHandler):
    """Streams three texts and their usage, whatever it is asked."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for chunk in chat_chunks(usage=True):
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *args):
        pass


@pytest.fixture
def base_url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Completions)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


ASKED = {"model": "gpt-x", "messages": [{"role": "user", "content": "hi"}], "stream": True}


def test_the_stream_that_openais_client_returns_is_part_of_the_request(requests, base_url):
    with openai.OpenAI(base_url=base_url, api_key="k") as client:

        @ci.inference
        def chat():
            return client.chat.completions.create(**ASKED)

        stream = chat()
        assert type(stream) is openai.Stream
        assert requests.marks() == {}
        texts = [chunk.choices[0].delta.content for chunk in stream if chunk.choices]
    assert texts == ["", "a", "b", "c", None]
    assert counted(requests) == (11, 7)
    assert "inter_token_ns" in requests.marks()


def test_the_asynchronous_one_is_too(requests, base_url):
    async def main():
        async with openai.AsyncOpenAI(base_url=base_url, api_key="k") as client:

            @ci.inference
            async def chat():
                return await client.chat.completions.create(**ASKED)

            stream = await chat()
            return type(stream) is openai.AsyncStream, len([chunk async for chunk in stream])

    assert asyncio.run(main()) == (True, 6)
    assert counted(requests) == (11, 7)


TOKENS = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False, "pad_token_id": 0}


@pytest.fixture(scope="module")
def decoder():
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(vocab_size=50, n_positions=32, n_embd=8, n_layer=1, n_head=2)).eval()


@pytest.fixture(scope="module")
def encoder_decoder():
    torch.manual_seed(0)
    sizes = dict.fromkeys(["encoder_layers", "decoder_layers"], 1)
    sizes |= dict.fromkeys(["encoder_attention_heads", "decoder_attention_heads"], 2)
    sizes |= dict.fromkeys(["encoder_ffn_dim", "decoder_ffn_dim", "d_model"], 8)
    return BartForConditionalGeneration(BartConfig(vocab_size=50, max_position_embeddings=32, **sizes)).eval()


@pytest.fixture
def hooked():
    """A session with the hook of `generate`."""
    ci.profile(frameworks=["transformers"])
    yield
    ci.shutdown()


class Collected:
    """A streamer of the user's."""

    def __init__(self):
        self.values = []

    def put(self, value):
        self.values.append(value.tolist())

    def end(self):
        self.values.append("end")


def generated(model, prompt, **options):
    """The tokens of a request, and its marks."""

    @ci.inference
    def generate():
        return model.generate(prompt, **TOKENS, **options)

    output = generate()
    roots = ci.trace("dict")["roots"][0]["children"]
    (request,) = [node for node in roots if node["name"] == "request"]
    return output, {mark["name"]: mark["value"] for mark in request["marks"]}


def test_generate_counts_what_it_is_given_and_what_it_makes(hooked, decoder):
    prompt = torch.tensor([[1, 2, 3], [4, 5, 6]])
    output, marks = generated(decoder, prompt)
    assert torch.equal(output, decoder.generate(prompt, **TOKENS))
    assert (marks["prompt_tokens"], marks["completion_tokens"]) == (6, 8)
    assert "time_to_first_token_ns" not in marks


def test_generate_of_an_encoder_and_decoder_makes_all_but_the_first(hooked, encoder_decoder):
    output, marks = generated(encoder_decoder, torch.tensor([[1, 2, 3]]), return_dict_in_generate=True)
    assert (marks["prompt_tokens"], marks["completion_tokens"]) == (3, output.sequences.shape[1] - 1)


def test_a_streamer_is_timed_and_gets_all_that_it_got_before(hooked, decoder):
    plain, timed = Collected(), Collected()
    prompt = torch.tensor([[1, 2, 3]])
    decoder.generate(prompt, streamer=plain, **TOKENS)
    _, marks = generated(decoder, prompt, streamer=timed)
    assert timed.values == plain.values
    assert (marks["completion_tokens"], "inter_token_ns" in marks) == (4, True)


def test_generate_in_a_thread_of_the_request_counts_for_it(hooked, decoder):
    @ci.inference
    def threaded():
        context = contextvars.copy_context()
        prompt = torch.tensor([[1, 2, 3]])
        thread = threading.Thread(target=lambda: context.run(decoder.generate, prompt, **TOKENS))
        thread.start()
        thread.join()

    threaded()
    roots = ci.trace("dict")["roots"][0]["children"]
    marks = {mark["name"]: mark["value"] for mark in roots[0]["marks"]}
    assert marks["completion_tokens"] == 4


def test_the_hook_leaves_nothing_behind(decoder):
    before = vars(_mixin())["generate"]
    ci.profile(frameworks=["transformers"])
    during = vars(_mixin())["generate"]
    ci.shutdown()
    assert vars(_mixin())["generate"] is before is not during


def _mixin():
    from transformers.generation.utils import GenerationMixin

    return GenerationMixin
