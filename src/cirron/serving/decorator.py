"""`cirron.inference`. Nothing is imported before something is decorated, for this is part of `import cirron`."""

from __future__ import annotations

TYPE_CHECKING = False  # as in cirron.instance
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar, overload

    F = TypeVar("F", bound=Callable[..., Any])
else:

    def overload(function):  # noqa: ANN001, ANN201, D103 - what `typing` has it do
        return function


@overload
def inference(  # noqa: D103 - an overload
    function: F,
    /,
    *,
    config: Mapping[str, Any] | None = None,
    sample_rate: float | None = None,
    slow_s: float | None = None,
) -> F: ...
@overload
def inference(  # noqa: D103, F811 - an overload
    function: None = None,
    /,
    *,
    config: Mapping[str, Any] | None = None,
    sample_rate: float | None = None,
    slow_s: float | None = None,
) -> Callable[[F], F]: ...
def inference(  # noqa: F811 - what they are for
    function: Any = None,
    /,
    *,
    config: Mapping[str, Any] | None = None,
    sample_rate: float | None = None,
    slow_s: float | None = None,
) -> Any:
    """Record each call of a function as a `request`, with a scope tree of its own.

    The function stays what it is: what it takes, returns, yields and raises, and when it runs. Scopes and marks
    within a call belong to that call alone, whatever else runs at the same time; calls within it are its children. A
    coroutine's request begins when it is first awaited; that of a stream ends when the stream does, is closed, or
    nobody has it any more. Without a session nothing is recorded; that may begin later.

    The scope's attributes are the `function` and the `request_id`: what the call passes as `request_id`, else the
    trace that OpenTelemetry has current, else a new one. `outcome` says how a request ended that did not return:
    `error`, `timeout`, `cancelled` or `closed`. Answers of language models (OpenAI, Anthropic, vLLM, and
    `generate` of Hugging Face) add the marks `prompt_tokens`, `completion_tokens` and `tokens_per_s`, streams
    `time_to_first_token_ns` and `inter_token_ns`; the names that OpenTelemetry has for them are attributes.

    Args:
        function: a function or method of any kind, a callable object, or a class with `__call__`.
        config: `sample_rate` and `slow_s` by name; the arguments go before it.
        sample_rate: the share of requests to keep, from 0 to 1, all by default. It is drawn by the request id, so
            whoever draws at the same rate keeps the same ones. A request that fails is kept in any case.
        slow_s: one that lasts as long is kept in any case too.

    Raises:
        TypeError: `function` cannot be called, or is a class whose objects cannot.

    Example:
        @ci.inference
        async def answer(question: str) -> str:
            with ci.scope("retrieve"):
                documents = await search(question)
            return await ask(question, documents)
    """
    from cirron.serving.wrapping import decorator

    decorate = decorator(config, sample_rate, slow_s)
    return decorate if function is None else decorate(function)
