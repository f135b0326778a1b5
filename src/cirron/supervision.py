"""The background threads of a session: started, watched, replaced when they die, and stopped in bounded time.

A thread runs a task: it waits for something to do, does one round of it, and waits again. An error that gets
out of a round ends the thread; the supervisor starts another after a pause that doubles with each death.
A thread that dies too often takes the session into spool-only mode: only the tasks that write to the disk
are started again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from cirron.bell import Bell
from cirron.faults import Faults

WATCH_S = 0.5
HANG_S = 60.0
MAX_DEATHS = 3
DEATHS_WITHIN_S = 60.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 30.0
PAUSE_S = 0.1  # for a thread to get out of the way of a fork

THREADS = "threads"  # the place of faults with starting threads
NOT_STARTED = "a thread could not be started, so call cirron.flush() now and then; the end writes the rest"


class Task(Protocol):
    """What a supervised thread does."""

    @property
    def name(self) -> str:
        """The thread is called `cirron-<name>`."""

    @property
    def keeps_disk(self) -> bool:
        """Whether it goes on in spool-only mode."""

    def wait(self) -> None:
        """Return when there is something to do, when `wake` was called, or after a while."""

    def wake(self) -> None:
        """End a wait early; callable from any thread and any signal handler."""

    def work(self) -> None:
        """One round."""

    def has_more(self) -> bool:
        """Whether another round at once would bring the work forward; asked when the session ends."""

    def interrupt(self) -> None:
        """A round has lasted too long: bring it to an end, if there is a way."""


class _Post:
    """One task, the thread that does it now, and the deaths of those before."""

    def __init__(self, task: Task, faults: Faults) -> None:
        self.task = task
        self.respawn_at_s: float | None = None
        self.hang_said = False
        self.dismissed = False
        self._faults = faults
        self._finishing = False
        self._paused = False
        self._has_paused = False
        self._busy_since_s: float | None = None
        self._deaths: deque[float] = deque(maxlen=MAX_DEATHS)
        self._thread: threading.Thread | None = None

    @property
    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def is_elsewhere(self) -> bool:
        """Whether the thread is there, and not the calling one."""
        return self.is_alive and self._thread is not threading.current_thread()

    @property
    def busy_s(self) -> float:
        """For how long the present round has lasted."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    @property
    def dies_too_often(self) -> bool:
        return len(self._deaths) == MAX_DEATHS and self._deaths[-1] - self._deaths[0] <= DEATHS_WITHIN_S

    @property
    def state(self) -> str:
        if self.is_alive:
            return f"hung for {self.busy_s:.0f} s" if self.busy_s > HANG_S else "running"
        return "ended" if self.dismissed else "dead"

    def start(self) -> None:
        """Run the task in a new thread; without a thread to be had, that counts as a death."""
        self.respawn_at_s = None
        self._busy_since_s = None
        thread = threading.Thread(target=self._run, name=f"cirron-{self.task.name}", daemon=True)
        self._thread = thread  # known before its first round, which may be over when `start` returns
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:
            self._faults.note(THREADS, error, NOT_STARTED)
            return
        self._faults.over(THREADS)

    def count_death(self) -> None:
        """Note that the thread is gone, and when there shall be another."""
        now_s = time.monotonic()
        self._deaths.append(now_s)
        in_a_row = sum(now_s - death_s <= DEATHS_WITHIN_S for death_s in self._deaths)
        pause_s = FIRST_PAUSE_S * 4 ** (in_a_row - 1) if in_a_row < MAX_DEATHS else LONGEST_PAUSE_S
        self.respawn_at_s = now_s + pause_s

    def dismiss(self, *, finish: bool) -> None:
        """Ask the thread to end: after this round, or with `finish` once there is nothing left to do."""
        self._finishing = finish
        self.dismissed = True
        self.task.wake()

    def join(self, timeout_s: float) -> bool:
        """Whether the thread has ended within that time; True in the thread itself, which is on its way."""
        if self._thread is None or not self.is_elsewhere:
            return True
        self._thread.join(max(0.0, timeout_s))
        return not self.is_alive

    def _run(self) -> None:
        try:
            while self._goes_on():
                if not self.dismissed:
                    self.task.wait()
                if self._goes_on():
                    self._busy_since_s = time.monotonic()
                    self.task.work()
                    self._busy_since_s = None
        except BaseException as error:  # noqa: BLE001 - nothing of ours may reach threading.excepthook
            self._faults.note(
                self.task.name,
                error,
                f"the {self.task.name} thread died and is replaced; nothing recorded is lost meanwhile",
            )

    def _goes_on(self) -> bool:
        if self._paused:
            self._has_paused = True
            return False
        return not self.dismissed or (self._finishing and self.task.has_more())

    def pause(self) -> None:
        """Ask the thread to end, until `resume`."""
        self._paused = True
        self.task.wake()

    def resume(self) -> None:
        """Go on after `pause`, with a new thread unless the old one did not come to its end."""
        self._paused = False
        if not self.dismissed and self._has_paused:
            self.join(PAUSE_S)
            self._has_paused = False
            self.start()


class _Watch:
    """The task that watches all others: replaces what died, and reports what hangs."""

    name = "supervisor"
    keeps_disk = True

    def __init__(self, posts: list[_Post], faults: Faults) -> None:
        self.degraded: str | None = None
        self._posts = posts
        self._faults = faults
        self._bell = Bell()

    def wait(self) -> None:
        self._bell.wait(WATCH_S)

    def wake(self) -> None:
        self._bell.ring()

    def has_more(self) -> bool:
        return False

    def interrupt(self) -> None:
        """Nobody watches the one that watches."""

    def work(self) -> None:
        for post in self._posts:
            if post.dismissed:
                continue
            if not post.is_alive:
                self._replace(post)
            elif post.busy_s > HANG_S:
                self._report_hang(post)

    def _replace(self, post: _Post) -> None:
        if post.respawn_at_s is None:
            post.count_death()
            if post.dies_too_often:
                self._degrade(post)
        elif time.monotonic() >= post.respawn_at_s:
            post.start()

    def _degrade(self, died: _Post) -> None:
        if self.degraded is None:
            self.degraded = f"the {died.task.name} thread died {MAX_DEATHS} times in {DEATHS_WITHIN_S:.0f} s"
            self._faults.warn(
                f"{self.degraded}: until the process restarts, traces go to the spool only; "
                "`cirron spool flush` sends them later"
            )
        for post in self._posts:
            if not post.task.keeps_disk:
                post.dismiss(finish=False)

    def _report_hang(self, post: _Post) -> None:
        post.task.interrupt()
        if post.hang_said:
            return
        post.hang_said = True
        self._faults.warn(
            f"the {post.task.name} thread has been busy for {post.busy_s:.0f} s; recording goes on, and "
            "cirron.health()['threads'] tells when it is back"
        )


class Supervisor:
    """Keeps a session's threads at work.

    Args:
        tasks: each gets a thread of its own, at once.
        faults: takes what goes wrong.
    """

    def __init__(self, tasks: Iterable[Task], faults: Faults) -> None:
        self._posts = [_Post(task, faults) for task in tasks]
        self._watch = _Watch(self._posts, faults)
        self._watch_post = _Post(self._watch, faults)
        for post in (*self._posts, self._watch_post):
            post.start()

    @property
    def degraded(self) -> str | None:
        """Why the session is in spool-only mode; None while it is not."""
        return self._watch.degraded

    def stop_watching(self, timeout_s: float) -> None:
        """From here on a thread that dies is not replaced; comes before `stop`."""
        self._watch_post.dismiss(finish=False)
        self._watch_post.join(timeout_s)

    def stop(self, task: Task, timeout_s: float, *, finish: bool = False) -> bool:
        """End the thread of a task.

        Args:
            task: one of the tasks.
            timeout_s: how long to wait for the thread; afterwards it is left to itself.
            finish: let it first do what is left, as far as time allows.

        Returns:
            Whether the thread has ended.
        """
        post = self._post_of(task)
        post.dismiss(finish=finish)
        return post.join(timeout_s)

    def let_go(self) -> None:
        """Have all threads end after the round they are in, and wait for none."""
        for post in (self._watch_post, *self._posts):
            post.dismiss(finish=False)

    def does(self, task: Task) -> bool:
        """Whether there is a thread for the task, other than the calling one."""
        return self._post_of(task).is_elsewhere

    def _post_of(self, task: Task) -> _Post:
        return next(post for post in self._posts if post.task is task)

    def pause(self) -> None:
        """End all threads for a moment, but for those that are in the middle of something."""
        posts = [post for post in (self._watch_post, *self._posts) if post.busy_s == 0]
        for post in posts:
            post.pause()
        deadline_s = time.monotonic() + PAUSE_S
        for post in posts:
            post.join(deadline_s - time.monotonic())

    def resume(self) -> None:
        """The opposite of `pause`."""
        for post in (*self._posts, self._watch_post):
            post.resume()

    def threads(self) -> int:
        """How many threads are there."""
        return sum(post.is_alive for post in (*self._posts, self._watch_post))

    def states(self) -> dict[str, str]:
        """For each task by name `running`, `dead`, `ended`, or how long it has been hung."""
        return {post.task.name: post.state for post in self._posts}
