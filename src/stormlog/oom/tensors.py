"""The largest tensors that are alive."""

from __future__ import annotations

import gc
import sys
from typing import Any

MOST = 50


def largest_tensors() -> list[dict[str, Any]]:
    """Of torch's tensors that the garbage collector knows, one for each storage, the largest first.

    Only facts are kept, never a tensor; what C++ alone holds, such as what a backward pass needs, is not among them.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return []
    by_storage: dict[tuple[str, int], dict[str, Any]] = {}
    for candidate in gc.get_objects():
        if issubclass(type(candidate), torch.Tensor) and (facts := _facts(candidate)) is not None:
            by_storage.setdefault((facts["device"], facts.pop("address")), facts)
    return sorted(by_storage.values(), key=lambda facts: -int(facts["storage_bytes"]))[:MOST]


def _facts(tensor: Any) -> dict[str, Any] | None:
    try:
        storage = tensor.untyped_storage()
        return {
            "address": storage.data_ptr(),
            "storage_bytes": storage.nbytes(),
            "shape": list(tensor.shape),
            "dtype": str(tensor.dtype),
            "device": str(tensor.device),
            "requires_grad": tensor.requires_grad,
            "type": type(tensor).__qualname__,
        }
    except (RuntimeError, NotImplementedError):  # sparse, on the meta device, or a subclass without a storage
        return None
