"""The parameters of models, each once and under one name: of torch modules, and of Keras on torch and TensorFlow."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from cirron.snapshots.variables import Variable

# Modules that torch wraps around others, so that their parameters get a longer name.
_WRAPPERS = frozenset(("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"))
_REPLICATORS = frozenset(("DistributedDataParallel", "DataParallel"))


@dataclass
class Parameter:
    """A parameter of a model.

    Attributes:
        name: as the model calls it, without the wrappers of torch.
        tensor: the parameter itself: a tensor of torch, or a variable of Keras on TensorFlow.
        other_names: under which the model has it as well.
    """

    name: str
    tensor: Tensor | Variable
    other_names: list[str] = field(default_factory=list)


def parameters(model: Any) -> Iterator[Parameter]:
    """The model's parameters in its own order; what is tied to others comes once, with all its names.

    Args:
        model: a module, or an optimizer, which knows its parameters by their places.

    Example:
        >>> [parameter.name for parameter in parameters(torch.nn.Linear(2, 2))]
        ['weight', 'bias']
    """
    found: dict[int, Parameter] = {}
    for name, tensor in _named(model):
        if id(tensor) in found:
            found[id(tensor)].other_names.append(_plain(name))
        else:
            found[id(tensor)] = Parameter(_plain(name), tensor)
    yield from found.values()


def is_of_keras(model: Any) -> bool:
    """Such a model, on torch, is a module too, but has each parameter under several names of its own."""
    layer = getattr(sys.modules.get("keras"), "Layer", None)
    return layer is not None and isinstance(model, layer)


def is_optimizer(model: Any) -> bool:
    """Whether it knows parameters without their names, so that any model of theirs should be asked first."""
    return not callable(getattr(model, "named_parameters", None)) and hasattr(model, "param_groups")


def _named(model: Any) -> Iterator[tuple[str, Any]]:
    if is_of_keras(model):
        is_torch = sys.modules["keras"].backend.backend() == "torch"
        yield from ((weight.path, weight.value if is_torch else weight) for weight in model.weights)
    elif is_optimizer(model):
        for number, group in enumerate(model.param_groups):
            for place, tensor in enumerate(group["params"]):
                yield f"param_groups[{number}].params[{place}]", tensor
    else:
        yield from _unwrapped(model).named_parameters(remove_duplicate=False)


def _unwrapped(model: Any) -> Any:
    while type(model).__name__ in _REPLICATORS:
        model = model.module
    return model


def _plain(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)
