"""Testing without a key and without network: the emulator, and recorded cassettes.

Names are imported when they are first used: the pytest plugin lives in this package, and loading
it must not cost anything to a test run that does not ask for it.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mimo_core.testing.cassettes.contexts import provenance_of as provenance_of
    from mimo_core.testing.cassettes.contexts import register as register
    from mimo_core.testing.cassettes.contexts import use_cassette as use_cassette
    from mimo_core.testing.cassettes.contexts import vcr_settings as vcr_settings
    from mimo_core.testing.cassettes.ignoring import MatchRule as MatchRule
    from mimo_core.testing.cassettes.ignoring import ignore as ignore
    from mimo_core.testing.cassettes.provenance import Provenance as Provenance
    from mimo_core.testing.emulator import BatchPlan as BatchPlan
    from mimo_core.testing.emulator import FakeMiMo as FakeMiMo
    from mimo_core.testing.emulator import Fault as Fault
    from mimo_core.testing.emulator import ReceivedRequest as ReceivedRequest
    from mimo_core.testing.emulator import RecordedRequest as RecordedRequest
    from mimo_core.testing.emulator import Reply as Reply
    from mimo_core.testing.emulator import Rule as Rule
    from mimo_core.testing.errors import CassetteError as CassetteError
    from mimo_core.testing.errors import NoRecordedAnswer as NoRecordedAnswer
    from mimo_core.testing.live import LiveRequestRefused as LiveRequestRefused
    from mimo_core.testing.live import block as block
    from mimo_core.testing.plugin import fake_mimo_fixture as fake_mimo_fixture

_MODULES = {
    "cassettes.contexts": ("provenance_of", "register", "use_cassette", "vcr_settings"),
    "errors": ("CassetteError", "NoRecordedAnswer"),
    "emulator": ("BatchPlan", "FakeMiMo", "Fault", "ReceivedRequest", "Reply", "Rule"),
    "live": ("LiveRequestRefused", "block"),
    "plugin": ("fake_mimo_fixture",),
    "cassettes.ignoring": ("MatchRule", "ignore"),
    "cassettes.provenance": ("Provenance",),
}
_HOME = {
    name: f"mimo_core.testing.{module}" for module, names in _MODULES.items() for name in names
}

_RENAMED = {"RecordedRequest": "ReceivedRequest"}

__all__ = sorted(_HOME)  # noqa: PLE0605  # a list of texts, which the rule cannot see


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        new = _RENAMED[name]
        message = f"mimo_core.testing.{name} is called {new} now; the old name will be removed."
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        name = new
    if name not in _HOME:
        raise AttributeError(f"module 'mimo_core.testing' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
