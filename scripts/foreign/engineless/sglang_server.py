"""SGLang's own HTTP layer without its engine: `python sglang_server.py PORT`, in `.venv-foreign`.

Real are the routes with their error handlers, the request classes, the MiMo parsers (reasoning and
tool calls), the response classes, the SSE framing and the translation of the messages protocol.
Replaced are the engine, whose tokens are the pieces of a text that a test queues, the tokenizer,
the chat template, of which the arguments are kept, and torchvision, which does nothing here.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import no_torchvision  # noqa: F401  # before SGLang
import uvicorn
from fastapi import FastAPI
from script import Script, pieces
from sglang.srt.entrypoints import http_server
from sglang.srt.entrypoints.anthropic.protocol import AnthropicMessagesRequest
from sglang.srt.entrypoints.anthropic.serving import AnthropicServing
from sglang.srt.entrypoints.openai import serving_chat
from sglang.srt.entrypoints.openai.protocol import ChatCompletionRequest, MessageProcessingResult

PROMPT = list(range(1000, 1011))  # eleven tokens
CONTEXT = 1_048_576  # MiMo's
SERVING = SimpleNamespace(
    return_input_ids=False,
    return_output_ids=False,
    incremental_streaming_output=False,
    stream_response_default_include_usage=False,
    enable_cache_report=True,
    allow_auto_truncate=False,
    trust_request_chat_template=False,
    default_chat_template_kwargs=None,
)
MODEL = SimpleNamespace(context_length=CONTEXT)


class Engine:
    """Stands in for SGLang's tokenizer manager: answers with the text that is queued."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.tokenizer = SimpleNamespace(encode=lambda text, **_: [0] * len(pieces(text)))
        self.model_config = SimpleNamespace(
            is_multimodal=True, context_len=CONTEXT, hf_config=SimpleNamespace(architectures=[])
        )
        self.request_logger = SimpleNamespace(log_requests=False, log_requests_level=0)
        self.served_model_name = "mimo"

    async def generate_request(self, request: Any, raw: Any) -> AsyncIterator[dict[str, Any]]:
        self.script.keep_sampling(dict(request.sampling_params))
        text, reason = self.script.next()
        parts = pieces(text)
        for number in range(1 if request.stream else len(parts), len(parts) + 1):
            last = number == len(parts)
            yield {
                "text": "".join(parts[:number]),
                "output_ids": [0] * number,
                "meta_info": {
                    "id": "sglang-1",
                    "finish_reason": {"type": reason} if last else None,
                    "prompt_tokens": len(PROMPT),
                    "completion_tokens": number,
                    "reasoning_tokens": 3,
                    "cached_tokens": 4,
                    "weight_version": "default",
                },
            }

    def create_abort_task(self, request: Any) -> None:
        """Nothing runs that a client's going away would have to end."""


class Chat(serving_chat.OpenAIServingChat):
    """Chat completions."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.tokenizer_manager = Engine(script)
        self.template_manager = SimpleNamespace(
            force_reasoning=False, reasoning_config=None, chat_template_name=None
        )
        self.tool_call_parser = self.reasoning_parser = "mimo"
        self.default_chat_template_kwargs: dict[str, Any] = {}
        self._reasoning_detector = serving_chat.ReasoningParser(
            model_type="mimo", stream_reasoning=True
        ).detector
        self.default_sampling_params: dict[str, Any] = {}
        self.is_gpt_oss = self.is_gemma4 = self.is_minimax_m3 = False
        self.chat_encoding_spec = self._encoding_adapter = self._response_parser = None
        self.supports_inline_system = True
        self.allowed_custom_labels = None
        self._prompt_text_round_trip_is_lossy = self._tokenizer_auto_adds_specials = False

    def _process_messages(
        self, request: ChatCompletionRequest, is_multimodal: bool, **_: Any
    ) -> MessageProcessingResult:
        """SGLang's would render the chat template; what it would render with is kept."""
        read = request.model_dump(exclude_unset=True)
        self.script.keep(read, request.chat_template_kwargs or {})
        thinks = self._get_reasoning_from_request(request)
        return MessageProcessingResult(
            "", PROMPT, None, None, None, [], list(_stops(request)), require_reasoning=thinks
        )


def _stops(request: ChatCompletionRequest) -> list[str]:
    stop = request.stop or []
    return [stop] if isinstance(stop, str) else stop


def main() -> None:
    """Serve until killed."""
    classes = {
        "/v1/chat/completions": ChatCompletionRequest,
        "/v1/messages": AnthropicMessagesRequest,
    }
    script = Script(classes)
    serving_chat.get_serving = lambda: SERVING
    serving_chat.get_model = lambda: MODEL
    app = FastAPI(exception_handlers=http_server.app.exception_handlers)
    app.state.openai_serving_chat = Chat(script)
    app.state.anthropic_serving = AnthropicServing(app.state.openai_serving_chat)
    app.router.routes += [
        route
        for route in http_server.app.router.routes
        if getattr(route, "path", "") in ("/v1/chat/completions", "/v1/messages")
    ]
    script.attach(app)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")


if __name__ == "__main__":
    main()
