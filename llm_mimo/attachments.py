"""llm's attachments as content parts of a request."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from io import BytesIO
from typing import Any

import llm

from llm_mimo.errors import InputError, ModelError, file_error, sentence
from mimo_core.media import MAX_MEDIA_FILE, MEDIA_TYPES, Modality
from mimo_core.models import MODELS, ModelInfo

# Every spelling of a MIME type (llm finds types with puremagic, which has its own spellings) ->
# the kind of input, and the type to send.
_SPELLINGS: dict[str, tuple[Modality, str]] = {
    spelling: (media.modality, media.mime_type)
    for media in MEDIA_TYPES
    for spelling in (media.mime_type, *media.spellings)
}
_KINDS: dict[Modality, str] = {"image": "images", "audio": "audio", "video": "video"}
_ADVICE = {
    "PDF": "Send its text instead, e.g. pdftotext FILE - | llm …",
    "text": "Put the text into the prompt: -f FILE.",
}


def attachment_types(info: ModelInfo) -> frozenset[str]:
    """The MIME types that a model takes.

    Args:
        info: the model.

    Returns:
        The types, in every spelling.
    """
    return frozenset(
        spelling
        for spelling, (modality, sent) in _SPELLINGS.items()
        if modality in info.inputs and (not info.recording_types or sent in info.recording_types)
    )


def check_attachments(
    attachments: Iterable[llm.Attachment], info: ModelInfo, taken: Iterable[str]
) -> None:
    """Check attachments before a request is sent.

    Args:
        attachments: of the prompt.
        info: the model.
        taken: the MIME types that the model takes, in every spelling.

    Raises:
        ModelError: the model does not take one of them, or it cannot be read.
    """
    for attachment in attachments:
        given = _type_of(attachment)
        if given not in taken:
            raise InputError(_why_refused(attachment, given, info))


def media_part(attachment: llm.Attachment) -> dict[str, Any]:
    """Translate a user's attachment.

    Args:
        attachment: of llm.

    Returns:
        A content part of a request.

    Raises:
        ModelError: no MiMo model takes its type, or it cannot be read.
    """
    modality, url = media_url(attachment)
    return _build_part(modality, url)


def result_part(attachment: llm.Attachment) -> dict[str, Any]:
    """Translate an attachment that a tool returned.

    This never raises: the user did not choose the attachment, and it stays in the history.

    Args:
        attachment: of llm.

    Returns:
        A content part of a request. What cannot be sent becomes a `file` part, which the core
        replaces by a text that names it.
    """
    try:
        return _build_part(*media_url(attachment))
    except ModelError:
        part: dict[str, Any] = {"type": "file"}
        if name := attachment.path or attachment.url:
            part["filename"] = os.path.basename(str(name))
        if attachment.type:
            part["mime_type"] = attachment.type
        return part


def media_url(attachment: llm.Attachment) -> tuple[Modality, str]:
    """Find an attachment's kind and URL.

    Args:
        attachment: of llm.

    Returns:
        The kind, and the attachment's own URL or a data URL with its bytes.

    Raises:
        ModelError: no MiMo model takes its type, or it cannot be read.
    """
    given = _type_of(attachment)
    if given not in _SPELLINGS:
        raise InputError(_why_refused(attachment, given, None))
    modality, sent = _SPELLINGS[given]
    if isinstance(attachment.url, str) and attachment.url:
        return modality, attachment.url
    from mimo_core.audio import encode_file

    with BytesIO(content_of(attachment)) as file:
        return modality, encode_file(file, prefix=f"data:{sent};base64,")


def content_of(attachment: llm.Attachment) -> bytes:
    """Read an attachment.

    Args:
        attachment: of llm.

    Returns:
        Its bytes.

    Raises:
        ModelError: it cannot be read.
    """
    data: Any = attachment.content
    if not isinstance(data, bytes) and attachment.path is not None:
        data = _read(attachment, partial(_read_file, attachment.path))
    elif data is None:
        data = _read(attachment, attachment.content_bytes)
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InputError(
            f"The content of the attachment {attachment_name(attachment)} must be bytes, not of "
            f"type {type(data).__name__}."
        )
    return bytes(data)


def attachment_name(attachment: llm.Attachment) -> str:
    """Name an attachment in messages.

    Args:
        attachment: of llm.

    Returns:
        The name of its file, else its URL, else its type; at most 200 characters.
    """
    if attachment.path is not None:
        return os.path.basename(_as_text(attachment.path))[:200]
    named = (n for n in (attachment.url, attachment.type) if n is not None)
    return _as_text(next(named, "without a type"))[:200]


def _build_part(modality: Modality, url: str) -> dict[str, Any]:
    if modality == "audio":
        return {"type": "input_audio", "input_audio": {"data": url}}
    return {"type": f"{modality}_url", f"{modality}_url": {"url": url}}


def _type_of(attachment: llm.Attachment) -> str:
    if attachment.path is not None and not attachment.type:  # llm would open a pipe, and wait
        _read(attachment, partial(_read_file, attachment.path, most=0))
    given = _read(attachment, attachment.resolve_type)
    return _as_text("" if given is None else given).partition(";")[0].strip().lower()


def _as_text(value: Any) -> str:
    """A name or a type; of what is none, how an error may show it."""
    from mimo_core.values import quoted

    return os.fspath(value) if isinstance(value, str | os.PathLike) else quoted(value)


def _read_file(path: str, most: int | None = None) -> bytes:
    """A regular file of a size that can be sent; the first `most` bytes of it, or all."""
    from mimo_core.files import open_regular

    if not isinstance(path, str | os.PathLike):  # a number would be an open file of the process
        raise ValueError(f"its path is of type {type(path).__name__}")
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_MEDIA_FILE:
            limit = MAX_MEDIA_FILE // 1024 // 1024
            raise ValueError(f"it has {size / 1024 / 1024:.0f} MB, and at most {limit} are read")
        return file.read(-1 if most is None else most)


def _read(attachment: llm.Attachment, read: Callable[[], Any]) -> Any:
    """Let llm read an attachment, from a file or over the network, with errors of one line."""
    import httpx2

    for what, value in (("URL", attachment.url), ("type", attachment.type)):
        if not isinstance(value, str | None):
            raise InputError(f"The {what} of an attachment must be a text, not {_as_text(value)}.")
    try:
        return read()
    except OSError as error:
        raise file_error(error, "An attachment cannot be read") from error
    # ImportError: a SOCKS proxy without its package
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, TypeError, ImportError) as error:
        raise InputError(
            f"The attachment {attachment_name(attachment)} cannot be read: {sentence(error)} "
            "If llm cannot tell its type, give it: --at PATH TYPE."
        ) from error


def _why_refused(attachment: llm.Attachment, given: str, info: ModelInfo | None) -> str:
    """Why a model (None: every model) does not take an attachment; names kinds, not MIME types."""
    kind = _kind_of(given)
    taken = [word for modality, word in _KINDS.items() if info is None or modality in info.inputs]
    who = "MiMo" if info is None else info.id
    takes = f"takes {_listed(taken)} only" if taken else "takes text only"
    if info is not None and info.kind != "chat" and taken:
        takes = "takes WAV and MP3 only"
    text = f"{who} {takes}; the attachment {attachment_name(attachment)} is {kind}. "
    return text + _next_step(given, kind, info)


def _next_step(given: str, kind: str, info: ModelInfo | None) -> str:
    for word, advice in _ADVICE.items():
        if word in kind:
            return advice
    modality = _SPELLINGS[given][0] if given in _SPELLINGS else None
    if modality is not None and info is not None and info.kind == "chat":
        able = [m.id for m in MODELS.values() if m.kind == "chat" and modality in m.inputs]
        return f"Use {_listed(able, 'or')}."
    return "Convert it, or give its type if llm got it wrong: --at PATH TYPE."


def _kind_of(given: str) -> str:
    if given in _SPELLINGS:
        return {"image": "an image", "audio": "audio", "video": "a video"}[_SPELLINGS[given][0]]
    if given == "application/pdf":
        return "a PDF"
    if given.startswith("text/") or given in ("application/json", "application/xml"):
        return f"text ({given})"
    return f"of type {given!r}" if given else "of an unknown type"


def _listed(words: list[str], last: str = "and") -> str:
    return f" {last} ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else words[0]
