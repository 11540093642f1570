"""Stands in for torchvision, which SGLang imports and its HTTP layer does not use.

PyPI's build of it pulls in CUDA's torch, several gigabytes. transformers looks for it too, and
finds rightly that there is none, because it is imported before.
"""

from __future__ import annotations

import importlib.machinery
import sys
import types

import transformers.image_utils  # noqa: F401  # it decides at its import whether there is one

_NAMES = ("", ".io", ".transforms", ".transforms.functional", ".transforms.v2")


class _Absent(types.ModuleType):
    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


for _name in _NAMES:
    _module = _Absent(f"torchvision{_name}")
    _module.__spec__ = importlib.machinery.ModuleSpec(_module.__name__, None)
    _module.__path__ = []
    sys.modules[_module.__name__] = _module
