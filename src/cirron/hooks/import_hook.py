"""Calls a function once a module has been imported, and leaves the module as if nobody had waited for it."""

from __future__ import annotations

import importlib.util
import sys

TYPE_CHECKING = False  # as in cirron.instance
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class ImportHook:
    """Waits for modules that are not imported yet; it stands in `sys.meta_path` as long as it waits for any.

    It is a finder without the base class of finders, whose module takes longer to import than all of ours.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, Callable[[], None]] = {}

    def wait_for(self, name: str, imported: Callable[[], None]) -> None:
        """Call `imported`, which raises nothing, once the module `name` has been imported in full."""
        self._waiting[name] = imported
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def forget(self, name: str) -> None:
        """Wait no longer for the module `name`."""
        self._waiting.pop(name, None)
        if not self._waiting and self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec that the other finders give, whose loader will tell when it has run the module."""
        imported = self._waiting.pop(fullname, None)
        if imported is None:
            return None
        try:
            spec = importlib.util.find_spec(fullname)  # by the others, as we do not wait for it any more
        finally:
            self._waiting[fullname] = imported
        if spec is not None and spec.loader is not None:
            self._tell_when_loaded(spec)
        return spec

    def _tell_when_loaded(self, spec: ModuleSpec) -> None:
        loader, name = spec.loader, spec.name

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module  # type: ignore[union-attr]  # ours, on the instance
            loader.exec_module(module)  # type: ignore[union-attr]
            imported = self._waiting.get(name)
            self.forget(name)
            if imported is not None:
                imported()

        try:
            loader.exec_module = exec_module  # type: ignore[union-attr,method-assign]
        except AttributeError:  # a loader without room for it: the module comes without its hooks
            self.forget(name)
