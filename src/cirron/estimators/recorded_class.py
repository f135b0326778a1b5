"""Classes that do what an estimator's class does, and record it.

An estimator is made to record by giving it such a class, a subclass of the one it had. The estimator still says that
it were of that (`__class__`), and what scikit-learn looks up on a class or on an estimator is found where it was.
"""

from __future__ import annotations

import functools
import inspect
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakValueDictionary

from cirron.estimators.copying import add_copying, record_in_workers, set_class
from cirron.estimators.parts import parts_of
from cirron.estimators.recorded_call import recorded_call

if TYPE_CHECKING:
    from collections.abc import Callable

    from cirron.hooks import Target

    _Around = Callable[[Callable[..., Any]], Callable[..., Any]]

_METHODS = (
    "fit",
    "partial_fit",
    "fit_transform",
    "fit_predict",
    "fit_resample",
    "transform",
    "inverse_transform",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score",
    "score_samples",
)
_KEY = "_cirron_recording"  # on our classes


class Owner(NamedTuple):
    """In whose session estimators record.

    Attributes:
        target: where that is.
        again: in worker processes: called there as `record_in_workers` says; None has nothing recorded there.
    """

    target: Target
    again: Callable[..., Any] | None


class Recording(NamedTuple):
    """What one of our classes is about.

    Attributes:
        kind: the class in whose place it stands.
        owner: in whose session it records.
        part: the estimator's name in the one that it is a part of, such as that of a step in a pipeline.
    """

    kind: type
    owner: Owner
    part: str | None


_classes: WeakValueDictionary[Recording, type] = WeakValueDictionary()


def recording_of(estimator: object) -> Recording | None:
    """None for one that does not record; a subclass that somebody has made of our class counts as such too."""
    recording: Recording | None = vars(type(estimator)).get(_KEY)
    return recording


def turn_into(estimator: Any, owner: Owner, part: str | None) -> None:
    """Have an estimator record for `owner`, under the name that it has as a part of another one."""
    before = recording_of(estimator)
    recording = Recording(type(estimator) if before is None else before.kind, owner, part)
    if before != recording:
        set_class(estimator, _class_for(recording))


def _class_for(recording: Recording) -> type:
    """The same one each time, so that twins are of one class."""
    found = _classes.get(recording)
    if found is None:
        found = _classes[recording] = _make(recording)
    return found


def _make(recording: Recording) -> type:
    kind = recording.kind
    namespace: dict[str, Any] = {
        name: getattr(kind, name) for name in ("__module__", "__qualname__", "__doc__")
    }
    namespace |= {"__slots__": (), "__class__": property(lambda _: kind), _KEY: recording}
    namespace |= _recorded_methods(recording)
    made = _subclass(kind, namespace)
    add_copying(made, kind)
    if recording.owner.again is not None:
        record_in_workers(made, recording.owner.again, recording.part)
    return made


def _subclass(kind: type, namespace: dict[str, Any]) -> type:
    """One that no `__init_subclass__` hears of: what such do to subclasses, or note of them, they have of `kind`.

    It is the first base that is asked for such a method. This one has room for what `kind` has room for, without which
    no object of the one class could become one of the other.
    """
    slots = {"__dict__": kind.__dictoffset__, "__weakref__": kind.__weakrefoffset__}
    silent: Any = type(
        "Silent",
        (),
        {
            "__slots__": [name for name, offset in slots.items() if offset],
            "__init_subclass__": classmethod(lambda _, **__: None),
        },
    )
    made: type = type(kind)(kind.__name__, (silent, kind), namespace)
    del silent.__init_subclass__  # of what others make of ours, `kind` hears
    return made


def _recorded_methods(recording: Recording) -> dict[str, Any]:
    found = {name: inspect.getattr_static(recording.kind, name, None) for name in _METHODS}
    made = {name: _recorded_method(method, _around(recording, name)) for name, method in found.items()}
    return {name: method for name, method in made.items() if method is not None}


def _around(recording: Recording, name: str) -> _Around:
    """A part's scope has the name of the part, so that the steps of a pipeline are told apart."""
    part, attrs = recording.part, {"estimator": recording.kind.__name__}
    return functools.partial(
        recorded_call,
        target=recording.owner.target,
        title=name if part is None else part,
        attrs=attrs if part is None else {"method": name} | attrs,
        before=functools.partial(_record_parts, recording.owner),
    )


def _recorded_method(method: Any, around: _Around) -> Any:
    if isinstance(method, FunctionType):
        return around(method)
    if isinstance(method, (staticmethod, classmethod)) or not hasattr(type(method), "__get__"):
        return None
    return _Conditional(method, around)


def _record_parts(owner: Owner, estimator: Any) -> None:
    """Have the parts of an estimator record; they may be others at each call."""
    try:
        for name, part in parts_of(estimator):
            turn_into(part, owner, name)
    except Exception as error:  # noqa: BLE001 - of a class that nobody here has seen
        owner.target.faults.note("wrap", error, f"parts of {type(estimator).__name__} are not recorded")


class _Conditional:
    """A method that is there under a condition, as those of `available_if` and those that a property gives."""

    def __init__(self, method: Any, around: _Around) -> None:
        self._method = method
        self._around = functools.lru_cache(maxsize=4)(around)

    def __get__(self, estimator: Any, kind: type | None = None) -> Any:
        found = self._method.__get__(estimator, kind)
        if estimator is None or not isinstance(found, MethodType) or found.__self__ is not estimator:
            return found
        return MethodType(self._around(found.__func__), estimator)
