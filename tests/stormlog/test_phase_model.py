"""Random programs against a plain model of the stacks.

Threads and asyncio tasks enter phases of several sessions, leave any phase that anybody ever entered, create tasks and
reset the recorder, interleaved at random. The model says what each of these must give.
"""

import asyncio
import contextvars
import re
import threading
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from stormlog.phases.runtime import PhaseProtocolError, PhaseRecorder

KEYS = (("s", 0), ("s", 1), ("t", 0))


@dataclass(eq=False)
class Node:
    """A phase that was entered."""

    key: tuple[str, int]
    path: tuple[str, ...]
    actor: "Model"
    state: str = "open"


@dataclass(eq=False)
class Model:
    """What one thread or task knows: its stacks, and all that was entered in its context."""

    thread: object
    seen: list[Node] = field(default_factory=list)
    stacks: dict[tuple[str, int], list[Node]] = field(default_factory=lambda: {key: [] for key in KEYS})

    def enter(self, key, name):
        around = [node for node in self.seen if node.state == "open" and node.key == key]
        parent = (self.stacks[key] or around or [None])[-1]
        node = Node(key, (*parent.path, name) if parent else (name,), self)
        self.seen.append(node)
        self.stacks[key].append(node)
        return node

    def exit(self, node):
        """None if all is well, or what is wrong."""
        if node.actor.thread is not self.thread:
            return "cannot be left from thread"
        if node.state != "open":
            return node.state
        if node.actor is not self:
            return "by another asyncio task"
        if self.stacks[node.key][-1] is not node:
            return "not the innermost"
        self.stacks[node.key].pop()
        node.state = "was left before"
        return None


class Loop:
    """A thread with an event loop, in which tasks do what they are told; by itself it does what a thread does."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._finish())
        self._loop.close()

    async def _finish(self):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def call(self, work):
        """Run `work` outside of any task, always in a context of its own."""
        done = Future()
        self._loop.call_soon_threadsafe(_settle, done, work, context=contextvars.Context())
        return done.result()

    def new_task(self):
        return self.call(self._create)

    def _create(self):
        wishes = asyncio.Queue()
        return Task(self, wishes, self._loop.create_task(_serve(wishes)))


class Task:
    """A task of a loop."""

    def __init__(self, loop, wishes, task):
        self._loop, self._wishes, self._task = loop, wishes, task

    def call(self, work):
        done = Future()
        self._loop.call(lambda: self._wishes.put_nowait((done, work)))
        return done.result()

    def new_task(self):
        return self.call(self._loop._create)


async def _serve(wishes):
    while True:
        _settle(*await wishes.get())


def _settle(done, work):
    try:
        done.set_result(work())
    except Exception as error:
        done.set_exception(error)


STEPS = st.one_of(
    st.tuples(st.just("enter"), st.integers(0, 9), st.sampled_from(KEYS), st.sampled_from("abc")),
    st.tuples(st.just("leave"), st.integers(0, 5)),
    st.tuples(st.just("trespass"), st.integers(0, 9), st.integers(0, 5)),
    st.tuples(st.just("spawn"), st.integers(0, 9)),
    st.tuples(st.just("reset")),
)


class Program:
    """Runs steps on the recorder and on the model side by side."""

    def __init__(self, loops):
        self.recorder = PhaseRecorder()
        self.entered = []
        # In each loop one that is the thread itself, and two tasks; a callback's context lasts no longer than it.
        self.actors = [
            (actor, Model(loop)) for loop in loops for actor in (loop, loop.new_task(), loop.new_task())
        ]

    def step(self, what, *arguments):
        getattr(self, what)(*arguments)

    def enter(self, who, key, name):
        actor, model = self.actors[who % len(self.actors)]
        session, rank = key
        token, boundary = actor.call(lambda: self.recorder.enter(session_id=session, rank=rank, name=name))
        node = model.enter(key, name)
        assert boundary.path == node.path
        self.entered.append((token, node))

    def leave(self, which):
        """Whoever entered a phase leaves it."""
        if self.entered:
            _, node = self.entered[-1 - which % len(self.entered)]
            self._exit(*next(each for each in self.actors if each[1] is node.actor), which)

    def trespass(self, who, which):
        """Anybody tries to."""
        if self.entered:
            self._exit(*self.actors[who % len(self.actors)], which)

    def _exit(self, actor, model, which):
        token, node = self.entered[-1 - which % len(self.entered)]
        expected = model.exit(node)
        seen = actor.call(lambda: self._outcome(token))
        assert re.search(expected, seen) if expected else seen == node.path

    def _outcome(self, token):
        try:
            return self.recorder.exit(token).path
        except PhaseProtocolError as error:
            return str(error)

    def spawn(self, who):
        actor, model = self.actors[who % len(self.actors)]
        is_task = isinstance(actor, Task)
        self.actors.append((actor.new_task(), Model(model.thread, list(model.seen) if is_task else [])))

    def reset(self):
        self.recorder.reset()
        for _, node in self.entered:
            node.state = "entered before reset"
        for _, model in self.actors:
            model.stacks = {key: [] for key in KEYS}


@settings(max_examples=200)
@given(st.lists(STEPS, min_size=20, max_size=60))
def test_the_recorder_does_what_the_model_says(steps):
    with ExitStack() as stack:
        program = Program([stack.enter_context(Loop()) for _ in range(2)])
        for step in steps:
            program.step(*step)
        sequences = [int(token.scope_id.rpartition(":")[2]) for token, _ in program.entered]
        assert sequences == sorted(set(sequences))
