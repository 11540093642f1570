"""Record our cassettes over real HTTP: `make record`.

Without a key the emulator answers (provenance: emulator), and recording again changes nothing.
With `--live` and MIMO_API_KEY the service does (provenance: live): at MIMO_BASE_URL, or at Xiaomi;
what only the emulator can show is left as it is.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from fnmatch import fnmatch
from pathlib import Path

from mimo_core.gateways import Endpoint
from mimo_core.testing import FakeMiMo, use_cassette
from scripts.scenarios.base import Gateway, Scenario
from scripts.scenarios.catalog import all_scenarios

CASSETTES = Path(__file__).resolve().parent.parent / "cassettes"


def main() -> int:
    """The exit code is 1 where `--live` has no key."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["*"], help="scenarios, e.g. 'tools/*'")
    parser.add_argument("--live", action="store_true", help="ask the service; needs MIMO_API_KEY")
    parser.add_argument("--into", type=Path, default=CASSETTES, help="folder of the cassettes")
    options = parser.parse_args()
    if options.live and not os.environ.get("MIMO_API_KEY"):
        sys.stderr.write("--live needs MIMO_API_KEY; without --live the emulator answers.\n")
        return 1
    for scenario in all_scenarios():
        if any(fnmatch(scenario.name, name) for name in options.names):
            path = options.into / f"{scenario.name}.yaml"
            with contextlib.redirect_stdout(sys.stderr):
                done = record_live(scenario, path) if options.live else record(scenario, path)
            sys.stdout.write(f"{'recorded' if done else 'skipped '}  {path}\n")
    return 0


def record(scenario: Scenario, path: Path) -> bool:
    """Record with the emulator's answers."""
    with FakeMiMo(**scenario.emulator) as mimo:
        mimo.queue(*scenario.replies)
        mimo.batches.queue(*scenario.batches)
        with use_cassette(path, record_mode="rewrite", note=scenario.note):
            scenario.run(Gateway(mimo.base_url, "sk-of-the-emulator"))
        if mimo.problems:
            raise SystemExit("\n".join([f"{scenario.name}:", *mimo.problems]))
    return True


def record_live(scenario: Scenario, path: Path) -> bool:
    """Record with the service's answers, where this gateway can give them."""
    endpoint = Endpoint.resolve()
    at_cloudsway = endpoint.gateway is not None and endpoint.gateway.name == "cloudsway"
    if scenario.at != ("cloudsway" if at_cloudsway else "xiaomi"):
        return False
    gateway = Gateway(
        endpoint.base_url,
        endpoint.api_key or "",
        os.environ.get("CLOUDSWAY_ENDPOINT_PATH", Gateway.endpoint_path),
    )
    with use_cassette(path, record_mode="rewrite", note=scenario.note):
        scenario.run(gateway)
    return True


if __name__ == "__main__":
    sys.exit(main())
