"""What a snapshot is taken of: the parameters of all models that are watched, each with a name of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cirron.snapshots.parameters import Parameter, is_optimizer, parameters

if TYPE_CHECKING:
    from torch import Tensor

ATTR_TIED = "tied"
ATTR_MODEL = "model"
_ATTR_CHARACTERS = 256


@dataclass
class Subject:
    """One parameter of one of the models.

    Attributes:
        name: unlike that of any other.
        tensor: the parameter.
        attrs: what its snapshots say of it.
    """

    name: str
    tensor: Tensor
    attrs: dict[str, Any] = field(default_factory=dict)


def subjects(models: Sequence[Any]) -> Iterator[Subject]:
    """The parameters of the models; what several have is the first one's, and an optimizer's what no module has."""
    names: set[str] = set()
    for label, found in _labelled(_shared_out(models)):
        for parameter in found:
            name = f"{label}.{parameter.name}" if parameter.name in names else parameter.name
            names.add(name)
            yield Subject(name, parameter.tensor, _attrs(label, parameter))


def _attrs(label: str | None, parameter: Parameter) -> dict[str, Any]:
    attrs = {ATTR_MODEL: label} if label is not None else {}
    if parameter.other_names:
        attrs[ATTR_TIED] = ", ".join(parameter.other_names)[:_ATTR_CHARACTERS]
    return attrs


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
) -> Iterator[tuple[str | None, list[Parameter]]]:
    """Each share with what tells its model from the others: its class, with a number where it is not the only one."""
    totals = Counter(type(model).__name__ for model, _ in shares)
    numbers: Counter[str] = Counter()
    for model, found in shares:
        label = type(model).__name__
        if totals[label] > 1:
            label, kind = f"{label}[{numbers[label]}]", label
            numbers[kind] += 1
        yield (label if len(shares) > 1 else None), found
