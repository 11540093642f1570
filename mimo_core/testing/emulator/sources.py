"""Where each of the emulator's rejections comes from: one table, which a test walks over.

`mimo-api.md` is the project's page on the service: what the vendor documents, and what holders of a
key reported in public between December 2025 and October 2026. "Seed 001" is the vendor's parameter
reference of 3 June 2026. Nothing here was measured by this project.
"""

from __future__ import annotations

_BATCHES = "mimo-api.md, batches (vendor's page, quoted September 2026): {}"
_STRICT = "strict on purpose: nothing is known, and when in doubt the emulator refuses"
_PARTICULAR = "mimo-api.md, particular {}"
_SEED = "seed 001 (vendor, 3 June 2026), {}"


def _particular(number: int, note: str = "") -> str:
    return _PARTICULAR.format(number) + (f": {note}" if note else "")


def _batches(note: str) -> str:
    return _BATCHES.format(note)


def _seed(field: str) -> str:
    return _SEED.format(field)


SOURCES: dict[str, str] = {
    # The request as a whole
    "key": "mimo-api.md, where it is served, and errors (401, a published body)",
    "path": "mimo-api.md, errors: 404 endpoint; the body is the emulator's",
    "method": "HTTP (RFC 9110): 405",
    "body": "mimo-api.md, errors: a published body (400 Invalid request parameters)",
    "model missing": _seed("model: required"),
    "model unknown": "mimo-api.md, errors and models: ids are lower case, `[1m]` is refused",
    "model retired": "mimo-api.md, models: retired ids answer 400 Unsupported model",
    "model without this protocol": f"mimo-api.md, messages protocol has chat models; {_STRICT}",
    # Parameters
    "sampling range": _seed("temperature, top_p, frequency_penalty, presence_penalty"),
    "token limit": _seed("max_completion_tokens; max_tokens: mimo-api.md, particular 13"),
    "stop": f"{_seed('stop: up to 4 sequences')}; empty ones: {_STRICT}",
    "thinking": _seed("thinking.type: enabled, disabled"),
    "reasoning effort": _particular(8, "400 Input should be 'low', 'medium' or 'high'"),
    "n": f"{_seed('which has no n')}; {_STRICT}",
    "stream": f"{_seed('stream: boolean')}; {_STRICT}",
    "response format": f"{_seed('response_format.type')}; json_schema: mimo-api.md, particular 7",
    "tool choice": f"{_particular(4, 'auto, none, required, a named function')}; others: {_STRICT}",
    "parallel tool calls": _STRICT,
    "tools": f"{_seed('tools: a list of function and web_search')}; an empty one: {_STRICT}",
    "tool name": _particular(6, "[a-zA-Z0-9_-]{1,64}"),
    "tool parameters": f"{_seed('tools.function.parameters: a JSON Schema object')}; {_STRICT}",
    "web search disabled": _particular(9, "400 webSearchEnabled is false"),
    "web search range": _seed("tools.max_keyword, tools.limit: 1 to 50"),
    "web search location": _seed("tools.user_location.type: approximate"),
    # The history
    "no messages": "mimo-api.md, errors: a published body (messages must not be empty)",
    "role": _particular(14, "developer and system; seed 001 names the other three"),
    "part shape": _seed("messages.content: parts are objects with a type"),
    "part type": f"{_seed('messages.content')}; other types: {_STRICT}",
    "file part": _particular(12, "400 file type is not supported"),
    "message name": _seed("messages.name: string"),
    "reasoning type": _seed("messages.reasoning_content: string"),
    "empty text": f"{_particular(2, '`text` is not set')}; of users and instructions: issue 12, 10",
    "assistant content": _particular(2, "null is refused, an empty text by some backends"),
    "tool content": _particular(3, "a string only"),
    "tool content empty": f"{_particular(2)} for assistants; {_STRICT}",
    "media for a text model": _particular(12, "404 No endpoints found that support image input"),
    "media in instructions": _seed("system and developer messages: only type text"),
    "media URL": _seed("image_url.url, input_audio.data, video_url.url"),
    "media type": f"{_particular(12, 'MP3, WAV, FLAC, M4A, OGG')}; images, video: {_STRICT}",
    "media size": _particular(12, "audio and video as data: 50 MB"),
    "video fps": _seed("video_url.fps: 0.1 to 10.0"),
    "video resolution": _seed("video_url.media_resolution: default, max"),
    "tool call shape": _seed("messages.tool_calls: id, type and function are required"),
    "tool call name": f"{_particular(6)}; in a history: {_STRICT}",
    "tool call arguments": "mimo-api.md, other servers: the templates iterate over an object",
    "tool call id": f"two open calls share their id; {_STRICT}",
    "result without call": f"{_seed('messages.tool_call_id')}; {_STRICT}",
    "call without result": f"{_seed('messages.tool_calls')}; {_STRICT}",
    "reasoning": _particular(1, "a published body (400, May 2026)"),
    # Speech
    "not for speech models": _seed("stop, thinking, tools …: TTS models are not supported"),
    "speech options": _seed("audio: an object, for TTS models; optimize_text_preview: voicedesign"),
    "speech messages": f"{_particular(10, 'a user and an assistant message')}; others: {_STRICT}",
    "speech without text": _particular(10, "400 messages must contain an assistant role …"),
    "speech instructions": _particular(10, "400 system role is not allowed for TTS model"),
    "speech description": _seed("messages, user: voicedesign requires one"),
    "speech format": f"{_seed('audio.format')}; streams are pcm16: mimo-api.md, particular 10",
    "speech voice": f"{_particular(10, '400 that lists the voices')}; seed 001, audio.voice",
    "voice sample": _particular(10, "wav or mp3, up to 10 MB as base64"),
    "recording": _particular(11, "one input_audio part, wav or mp3, up to 10 MB as base64"),
    "recording with text": _particular(12, "400 ASR request must not include text parts"),
    "recording language": _particular(11, "auto, zh, en"),
    # The messages protocol
    "max_tokens missing": "mimo-api.md, messages protocol: max_tokens is required",
    "messages role": f"seed 003: user and assistant; {_STRICT}",
    "messages content": f"seed 003: a text or a list of blocks; {_STRICT}",
    "messages thinking": f"seed 003: thinking.type; enabled, disabled, adaptive; {_STRICT}",
    "messages tool choice": f"Anthropic's auto, any, tool, none; {_STRICT}",
    "messages tools": f"mimo-api.md, messages protocol: name, description, input_schema; {_STRICT}",
    "messages parameters": (
        "mimo-api.md, particular 13: unknown fields are ignored in silence; the emulator refuses "
        "those of chat completions, so that nothing is lost unseen"
    ),
    "messages order": f"Anthropic's rule: results come first in their message; {_STRICT}",
    "messages tool input": "mimo-api.md, other servers: the templates iterate over an object",
    "messages thinking block": "mimo-api.md, messages protocol: passed back with its signature",
    "messages block": f"Anthropic's blocks of each role; {_STRICT}",
    "messages media": (
        "mimo-api.md, particular 12: audio, video and PDF are dropped in silence; "
        "the emulator refuses, so that nothing is lost unseen (Policy.drops_media drops them)"
    ),
    # Files and batches. The bodies of these refusals are the emulator's; none was published.
    "batches elsewhere": _batches("asking the realtime host for a batch finds nothing (observed)"),
    "realtime elsewhere": f"the batch host is documented for files and batches; {_STRICT}",
    "batch key": _batches("an sk- key, never a Token Plan's; 401 as for any wrong key"),
    "upload form": _batches("POST /files is multipart"),
    "upload purpose": _batches("purpose=batch"),
    "upload empty": f"a file without a line; {_STRICT}",
    "upload size": _batches("up to 128 MB; the status (413) is HTTP's"),
    "file unknown": f"HTTP (RFC 9110): 404; {_batches('files are kept 30 days')}",
    "batch unknown": "HTTP (RFC 9110): 404",
    "batch input file": f"{_batches('input_file_id')}; deleted, or no upload: {_STRICT}",
    "batch endpoint": f"{_batches('three endpoints')}; /v1/responses is not spoken here",
    "batch window": f"{_batches('24h')}; others: {_STRICT}",
    "batch ended": f"OpenAI's API: what has ended is not cancelled (409); {_STRICT}",
    "list limit": f"OpenAI's API: 1 to 100 batches, 1 to 10,000 files; {_STRICT}",
    "list after": f"`after` is the id of what was listed; {_STRICT}",
    "batch lines": "OpenAI's API: 50,000 lines; the vendor's page names no number",
    "batch line": f"{_batches('JSONL')}; an empty line is none: {_STRICT}",
    "batch line body": _batches("a line is custom_id, method, url, body"),
    "batch custom_id": f"{_batches('results are found by custom_id')}; a repeated one: {_STRICT}",
    "batch method": _batches("method POST"),
    "batch url": _batches("one endpoint a file"),
    "batch model": _batches("mimo-v2.6-pro and mimo-v2.6-flash"),
    "batch models": f"OpenAI's API: one model a file; {_STRICT}",
    "batch failed": "the test's author says so (`BatchPlan.errors`)",
    "batch stream": f"results are one JSON line each; {_STRICT}",
}
"""Rule -> the source of the fact. Every rejection names its rule (`Rejection.rule`)."""
