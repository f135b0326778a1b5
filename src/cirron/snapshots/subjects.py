"""What a snapshot is taken of: the parameters of all models that are watched, each with a name of its own."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from cirron import signals
from cirron.snapshots.parameters import Parameter, is_optimizer, parameters
from cirron.snapshots.variables import is_variable

if TYPE_CHECKING:
    from torch import Tensor

    from cirron.snapshots.variables import Variable

ATTR_TIED = "tied"
ATTR_MODEL = "model"
_ATTR_BYTES = 256  # as for all attributes


@dataclass
class Subject:
    """One parameter of one of the models.

    Attributes:
        name: unlike that of any other.
        own_name: as its model calls it.
        tensor: the parameter.
        model: that it is of: a module, or the optimizer of what no module has.
        attrs: what its snapshots say of it.
    """

    name: str
    own_name: str
    tensor: Tensor | Variable
    model: Any
    attrs: dict[str, Any] = field(default_factory=dict)

    @property
    def is_trained(self) -> bool:
        """Whether it has gradients, or TensorFlow computes them."""
        tensor = self.tensor
        return tensor.trainable if is_variable(tensor) else tensor.requires_grad

    @property
    def version(self) -> tuple[int, int] | None:
        """What changes with the tensor as far as torch sees it, not through `data`; None where nobody can tell."""
        try:
            return id(self.tensor), self.tensor._version  # type: ignore[union-attr]
        except Exception as error:  # variables have none, nor have inference tensors
            if signals.has_raised(error):
                raise
            return None


@dataclass
class _Named:
    """A model, by the names that it has got.

    Attributes:
        of: the model.
        kind: its class.
        label: what tells it from the others; None as long as it was never one of several.
        names: of its parameters, by what it calls them and how many it has called so before.
    """

    of: weakref.ref[Any]
    kind: str
    label: str | None = None
    names: dict[tuple[str, int], str] = field(default_factory=dict)


class Subjects:
    """The parameters of models, each under the same name for as long as its model lives.

    Example:
        >>> [each.name for each in Subjects().of([torch.nn.Linear(2, 2)])]
        ['weight', 'bias']
    """

    def __init__(self) -> None:
        self._named: dict[int, _Named] = {}

    def of(self, models: Sequence[Any]) -> list[Subject]:
        """What several models have is the first one's, and an optimizer's what no module has."""
        shares = _shared_out(models)
        named = [self._known(model) for model, _ in shares]
        if len(shares) > 1:
            _label(named)
        reserved = {name for each in named for name in each.names.values()}
        there: dict[str, Subject] = {}
        for of_model, (model, share) in zip(named, shares, strict=True):
            alike: Counter[str] = Counter()
            for each in share:
                key = each.name, alike[each.name]
                alike[each.name] += 1
                name = of_model.names.get(key)
                # Two that were never looked at together may have got the same.
                if name is None or name in there:
                    name = of_model.names[key] = _new_name(each.name, of_model.label, reserved)
                    reserved.add(name)
                there[name] = Subject(name, each.name, each.tensor, model, _attrs(of_model.label, each))
        return list(there.values())

    def _known(self, model: Any) -> _Named:
        key = id(model)
        known = self._named.get(key)
        if known is None or known.of() is not model:
            reference = weakref.ref(model, lambda _: self._named.pop(key, None))
            known = self._named[key] = _Named(reference, type(model).__name__)
        return known


def _label(models: Sequence[_Named]) -> None:
    """Give those that have none what tells them from the others: the class, with a number if it is not the only one."""
    totals = Counter(each.kind for each in models)
    places: Counter[str] = Counter()
    reserved = {each.label for each in models}
    seen: set[str | None] = {None}
    for each in models:
        numbered = (f"{each.kind}[{number}]" for number in count(places[each.kind]))
        labels = numbered if totals[each.kind] > 1 else chain((each.kind,), numbered)
        if each.label in seen:
            each.label = next(label for label in labels if label not in reserved)
            reserved.add(each.label)
        seen.add(each.label)
        places[each.kind] += 1


def _new_name(own: str, label: str | None, taken: Container[str]) -> str:
    """Its own, or else one with the model's label, or with a number: Keras lets two layers have the same path."""
    name = _encodable(own)
    labelled = name if label is None else f"{label}.{name}"
    numbered = (f"{labelled}#{number}" for number in count(1))
    return next(each for each in chain((name, labelled), numbered) if each not in taken)


def _attrs(label: str | None, parameter: Parameter) -> dict[str, Any]:
    attrs = {ATTR_MODEL: label} if label is not None else {}
    if parameter.other_names:
        names = ", ".join(parameter.other_names).encode(errors="replace")
        attrs[ATTR_TIED] = names[:_ATTR_BYTES].decode(errors="ignore")  # no character is cut in two
    return attrs


def _encodable(name: str) -> str:
    """With `?` for lone surrogates, which UTF-8 does not have, as the core writes the names of scopes."""
    return name.encode(errors="replace").decode()


def _shared_out(models: Sequence[Any]) -> list[tuple[Any, list[Parameter]]]:
    """Each model with what no model before it has; not those to which nothing is left."""
    seen: set[int] = set()
    shares = []
    for model in sorted(models, key=is_optimizer):
        share = [each for each in parameters(model) if id(each.tensor) not in seen]
        seen.update(id(each.tensor) for each in share)
        if share:
            shares.append((model, share))
    return shares
