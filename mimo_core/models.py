"""The model table: what each MiMo model takes, gives and does.

Capabilities are data. Options, attachment types, profiles, validation messages and the README's
tables are derived from `MODELS`; a new model is one entry here. Sources: the vendor's parameter
reference (3 June 2026) for the nine ids it lists, public observation for the v2.6 family and ASR;
dates of retirement are the vendor's announcements (mimo-api.md, second edition, November 2026).
"""

from datetime import date
from functools import lru_cache
from typing import Literal, NamedTuple

from mimo_core.media import MAX_RECORDING, RECORDING_TYPES
from mimo_core.media import Modality as Modality

Kind = Literal["chat", "tts", "asr"]
VoiceSource = Literal["built_in", "description", "sample"]

_TEXT: frozenset[Modality] = frozenset({"text"})
_ALL: frozenset[Modality] = frozenset({"text", "image", "audio", "video"})


class Prices(NamedTuple):
    """USD per million tokens. Prices move: show them with `PRICES_AS_OF`, and rely on none."""

    cached_input: float
    input: float
    output: float


PRICES_AS_OF = "autumn 2026"
"""When the prices were read, in the vendor's and in public tables (mimo-api.md, Models)."""

BATCH_SHARE = 0.5
"""What batches cost, as a share of the price (the vendor's page, quoted in September 2026)."""

EFFORTS = ("none", "low", "medium", "high")
"""What `reasoning_effort` may be at Xiaomi. `none` turns thinking off; the others mean the same."""


class ModelInfo(NamedTuple):
    """What one model can do.

    Token counts are tokens, not characters; `None` means that the vendor has not published it.
    """

    id: str
    kind: Kind = "chat"
    inputs: frozenset[Modality] = _ALL
    context_window: int | None = 1_048_576
    """Tokens of input and output together."""
    max_output: int = 131_072
    """The largest `max_completion_tokens` the service takes."""
    default_output: int | None = None
    """What the service uses where `max_completion_tokens` is not sent."""
    thinking: bool = True
    """Whether the model can think (`reasoning_content`)."""
    thinking_default: bool = True
    """Whether it thinks when `thinking` is not sent."""
    fixed_sampling: bool = True
    """While thinking, `temperature` and `top_p` are overridden by the service (1.0 and 0.95)."""
    default_temperature: float | None = None
    tools: bool = True
    voice_source: VoiceSource | None = None
    """Speech models: where the voice comes from."""
    voices: tuple[str, ...] = ()
    """The built-in voices' names."""
    recording_types: tuple[str, ...] = ()
    """The types that a recording or the sample of a voice may have; empty where any may."""
    max_recording: int | None = None
    """The most characters of base64 that one may have."""
    released: date | None = None
    """The day on which Xiaomi began to serve it, where that is published."""
    retired_on: date | None = None
    """The day on which Xiaomi stopped, or announced to stop, serving it at its own hosts. Other
    gateways and servers may serve it still: nothing is refused for it."""
    successor: str | None = None
    """What Xiaomi serves in its place."""
    open_weights: bool = False
    """Whether the weights are published, so that anybody can serve it."""
    prices: Prices | None = None
    """What Xiaomi's pay-as-you-go asks for; see `PRICES_AS_OF`."""
    in_batches: bool = False
    """Whether Xiaomi's batches serve it, for `BATCH_SHARE` of the price (the vendor's page, quoted
    in September 2026)."""
    known: bool = True
    """False for an id that is not in the table: everything is allowed, nothing is promised."""

    def thinks(self, thinking: object, reasoning_effort: object = None) -> bool:
        """Whether a request with these two parameters runs in thinking mode.

        Args:
            thinking: the request's `thinking` (`{"type": "enabled" | "disabled"}` or None).
            reasoning_effort: the request's `reasoning_effort`; `"none"` turns thinking off.
        """
        if not self.thinking:
            return False
        if isinstance(thinking, dict):
            kind = thinking.get("type")
            return not (isinstance(kind, str) and kind == "disabled")
        if isinstance(thinking, bool):
            return thinking
        if reasoning_effort is not None:
            return not (isinstance(reasoning_effort, str) and reasoning_effort == "none")
        return self.thinking_default


def _speech(id: str, voice_source: VoiceSource, voices: tuple[str, ...] = ()) -> ModelInfo:
    return ModelInfo(
        id,
        kind="tts",
        inputs=_TEXT | {"audio"} if voice_source == "sample" else _TEXT,
        context_window=None,
        max_output=8_192,
        default_output=8_192,
        thinking=False,
        thinking_default=False,
        fixed_sampling=False,
        default_temperature=0.6,
        tools=False,
        voice_source=voice_source,
        voices=voices,
        recording_types=RECORDING_TYPES if voice_source == "sample" else (),
        max_recording=MAX_RECORDING if voice_source == "sample" else None,
    )


_V25_VOICES = ("mimo_default", "冰糖", "茉莉", "苏打", "白桦", "Mia", "Chloe", "Milo", "Dean")
_V2_VOICES = ("mimo_default", "default_en", "default_zh")

MODELS: dict[str, ModelInfo] = {
    info.id: info
    for info in (
        ModelInfo(
            "mimo-v2.6-pro",
            default_output=131_072,
            default_temperature=1.0,
            released=date(2026, 9, 22),
            open_weights=True,
            prices=Prices(0.0036, 0.435, 0.87),
            in_batches=True,
        ),
        ModelInfo(
            "mimo-v2.6-pro-ultraspeed",
            default_temperature=1.0,
            prices=Prices(0.036, 4.35, 8.70),
        ),
        ModelInfo(
            "mimo-v2.6-flash",
            default_output=131_072,
            default_temperature=1.0,
            open_weights=True,
            prices=Prices(0.0028, 0.14, 0.28),
            in_batches=True,
        ),
        ModelInfo(
            "mimo-v2.5-pro",
            inputs=_TEXT,
            default_output=131_072,
            default_temperature=1.0,
            retired_on=date(2026, 10, 21),
            successor="mimo-v2.6-pro",
            open_weights=True,
        ),
        ModelInfo(
            "mimo-v2.5",
            default_output=32_768,
            default_temperature=1.0,
            retired_on=date(2026, 10, 21),
            successor="mimo-v2.6-flash",
            open_weights=True,
        ),
        ModelInfo(
            "mimo-v2-pro",
            inputs=_TEXT,
            default_output=131_072,
            fixed_sampling=False,
            default_temperature=1.0,
            retired_on=date(2026, 6, 30),
            successor="mimo-v2.6-pro",
        ),
        ModelInfo(
            "mimo-v2-omni",
            context_window=262_144,
            default_output=32_768,
            fixed_sampling=False,
            default_temperature=1.0,
            retired_on=date(2026, 6, 30),
            successor="mimo-v2.6-flash",
        ),
        ModelInfo(
            "mimo-v2-flash",
            inputs=_TEXT,
            context_window=262_144,
            default_output=65_536,
            thinking_default=False,
            fixed_sampling=False,
            default_temperature=0.3,
            retired_on=date(2026, 6, 30),
            successor="mimo-v2.6-flash",
            open_weights=True,
        ),
        _speech("mimo-v2.5-tts", "built_in", _V25_VOICES),
        _speech("mimo-v2.5-tts-voicedesign", "description"),
        _speech("mimo-v2.5-tts-voiceclone", "sample"),
        _speech("mimo-v2-tts", "built_in", _V2_VOICES)._replace(
            retired_on=date(2026, 6, 30), successor="mimo-v2.5-tts"
        ),
        ModelInfo(
            "mimo-v2.5-asr",
            kind="asr",
            inputs=frozenset({"audio"}),
            context_window=None,
            max_output=8_192,  # the vendor's table; models.dev has 1,024
            thinking=False,
            thinking_default=False,
            fixed_sampling=False,
            tools=False,
            recording_types=RECORDING_TYPES,
            max_recording=MAX_RECORDING,
        ),
    )
}

DEFAULT_MODEL = "mimo-v2.6-pro"
"""What the hosts use where no model is named: one that Xiaomi serves (21 November 2026)."""

# Other names of the same models: lower-cased id -> id in MODELS.
ALIASES: dict[str, str] = {
    "maas_mimo_v2.5_20260423": "mimo-v2.5",
    "maas_mimo_v2.5_pro_20260423": "mimo-v2.5-pro",
}


@lru_cache(maxsize=256)  # a call asks five times
def model_info(model_id: str) -> ModelInfo:
    """The entry for `model_id`; never raises.

    A relay's prefix (`xiaomi/…`), a `[1m]` suffix, Cloudsway's names and other spellings of case
    find the same entry. An unknown id gets the most permissive chat entry, under its own name.
    """
    name = model_id.rsplit("/", 1)[-1].removesuffix("[1m]").lower()
    info = MODELS.get(ALIASES.get(name, name))
    if info is None:
        return _unknown(model_id, name)
    return info if info.id == model_id else info._replace(id=model_id)


def _unknown(model_id: str, name: str) -> ModelInfo:
    """The most permissive entry of the kind that the name says: new ids keep coming."""
    if "-tts" in name:
        source: VoiceSource = (
            "description"
            if name.endswith("-voicedesign")
            else "sample"
            if name.endswith("-voiceclone")
            else "built_in"
        )
        return _speech(model_id, source)._replace(known=False)
    if name.endswith("-asr"):
        return MODELS["mimo-v2.5-asr"]._replace(id=model_id, known=False)
    # Thinking is taken as on: the empty reasoning that this adds to a history is accepted
    # everywhere, a missing one is not.
    return ModelInfo(model_id, fixed_sampling=False, known=False)


def price(
    model_id: str, tokens_in: int, tokens_out: int, *, in_batch: bool = False
) -> float | None:
    """What tokens cost at Xiaomi's pay-as-you-go prices of `PRICES_AS_OF`, nothing cached.

    Args:
        model_id: of the model that answers.
        tokens_in: of the requests.
        tokens_out: of the answers, reasoning included.
        in_batch: whether they are asked in batches.

    Returns:
        USD; None where the price is not known, or batches do not serve the model.
    """
    info = model_info(model_id)
    if info.prices is None or (in_batch and not info.in_batches):
        return None
    share = BATCH_SHARE if in_batch else 1.0
    return share * (tokens_in * info.prices.input + tokens_out * info.prices.output) / 1_000_000


def usd(amount: float) -> str:
    """An amount of US dollars, to a hundredth of a cent; what is less, with seven digits."""
    return f"{amount:,.4f} USD" if not 0 < amount < 0.0001 else f"{amount:.7f} USD"
