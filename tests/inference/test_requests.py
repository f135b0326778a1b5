"""Each call is a request: a root with an id, what ran in it, and how it ended."""

import asyncio
import concurrent.futures
import contextvars
import gc
import socket
import weakref

import pytest

import cirron as ci
from inference.conftest import tree


@ci.inference
def embed(text):
    with ci.scope("tokenize"):
        ci.mark("length", len(text))
    return text


@ci.inference
async def answer(text):
    with ci.scope("retrieve"):
        await asyncio.sleep(0)
        embed(text)
    return text


def test_scopes_and_marks_of_a_call_are_below_its_request(requests):
    embed("abc")
    assert requests.picture() == tree("""
        request function='embed'
          tokenize | length=3
    """)


def test_a_request_is_a_root_whatever_scope_it_was_called_in(requests):
    with ci.scope("server"):
        embed("a")
        ci.mark("served", 1)
    assert requests.picture() == tree("""
        server | served=1
        request function='embed'
          tokenize | length=1
    """)


def test_a_call_within_a_request_is_its_child(requests):
    asyncio.run(answer("ab"))
    assert requests.picture() == tree("""
        request function='answer'
          retrieve
            request function='embed'
              tokenize | length=2
    """)


def test_tasks_of_a_request_are_in_its_tree(requests):
    @ci.inference
    async def fan_out():
        with ci.scope("fan"):
            await asyncio.gather(answer("a"), asyncio.create_task(answer("b")))

    asyncio.run(fan_out())
    assert requests.picture() == tree("""
        request function='fan_out'
          fan
            request function='answer'
              retrieve
                request function='embed'
                  tokenize | length=1
            request function='answer'
              retrieve
                request function='embed'
                  tokenize | length=1
    """)


def test_a_task_belongs_to_the_request_that_made_it_even_when_it_first_runs_in_the_next(requests):
    made = []

    async def later(number):
        with ci.scope("later", number):
            await asyncio.sleep(0)

    @ci.inference
    def enqueue(number):
        made.append(asyncio.create_task(later(number)))

    @ci.inference
    async def wait():
        with ci.scope("waiting"):
            await asyncio.gather(*made)

    async def one_connection():
        enqueue(0)
        enqueue(1)
        await wait()

    asyncio.run(one_connection())
    assert requests.picture() == tree("""
        request function='enqueue'
          later[0]
        request function='enqueue'
          later[1]
        request function='wait'
          waiting
    """)


def test_work_in_another_thread_is_in_the_tree_when_its_context_goes_along(requests):
    @ci.inference
    async def offload():
        return await asyncio.to_thread(embed, "abc")

    asyncio.run(offload())
    assert requests.picture() == tree("""
        request function='offload'
          request function='embed'
            tokenize | length=3
    """)


def test_a_pools_thread_begins_with_no_request(requests):
    @ci.inference
    def submit(pool):
        return pool.submit(embed, "abc").result()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        submit(pool)
    assert requests.picture() == tree("""
        request function='submit'
        request function='embed'
          tokenize | length=3
    """)


def test_an_epoch_in_a_request_is_the_requests(requests):
    @ci.inference
    def tune():
        for _ in ci.epochs(range(2)):
            pass

    for _ in ci.epochs(range(1)):
        tune()
    assert requests.picture() == tree("""
        epoch[0]
        request function='tune'
          epoch[0]
          epoch[1]
    """)


def test_a_scope_that_a_request_has_left_open_catches_nothing_later(requests):
    kept = []

    @ci.inference
    def forgetful():
        kept.append(ci.scope("left open"))
        kept[0].__enter__()

    with ci.scope("around"):
        forgetful()
        ci.mark("after", 1)
        kept.clear()
    assert requests.picture() == tree("""
        around | after=1
        request function='forgetful'
          left open
    """)


class TestIds:
    def test_each_call_has_an_id_of_its_own(self, requests):
        for _ in range(1000):
            embed("a")
        ids = {node["attrs"]["request_id"] for node in requests.named()}
        assert len(ids) == 1000
        assert all(len(each) == 32 and int(each, 16) for each in ids)

    @pytest.mark.parametrize("how", ["keyword", "position", "default"])
    def test_the_callers_id_is_taken_however_it_is_passed(self, requests, how):
        @ci.inference
        def handle(body, request_id=None):
            return request_id

        call = {
            "keyword": lambda: handle("x", request_id="r-1"),
            "position": lambda: handle("x", "r-1"),
            "default": lambda: handle("x"),
        }[how]
        passed = call()
        recorded = requests.the_one()["attrs"]["request_id"]
        assert recorded == passed if passed else len(recorded) == 32

    def test_the_id_of_a_method_and_of_a_coroutine_is_found_too(self, requests):
        class Model:
            @ci.inference
            async def predict(self, x, request_id):
                return x

        asyncio.run(Model().predict(1, "r-7"))
        assert requests.the_one()["attrs"]["request_id"] == "r-7"

    def test_an_id_of_another_type_is_taken_as_its_text(self, requests):
        @ci.inference
        def handle(request_id):
            return request_id

        assert handle(17) == 17
        assert requests.the_one()["attrs"]["request_id"] == "17"

    def test_the_current_trace_of_opentelemetry_is_the_id(self, requests):
        from opentelemetry.sdk.trace import TracerProvider

        with TracerProvider().get_tracer("test").start_as_current_span("outer") as span:
            embed("a")
        embed("b")
        context = span.get_span_context()
        inside, outside = (node["attrs"] for node in requests.nodes())
        assert inside["request_id"] == f"{context.trace_id:032x}"
        parent = f"{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        assert inside["traceparent"] == f"00-{parent}"
        assert "traceparent" not in outside


class TestEndings:
    def test_an_error_is_named(self, requests):
        @ci.inference
        def fail():
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            fail()
        assert requests.attributes() == {"outcome": "error", "error": "ValueError"}

    def test_a_cancelled_request_says_so(self, requests):
        @ci.inference
        async def endless():
            with ci.scope("waiting"):
                await asyncio.Event().wait()

        async def main():
            task = asyncio.create_task(endless())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

        asyncio.run(main())
        assert requests.picture() == tree("""
            request function='endless' outcome='cancelled' error='CancelledError'
              waiting error='CancelledError'
        """)

    @pytest.mark.parametrize("error", [TimeoutError, socket.timeout, type("ReadTimeout", (Exception,), {})])
    def test_a_timeout_is_told_from_other_errors(self, requests, error):
        @ci.inference
        async def slow():
            raise error("late")

        with pytest.raises(error):
            asyncio.run(slow())
        assert requests.attributes()["outcome"] == "timeout"

    def test_a_timeout_within_the_request_is_one(self, requests):
        @ci.inference
        async def slow():
            async with asyncio.timeout(0):
                await asyncio.Event().wait()

        with pytest.raises(TimeoutError):
            asyncio.run(slow())
        assert requests.attributes() == {"outcome": "timeout", "error": "TimeoutError"}

    def test_a_request_that_is_under_way_when_the_session_ends_is_interrupted(self):
        handle = ci.profile(frameworks=[])

        @ci.inference
        def last():
            with ci.scope("part"):
                pass
            ci.shutdown()
            return "still returned"

        assert last() == "still returned"
        (root,) = handle.trace("dict")["roots"]
        (request,) = root["children"]
        assert (request["name"], [child["name"] for child in request["children"]]) == ("request", ["part"])


class TestInstances:
    def test_an_instance_records_in_its_own_session(self, requests, tmp_path):
        recorder = ci.Cirron(output_dir=tmp_path / "own")

        @recorder.inference
        def own():
            embed("a")
            with recorder.scope("mine"):
                pass

        own()
        recorder.profile(frameworks=[])
        own()
        (request,) = recorder.trace("dict")["roots"][0]["children"]
        recorder.shutdown()
        assert [child["name"] for child in request["children"]] == ["mine"]
        assert requests.picture() == "\n".join([tree("""
            request function='embed'
              tokenize | length=1
        """)] * 2)  # fmt: skip

    def test_two_instances_do_not_see_each_others_requests(self, tmp_path):
        first, second = (ci.Cirron(output_dir=tmp_path / name) for name in ("a", "b"))
        for recorder in (first, second):
            recorder.profile(frameworks=[])

        @first.inference
        @second.inference(sample_rate=1.0)
        def both():
            first.mark("in", 1)
            second.mark("in", 2)

        both()
        for recorder, value in ((first, 1), (second, 2)):
            (request,) = recorder.trace("dict")["roots"][0]["children"]
            assert request["marks"][0]["value"] == value
            recorder.shutdown()


def test_a_function_decorated_before_the_session_is_recorded_in_it():
    before = embed("before")
    ci.profile(frameworks=[])
    embed("within")
    (root,) = ci.trace("dict")["roots"]
    ci.shutdown()
    assert before == "before"
    assert [child["name"] for child in root["children"]] == ["request"]


def test_contexts_that_are_shared_or_changed_keep_requests_apart(requests):
    """As with an event loop that runs several tasks in one context."""

    async def main():
        context = contextvars.copy_context()
        await asyncio.gather(*(asyncio.create_task(answer(str(i)), context=context) for i in range(3)))

    asyncio.run(main())
    assert requests.picture() == "\n".join(
        [tree("""
            request function='answer'
              retrieve
                request function='embed'
                  tokenize | length=1
        """)] * 3
    )  # fmt: skip


def test_a_worker_that_a_request_has_started_begins_requests_of_its_own_later(requests):
    queue = asyncio.Queue()
    started = []

    async def work():
        while True:
            text, done = await queue.get()
            embed(text)
            done.set()

    @ci.inference(sample_rate=0.0)
    async def submit(text):
        if not started:
            started.append(asyncio.create_task(work()))
        await enqueue(text)

    async def enqueue(text):
        done = asyncio.Event()
        queue.put_nowait((text, done))
        await done.wait()

    async def main():
        await submit("while it lasts")
        await enqueue("later")
        started[0].cancel()

    asyncio.run(main())
    assert requests.picture() == tree("""
        request function='embed'
          tokenize | length=5
    """)


def test_a_call_from_a_task_whose_own_request_is_over_is_still_in_that_around_it(requests):
    async def late(go_on):
        await go_on.wait()
        embed("a")

    @ci.inference
    async def inner(go_on):
        return asyncio.create_task(late(go_on))

    @ci.inference
    async def outer():
        go_on = asyncio.Event()
        task = await inner(go_on)
        go_on.set()
        await task

    asyncio.run(outer())
    assert requests.picture() == tree("""
        request function='outer'
          request function='inner'
            request function='embed'
              tokenize | length=1
    """)


def test_requests_that_hand_on_to_the_next_keep_nothing_of_those_before(requests):
    seen = []

    class Token:
        """Dies with the request's function."""

    async def chain(left):
        @ci.inference
        async def step():
            token = Token()
            seen.append(weakref.ref(token))
            task = asyncio.create_task(chain(left - 1)) if left else None
            await asyncio.sleep(0)
            return task

        task = await step()
        if task is not None:
            await task

    asyncio.run(chain(20))
    gc.collect()
    assert len(seen) == 21
    assert not any(ref() for ref in seen)
