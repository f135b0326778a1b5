"""The modes of torch that a program has switched on: they are not to see what is done with its tensors here."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any


def hidden_from_modes() -> AbstractContextManager[Any]:
    """Hide operations on tensors from all modes of the calling thread; without any, there is nothing to do.

    A `FakeTensorMode` would give us tensors without elements, and a mode of the program's counts what it sees.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return nullcontext()
    if torch._C._len_torch_dispatch_stack() + torch._C._len_torch_function_stack() == 0:
        return nullcontext()
    return _Hidden(torch._C)


class _Hidden:
    """Puts back the modes that it has taken away, whatever happens in between."""

    def __init__(self, torch_c: Any) -> None:
        self._torch = torch_c
        self._back = ExitStack()

    def __enter__(self) -> None:
        try:
            while self._torch._len_torch_dispatch_stack() > 0:
                mode = self._torch._pop_torch_dispatch_stack(None)
                self._back.callback(self._torch._push_on_torch_dispatch_stack, mode)
            while self._torch._len_torch_function_stack() > 0:
                mode = self._torch._pop_torch_function_stack()
                self._back.callback(self._torch._push_on_torch_function_stack, mode)
        except BaseException:
            self._back.close()
            raise

    def __exit__(self, *_: object) -> None:
        self._back.close()
