"""Metadata of the names to install: their version, and the exact one of what they install."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_VERSION_FILE = Path(__file__).parent.parent / "mimo_core" / "_version.py"


class VersionHook(MetadataHookInterface):
    """Fills in what `mimo_core/_version.py` and the project's own table say.

    `extra` names what of mimo-plugins is installed, `extras` what can be asked for beside it:
    `langchain-mimo[testing]` is `mimo-plugins[langchain,testing]`.
    """

    def update(self, metadata: dict[str, Any]) -> None:
        version = runpy.run_path(str(_VERSION_FILE))["__version__"]
        extra = self.config["extra"]
        metadata["version"] = version
        metadata["dependencies"] = [f"mimo-plugins[{extra}]=={version}"]
        if extras := self.config.get("extras"):
            metadata["optional-dependencies"] = {
                name: [f"mimo-plugins[{extra},{name}]=={version}"] for name in extras
            }
