"""What a snapshot is taken of: the parameters of all models that are watched, each with a name of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence
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


def subjects(models: Sequence[Any]) -> Iterator[Subject]:
    """The parameters of the models; what several have is the first one's, and an optimizer's what no module has."""
    names: set[str] = set()
    for label, model, found in _labelled(_shared_out(models)):
        for parameter in found:
            name = _new_name(_encodable(parameter.name), label, names)
            names.add(name)
            yield Subject(name, parameter.name, parameter.tensor, model, _attrs(label, parameter))


def _new_name(name: str, label: str | None, taken: Container[str]) -> str:
    """Its own, or else one with the model's label, or with a number: Keras lets two layers have the same path."""
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


def _labelled(
    shares: Sequence[tuple[Any, list[Parameter]]],
) -> Iterator[tuple[str | None, Any, list[Parameter]]]:
    """Each share with what tells its model from the others: its class, with a number where it is not the only one."""
    totals = Counter(type(model).__name__ for model, _ in shares)
    numbers: Counter[str] = Counter()
    for model, found in shares:
        label = type(model).__name__
        if totals[label] > 1:
            label, kind = f"{label}[{numbers[label]}]", label
            numbers[kind] += 1
        yield (label if len(shares) > 1 else None), model, found
