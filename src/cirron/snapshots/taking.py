"""Taking snapshots: from models to records that a session writes down."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Container, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from cirron import signals
from cirron.faults import Faults
from cirron.snapshots.frozen import Frozen
from cirron.snapshots.gradients import Gradients
from cirron.snapshots.keep import ONLY_STATS, Keep
from cirron.snapshots.looks import Look, look_at
from cirron.snapshots.modes import hidden_from_modes
from cirron.snapshots.movement import Movement
from cirron.snapshots.on_devices import OnDevices
from cirron.snapshots.progress import Progress, stepped, trained
from cirron.snapshots.sharing import Sharing
from cirron.snapshots.subjects import Subject, Subjects
from cirron.snapshots.summary import GRAD_NORM, UPDATE_RATIO, FirstNonfinite, global_norm
from cirron.snapshots.value_files import ATTR_SKIPPED, GRADIENTS, TOO_SLOW, WEIGHTS, Entry, Lot
from cirron.snapshots.watched import Watched
from cirron.spool.records import Snapshot

if TYPE_CHECKING:
    from torch import Tensor

    from cirron._recorder import Recorder
    from cirron.snapshots.value_files import ValueFiles
    from cirron.snapshots.variables import Variable

PLACE = "snapshots"  # where faults are counted
ATTR_FROZEN = "frozen"

Divisors = Callable[[], dict[int, float]]


class Taking:
    """The snapshots of one session: the parameters and gradients of the models that are watched.

    What is frozen is looked at once, and again only when somebody has changed it all the same. Threads look one after
    another, each at the models that are its own to look at.

    Args:
        watched: the models that the user has named; some may come and go.
        recorder: writes the records.
        faults: takes whatever goes wrong.
        keep: which values it copies.
        files: writes what it copies.

    Attributes:
        found: models that hooks have come by.
        divisors: by what gradients are to be divided at the moment, by the ids of their parameters; None for nothing.
    """

    def __init__(
        self,
        watched: Watched,
        recorder: Recorder,
        faults: Faults,
        keep: Keep = ONLY_STATS,
        files: ValueFiles | None = None,
    ) -> None:
        self.found = Watched()
        self.divisors: Divisors | None = None
        self._watched = watched
        self._recorder = recorder
        self._faults = faults
        self._keep = self._keep_now = keep
        self._files = files
        self._lock = threading.RLock()  # reentrant: a signal handler may name a model while its thread looks
        self._sharing = Sharing(watched, self.found)
        self._named = Subjects()
        self._frozen = Frozen()
        self._on_devices = OnDevices()
        self._gradients = Gradients(self._divisor, self._on_devices)
        self._divided_by: dict[int, float] = {}
        self._movement = Movement()
        self._progress = Progress(self._movement)
        self._nonfinite_gradient = FirstNonfinite()
        self._nonfinite_parameter = FirstNonfinite()

    def begin(self) -> None:
        """Remember the weights of models that are new, to tell later how far they have come."""
        try:
            with self._lock, hidden_from_modes():
                self._movement.begin(trained(self._subjects()))
        except Exception as error:  # noqa: BLE001 - whatever a model does, the program goes on
            self._note(error, "how far the weights come in this epoch will not be known")

    def keep_gradients(self, only: Container[int] | None = None) -> None:
        """Look at gradients that may be gone when the epoch ends; raises nothing but what signal handlers raise.

        Args:
            only: the ids of their parameters; None for all.
        """
        try:
            with self._lock, hidden_from_modes():
                self._keep_gradients(only)
        except Exception as error:  # noqa: BLE001 - as above
            self._note(error, "the gradients of this step were not looked at")

    def take(self, span_id: str, ts_ns: int) -> None:
        """Look at all there is now, at the end of an epoch; raises nothing but what signal handlers raise.

        Args:
            span_id: the scope that the snapshots belong to.
            ts_ns: the time; both as `Recorder.here` gives them.
        """
        try:
            with self._lock, hidden_from_modes():
                self._take(dict(span_id=span_id, ts_ns=ts_ns))
        except Exception as error:  # noqa: BLE001 - as above
            self._note(error, "the weights and gradients of this epoch were not looked at")

    def _note(self, error: Exception, consequence: str) -> None:
        if signals.has_raised(error):
            raise error
        self._faults.note(PLACE, error, consequence)

    def _keep_gradients(self, only: Container[int] | None) -> None:
        if only is not None:
            self._sharing.claim(only)
        self._prepare()
        seen = self._gradients.keep(self._subjects(), only)
        self._on_devices.fetch()
        self._nonfinite_gradient.see(_gradients(seen), self._recorder.mark)

    def _take(self, place: dict[str, Any]) -> None:
        self._sharing.end_epoch()
        self._prepare()
        all_here = self._subjects()
        there = self._without_idle(all_here)
        gradients = [(each, look) for each in there if (look := self._gradients.look(each)) is not None]
        weights = [(each, self._weight(each)) for each in self._without_known(there)]
        self._on_devices.fetch()
        gradients = [(each, self._gradients.unless_cleared(each, look)) for each, look in gradients]
        self._gradients.forget(all_here)
        self._frozen.forget_all_but(all_here)
        self._movement.forget_all_but(all_here)
        self._deliver(
            place["span_id"],
            [
                *(self._entry(each.name, each, look, WEIGHTS, place) for each, look in weights),
                *(self._entry(f"{each.name}.grad", each, look, GRADIENTS, place) for each, look in gradients),
            ],
        )
        mark = partial(self._recorder.mark_at, place["span_id"])
        self._nonfinite_gradient.see(_gradients(gradients), _as_point(mark))
        self._nonfinite_parameter.see(((each.name, look) for each, look in weights), _as_point(mark))
        self._summarize(mark, there, [look for _, look in gradients])

    def _prepare(self) -> None:
        """Find out what holds for this look: how gradients are scaled, and whether values can be kept."""
        self._divided_by = self.divisors() if self.divisors is not None else {}
        has_room = self._files is None or self._files.has_room()
        self._gradients.keeping = self._keep_now = self._keep if has_room else ONLY_STATS

    def _is_skipping(self) -> bool:
        return self._keep_now != self._keep

    def _subjects(self) -> list[Subject]:
        return self._named.of(self._sharing.models())

    def _without_idle(self, there: list[Subject]) -> list[Subject]:
        """Not the parameters of models that hooks have found in a training that is over."""
        found = self.found.models()
        learning = self._progress.learning([each for each in there if _is_in(found, each.model)])
        wanted = [*self._watched.models(), *learning]
        return [each for each in there if _is_in(wanted, each.model)]

    def _divisor(self, parameter: Tensor | Variable) -> float:
        return self._divided_by.get(id(parameter), 1.0)

    def _without_known(self, there: list[Subject]) -> list[Subject]:
        """Not the frozen parameters that are what they were when they were looked at."""
        changed = {id(each) for each in self._frozen.changed(there)}
        return [each for each in there if each.is_trained or id(each) in changed]

    def _weight(self, subject: Subject) -> Look:
        look = look_at(subject.tensor, self._on_devices, self._keep_now)
        if not subject.is_trained:
            look.attrs[ATTR_FROZEN] = True
        return look

    def _entry(self, name: str, of: Subject, look: Look, file: str, place: dict[str, Any]) -> Entry:
        is_skipped = look.values is None and self._is_skipping()
        snapshot = Snapshot(
            id=os.urandom(16).hex(),
            tensor_name=name,
            shape=look.shape,
            dtype=look.dtype,
            mode="stats",
            stats=look.stats,
            blob_uri=None,
            attrs=of.attrs | look.attrs | ({ATTR_SKIPPED: TOO_SLOW} if is_skipped else {}),
            **place,
        )
        return Entry(snapshot, file, look.values)

    def _deliver(self, span_id: str, entries: list[Entry]) -> None:
        if self._files is not None and self._is_skipping():
            self._files.count_skip()
        if self._files is not None and any(each.values is not None for each in entries):
            self._files.offer(Lot(span_id, self._keep.mode, entries))
        elif entries:
            self._recorder.add_snapshots([msgspec.json.encode(each.snapshot) for each in entries])

    def _summarize(
        self, mark: Callable[[str, float, bool], None], there: list[Subject], gradients: list[Look]
    ) -> None:
        for name, value in (
            (GRAD_NORM, global_norm(gradients)),
            (UPDATE_RATIO, self._movement.ratio(stepped(there, self._sharing.models()))),
        ):
            if value is not None:
                mark(name, value, True)  # noqa: FBT003 - as native functions have it


def _gradients(looks: Iterable[tuple[Subject, Look]]) -> Iterable[tuple[str, Look]]:
    return ((f"{each.name}.grad", look) for each, look in looks)


def _is_in(models: Iterable[Any], model: object) -> bool:
    return any(each is model for each in models)  # a model may say what is equal to it


def _as_point(mark: Callable[[str, float | str, bool], None]) -> Callable[[str, str], None]:
    return lambda name, value: mark(name, value, False)  # noqa: FBT003 - as above
