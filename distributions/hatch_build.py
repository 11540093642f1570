"""Metadata of the two names to install: their version, and the exact one of what they install."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_VERSION_FILE = Path(__file__).parent.parent / "mimo_core" / "_version.py"


class VersionHook(MetadataHookInterface):
    """Fills in `version` and `dependencies` from `mimo_core/_version.py`."""

    def update(self, metadata: dict[str, Any]) -> None:
        version = runpy.run_path(str(_VERSION_FILE))["__version__"]
        metadata["version"] = version
        metadata["dependencies"] = [f"mimo-plugins[{self.config['extra']}]=={version}"]
