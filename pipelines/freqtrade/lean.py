"""Puts off what freqtrade imports and hardly anybody uses; whoever uses it still gets it.

Half of the time that freqtrade takes to be imported goes into the classes of a hundred exchanges
and into scipy's statistics. Call `lean` before freqtrade is imported.
"""

import importlib
import sys
from types import ModuleType

from pipelines.freqtrade import exchanges


def lean() -> None:
    """Make the imports that follow in this process lean ones."""
    exchanges.put_off()
    scipy = importlib.import_module("scipy")
    if "scipy.stats" not in sys.modules:
        scipy.stats = _Later("scipy.stats")  # type: ignore[attr-defined] # as if imported


class _Later(ModuleType):
    """Stands where a package keeps a module, which is imported when something in it is asked for.

    `import` statements don't find this stand-in, and put the module itself in its place.
    """

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)
