"""The model table: every documented id, and an entry for whatever comes."""

from __future__ import annotations

import pytest

from mimo_core import MODELS, model_info
from mimo_core.models import price, usd

SEEDED = {
    "mimo-v2.5-pro",
    "mimo-v2.5",
    "mimo-v2-pro",
    "mimo-v2-omni",
    "mimo-v2-flash",
    "mimo-v2.5-tts",
    "mimo-v2.5-tts-voicedesign",
    "mimo-v2.5-tts-voiceclone",
    "mimo-v2-tts",
}
NEWER = {"mimo-v2.6-pro", "mimo-v2.6-pro-ultraspeed", "mimo-v2.6-flash", "mimo-v2.5-asr"}


def test_every_published_id_is_there_under_its_own_name() -> None:
    assert set(MODELS) == SEEDED | NEWER
    assert all(info.id == name and info.known for name, info in MODELS.items())


@pytest.mark.parametrize(
    ("id", "kind", "inputs", "context", "output"),
    [
        ("mimo-v2.6-pro", "chat", "text image audio video", 1_048_576, 131_072),
        ("mimo-v2.6-flash", "chat", "text image audio video", 1_048_576, 131_072),
        ("mimo-v2.5-pro", "chat", "text", 1_048_576, 131_072),
        ("mimo-v2.5", "chat", "text image audio video", 1_048_576, 131_072),
        ("mimo-v2-pro", "chat", "text", 1_048_576, 131_072),
        ("mimo-v2-omni", "chat", "text image audio video", 262_144, 131_072),
        ("mimo-v2-flash", "chat", "text", 262_144, 131_072),
        ("mimo-v2.5-tts", "tts", "text", None, 8_192),
        ("mimo-v2.5-tts-voiceclone", "tts", "text audio", None, 8_192),
        ("mimo-v2.5-asr", "asr", "audio", None, 8_192),
    ],
)
def test_capabilities(id: str, kind: str, inputs: str, context: int | None, output: int) -> None:
    info = model_info(id)
    assert info.kind == kind
    assert info.inputs == set(inputs.split())
    assert info.context_window == context
    assert info.max_output == output


@pytest.mark.parametrize(
    ("spelling", "entry"),
    [
        ("mimo-v2.5-pro[1m]", "mimo-v2.5-pro"),
        ("xiaomi/mimo-v2.5-pro", "mimo-v2.5-pro"),
        ("MiMo-V2.5-Pro", "mimo-v2.5-pro"),
        ("MaaS_Mimo_V2.5_20260423", "mimo-v2.5"),
        ("MaaS_Mimo_V2.5_pro_20260423", "mimo-v2.5-pro"),
    ],
)
def test_other_spellings_find_the_entry_and_keep_their_name(spelling: str, entry: str) -> None:
    info = model_info(spelling)
    assert info.id == spelling
    assert info.known
    assert info.inputs == MODELS[entry].inputs


@pytest.mark.parametrize("id", ["mimo-v9-nova", "", "/", "[1m]", "gpt-4o", "小米"])
def test_an_unknown_id_gets_the_most_permissive_chat_entry(id: str) -> None:
    info = model_info(id)
    assert (info.id, info.kind, info.known) == (id, "chat", False)
    assert info.inputs == {"text", "image", "audio", "video"}
    assert info.thinking
    assert info.tools
    assert not info.fixed_sampling


@pytest.mark.parametrize(
    ("id", "thinking", "effort", "expected"),
    [
        ("mimo-v2.5-pro", None, None, True),
        ("mimo-v2.5-pro", {"type": "disabled"}, None, False),
        ("mimo-v2.5-pro", {"type": "enabled"}, "none", True),
        ("mimo-v2.5-pro", False, None, False),
        ("mimo-v2.5-pro", None, "none", False),
        ("mimo-v2.5-pro", None, "high", True),
        ("mimo-v2-flash", None, None, False),
        ("mimo-v2-flash", True, None, True),
        ("mimo-v2-flash", None, "low", True),
        ("mimo-v2.5-tts", {"type": "enabled"}, None, False),
        ("mimo-v9-nova", None, None, True),
    ],
)
def test_whether_a_request_thinks(
    id: str, thinking: object, effort: object, expected: bool
) -> None:
    assert model_info(id).thinks(thinking, effort) is expected


def test_what_tokens_cost() -> None:
    assert price("mimo-v2.6-flash", 1_000_000, 1_000_000) == pytest.approx(0.42)
    assert price("mimo-v2.6-flash", 1_000_000, 1_000_000, in_batch=True) == pytest.approx(0.21)
    assert price("xiaomi/mimo-v2.6-pro", 2_000_000, 0, in_batch=True) == pytest.approx(0.435)
    assert [usd(1234.5), usd(0), usd(0.00002)] == ["1,234.5000 USD", "0.0000 USD", "0.0000200 USD"]


def test_a_price_that_is_not_known_is_none() -> None:
    assert price("mimo-v2.5", 1, 1) is None
    assert price("mimo-of-tomorrow", 1, 1) is None
    assert price("mimo-v2.6-pro-ultraspeed", 1, 1) is not None
    assert price("mimo-v2.6-pro-ultraspeed", 1, 1, in_batch=True) is None


def test_what_batches_serve() -> None:
    served = {id for id, info in MODELS.items() if info.in_batches}
    assert served == {"mimo-v2.6-pro", "mimo-v2.6-flash"}
