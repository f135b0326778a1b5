"""In what surroundings a process ran, as far as they bear on its memory."""

from __future__ import annotations

import os
import platform
import resource
import sys
from typing import Any

_PREFIXES = (
    "PYTORCH_",
    "CUDA_",
    "NVIDIA_",
    "HIP_",
    "ROCR_",
    "NCCL_",
    "OMP_",
    "MKL_",
    "MALLOC_",
    "TF_",
    "XLA_",
)
_NAMES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "PYTHONMALLOC", "LD_PRELOAD")  # nothing that may be a secret
_LIMITS = ("RLIMIT_AS", "RLIMIT_DATA", "RLIMIT_RSS", "RLIMIT_STACK", "RLIMIT_MEMLOCK")
_FRAMEWORKS = ("torch", "tensorflow", "jax", "numpy")


def environment() -> dict[str, Any]:
    """Versions, limits, and the variables that allocators and frameworks listen to."""
    return {
        "python": sys.version,
        "platform": platform.platform(),
        "argv": [part[:500] for part in sys.argv[:1]],  # the rest may hold secrets
        "versions": {name: _version(name) for name in _FRAMEWORKS if name in sys.modules},
        "limits": {
            name: resource.getrlimit(getattr(resource, name)) for name in _LIMITS if hasattr(resource, name)
        },
        "variables": {
            name: value[:500] for name, value in sorted(os.environ.items()) if _bears_on_memory(name)
        },
    }


def _bears_on_memory(name: str) -> bool:
    return name in _NAMES or name.startswith(_PREFIXES)


def _version(module: str) -> str:
    return str(getattr(sys.modules[module], "__version__", "?"))
