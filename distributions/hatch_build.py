"""How the published distributions are built: their code stands at the top of the repository.

hatchling takes no file from above a project's folder without a hook. In the repository this one
gives each wheel and sdist its package, the one version, and what the repository's pyproject.toml
says of dependencies, so that a bound stands in one place. An sdist has neither: its pyproject.toml
ends before `MARK`, and hatchling reads the dynamic fields from its PKG-INFO.
"""

from __future__ import annotations

import os
import runpy
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

TOP = Path(__file__).resolve().parent.parent
PYTHON = "Programming Language :: Python"
MARK = "# What follows is for builds in the repository."


class SharedFields(MetadataHookInterface):
    """What all distributions share, and the exact version of what they are built on.

    The hook's table says: `depends`, the extra whose requirements this distribution has (empty:
    the project's own requirements); `on`, another distribution that it needs in the same version;
    `testing`, where the extra `testing` comes from: "own", a distribution's extra, or none;
    `classifiers`, which it has beside those of the Pythons that were tested.
    """

    def update(self, metadata: dict[str, Any]) -> None:
        project = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]
        extras = project["optional-dependencies"]
        version = runpy.run_path(str(TOP / "mimo_core" / "_version.py"))["__version__"]
        metadata["version"] = version
        for field in ("requires-python", "authors"):
            metadata[field] = project[field]
        of_python = [one for one in project["classifiers"] if one.startswith(PYTHON)]
        metadata["classifiers"] = [*self.config["classifiers"], *of_python]
        depends = self.config.get("depends")
        metadata["dependencies"] = [f"{on}=={version}" for on in self.config.get("on", [])]
        if depends is not None:
            metadata["dependencies"] += extras[depends] if depends else project["dependencies"]
        if testing := self.config.get("testing"):
            own = extras["testing"] if testing == "own" else [f"{testing}=={version}"]
            metadata["optional-dependencies"] = {"testing": own}
        if url := os.environ.get("PROJECT_URL"):  # the workflow knows where the repository is
            metadata["urls"] = {
                "Source": url,
                "Changelog": f"{url}/blob/main/CHANGELOG.md",
                "Issues": f"{url}/issues",
            }


class TopPackage(BuildHookInterface):  # type: ignore[type-arg]  # the type of hatchling's settings
    """The package from the top of the repository, and a pyproject.toml that needs no repository."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        package = self.config.get("package")
        if package and version != "editable":
            build_data["force_include"][str(TOP / package)] = package
        if self.target_name == "sdist":
            own = Path(self.root, "pyproject.toml")
            self._folder = tempfile.TemporaryDirectory()
            short = Path(self._folder.name, "pyproject.toml")
            short.write_text(own.read_text("utf-8").partition(MARK)[0], "utf-8")
            del build_data["force_include"][str(own)]
            build_data["force_include"][str(short)] = "pyproject.toml"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if self.target_name == "sdist":
            self._folder.cleanup()
