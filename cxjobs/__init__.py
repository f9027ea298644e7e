"""Tells true customer experience (CX) management jobs from what borrows the name.

The public names are loaded when first used, so that ``import cxjobs`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "CxjobsError": "errors",
    "JobClassifier": "model",
    "load_model": "answer",
}

__all__ = ["CxjobsError", "JobClassifier", "__version__", "load_model"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(f"cxjobs.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'cxjobs' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
