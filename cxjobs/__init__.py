"""Tells true customer experience (CX) management jobs from what borrows the name.

The public names are loaded when first used, so that ``import cxjobs`` costs nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "CxjobsError": "errors",
    "JobClassifier": "model",
    "load_model": "answer",
    "survey": "study",
}

__all__ = ["CxjobsError", "JobClassifier", "__version__", "load_model", "survey"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(f"cxjobs.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'cxjobs' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """Keeps a public name from becoming the module of the same name when that is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _PUBLIC and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
