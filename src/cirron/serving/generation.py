"""`generate` of Hugging Face: what it is given, what it makes of it, and when a streamer gets the tokens.

Only shapes are looked at, which the host knows; no number is fetched from a device. Rows of a batch that end early are
padded, and the padding counts.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from transformers.generation import utils

from cirron._recorder import current_request
from cirron.hooks.guard import Guard
from cirron.hooks.patches import Patches
from cirron.serving.answer import Answer

if TYPE_CHECKING:
    from cirron._recorder.native import Request
    from cirron.hooks.target import Target
    from cirron.serving.tally import Tally

_is_inside: ContextVar[bool] = ContextVar("cirron_generation", default=False)


class Hooks:
    """See `cirron.hooks.registry.Hooks`."""

    def __init__(self, target: Target) -> None:
        self._guard = Guard("transformers", target.faults)
        self._patches = Patches()

    def install(self) -> None:
        """Begin to record."""
        mixin = utils.GenerationMixin
        self._patches.set(mixin, "generate", _observed(mixin.generate, self._guard))

    def remove(self) -> None:
        """Put the mixin back as it was."""
        self._patches.undo()


def _observed(generate: Callable[..., Any], guard: Guard) -> Callable[..., Any]:
    streamer_at = list(inspect.signature(generate).parameters).index("streamer")

    @functools.wraps(generate)
    def observed(*args: Any, **kwargs: Any) -> Any:
        request = None if _is_inside.get() else current_request()  # a helping model generates inside as well
        tally = None if request is None else guard(request.tally)
        if request is None or tally is None:
            return generate(*args, **kwargs)
        on_token = functools.partial(guard, _add_token, tally, request)
        args, kwargs = _with_timed_streamer(args, kwargs, streamer_at, on_token)
        token = _is_inside.set(True)
        try:
            output = generate(*args, **kwargs)
        finally:
            _is_inside.reset(token)
        guard(lambda: tally.add(_answer(args, kwargs, output)))
        return output

    return observed


def _add_token(tally: Tally, request: Request) -> None:
    tally.generate(request.elapsed_ns())


def _with_timed_streamer(
    args: tuple[Any, ...], kwargs: dict[str, Any], at: int, on_token: Callable[[], object]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments, with a streamer that is timed where there is one."""
    if kwargs.get("streamer") is not None:
        return args, kwargs | {"streamer": _TimedStreamer(kwargs["streamer"], on_token)}
    if len(args) > at and args[at] is not None:
        return (*args[:at], _TimedStreamer(args[at], on_token), *args[at + 1 :]), kwargs
    return args, kwargs


class _TimedStreamer:
    """Tells of each token, and the user's streamer too. The first that comes is the prompt."""

    def __init__(self, streamer: Any, on_token: Callable[[], object]) -> None:
        self._streamer = streamer
        self._on_token = on_token
        self._has_prompt = False

    def put(self, value: Any) -> None:
        if self._has_prompt:
            self._on_token()
        self._has_prompt = True
        self._streamer.put(value)

    def end(self) -> None:
        self._streamer.end()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._streamer, name)


def _answer(args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Answer:
    model = args[0]
    sequences = getattr(output, "sequences", output)
    rows, length = sequences.shape
    given = _given(args, kwargs)
    prompt = None if given is None else given[0] * given[1]
    return Answer(
        prompt_tokens=prompt,
        completion_tokens=rows * (length - _length_before(model, kwargs, given)),
        model=getattr(model.config, "name_or_path", None) or type(model).__name__,
        operation="text_completion",
    )


def _given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, int] | None:
    """Rows and length of the prompt; None where that is no text."""
    named = (kwargs.get(name) for name in ("inputs", "input_ids", "inputs_embeds"))
    given = [each for each in (*args[1:2], *named) if each is not None]
    shape: tuple[int, ...] = given[0].shape if given else ()
    return (int(shape[0]), int(shape[1])) if len(shape) >= 2 else None


def _length_before(model: Any, kwargs: dict[str, Any], given: tuple[int, int] | None) -> int:
    """How much of the output was there before the first token was made."""
    if model.config.is_encoder_decoder:
        begun = kwargs.get("decoder_input_ids")
        return 1 if begun is None else int(begun.shape[1])
    if given is None:
        return 1  # the token that the model begins with
    is_embedded = kwargs.get("inputs_embeds") is not None and kwargs.get("input_ids") is None
    return 0 if is_embedded else given[1]
