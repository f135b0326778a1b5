"""Taking snapshots: from models to records that a session writes down."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from cirron.faults import Faults
from cirron.snapshots.looks import look_at
from cirron.snapshots.parameters import Parameter, parameters
from cirron.snapshots.watched import Watched
from cirron.spool.records import Snapshot

if TYPE_CHECKING:
    from torch import Tensor

    from cirron._recorder import Recorder

ATTR_FROZEN = "frozen"
ATTR_TIED = "tied"
ATTR_MODEL = "model"
_ATTR_CHARACTERS = 256

State = tuple[int, int]  # what changes when a tensor does


class Taking:
    """The snapshots of one session: the parameters and gradients of the models that are watched.

    What is frozen is looked at once, and again only when somebody has changed it all the same.

    Args:
        watched: the models; some may come and go.
        recorder: writes the records.
        faults: takes whatever goes wrong.
    """

    def __init__(self, watched: Watched, recorder: Recorder, faults: Faults) -> None:
        self._watched = watched
        self._recorder = recorder
        self._faults = faults
        self._frozen: dict[str, State] = {}
        self._encoder = msgspec.json.Encoder()

    def take(self, span_id: str, ts_ns: int) -> None:
        """Look at all there is now; raises nothing but what signal handlers raise.

        Args:
            span_id: the scope that the snapshots belong to.
            ts_ns: the time; both as `Recorder.here` gives them.
        """
        try:
            records = [
                self._encoder.encode(record) for record in self._records(dict(span_id=span_id, ts_ns=ts_ns))
            ]
            if records:
                self._recorder.add_snapshots(records)
        except Exception as error:  # noqa: BLE001 - whatever a model does, the program goes on
            self._faults.note(
                "snapshots", error, "the weights and gradients of this epoch were not looked at"
            )

    def _records(self, place: dict[str, Any]) -> Iterator[Snapshot]:
        seen: set[int] = set()
        names: set[str] = set()
        for label, model in _labelled(self._watched.models()):
            for parameter in parameters(model):
                if id(parameter.tensor) in seen:  # two models share it
                    continue
                seen.add(id(parameter.tensor))
                name = f"{label}.{parameter.name}" if parameter.name in names else parameter.name
                names.add(name)
                attrs = {ATTR_MODEL: label} if label is not None else {}
                yield from self._of_parameter(parameter, name, attrs, place)

    def _of_parameter(
        self, parameter: Parameter, name: str, attrs: dict[str, Any], place: dict[str, Any]
    ) -> Iterator[Snapshot]:
        tensor = parameter.tensor
        if parameter.other_names:
            attrs = attrs | {ATTR_TIED: ", ".join(parameter.other_names)[:_ATTR_CHARACTERS]}
        if tensor.requires_grad:
            self._frozen.pop(name, None)
            yield _record(name, tensor, attrs, place)
        elif self._has_changed(name, tensor):
            yield _record(name, tensor, attrs | {ATTR_FROZEN: True}, place)
        gradient = tensor.grad
        if gradient is not None:
            yield _record(f"{name}.grad", gradient, attrs, place)

    def _has_changed(self, name: str, tensor: Tensor) -> bool:
        """Whether a frozen parameter is another one than when it was looked at, as far as torch can tell."""
        state = _state(tensor)
        if state is not None and self._frozen.get(name) == state:
            return False
        if state is not None:
            self._frozen[name] = state
        return True


def _record(name: str, tensor: Tensor, attrs: dict[str, Any], place: dict[str, Any]) -> Snapshot:
    look = look_at(tensor)
    return Snapshot(
        id=secrets.token_hex(16),
        tensor_name=name,
        shape=look.shape,
        dtype=look.dtype,
        mode="stats",
        stats=look.stats,
        blob_uri=None,
        attrs=attrs | look.attrs,
        **place,
    )


def _state(tensor: Tensor) -> State | None:
    """None where torch cannot tell."""
    try:
        return tensor._version, tensor.data_ptr()
    except Exception:  # noqa: BLE001 - inference tensors have no version, fake ones no address
        return None


def _labelled(models: list[Any]) -> Iterator[tuple[str | None, Any]]:
    """Each model with what tells it from the others: its class, with a number where several are of one class."""
    totals = Counter(type(model).__name__ for model in models)
    numbers: Counter[str] = Counter()
    for model in models:
        label = type(model).__name__
        if totals[label] > 1:
            label, number = f"{label}[{numbers[label]}]", label
            numbers[number] += 1
        yield (label if len(models) > 1 else None), model
