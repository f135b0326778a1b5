"""How many batches a loader has, as far as that can be asked without consequences."""

from __future__ import annotations

from typing import Any

from torch.utils.data.dataloader import _DatasetKind

_HARMLESS = frozenset({"accelerate", "builtins", "lightning", "pytorch_lightning", "torch", "transformers"})


def batches_in(loader: Any) -> int:
    """How many there are; 0 where nobody knows, or where the answer would take code of the user's.

    torch asks no sampler how long it is. One of the user's may draw its batches to count them, and others from then on.
    """
    if getattr(loader, "_dataset_kind", None) != _DatasetKind.Map:  # others warn later of a wrong answer
        return 0
    try:
        return len(loader) if _is_harmless_to_ask(loader) else 0
    except Exception:  # noqa: BLE001 - a sampler without a length
        return 0


def _is_harmless_to_ask(thing: Any) -> bool:
    """Whether its `__len__`, and those of the samplers that this asks in turn, are a library's."""
    module = getattr(type(thing).__len__, "__module__", "builtins")
    if module.partition(".")[0] not in _HARMLESS:
        return False
    samplers = (getattr(thing, name, None) for name in ("batch_sampler", "sampler"))
    return all(_is_harmless_to_ask(each) for each in samplers if each is not None)
