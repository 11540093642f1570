"""vLLM's own HTTP layer without its engine: `python vllm_server.py PORT`, in `.venv-foreign`.

Real are the routes with their error handlers, the request classes, the MiMo parser (reasoning and
tool calls), the response classes, the SSE framing and the translation of the messages protocol.
Replaced are the engine, whose tokens are the pieces of a text that a test queues, the tokenizer, of
which the parser asks for the ids of its marks only, and the chat template, of which the arguments
are kept.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, ClassVar

import uvicorn
from fastapi import FastAPI
from script import MARKS, Script, pieces
from vllm.entrypoints.anthropic import api_router as anthropic_router
from vllm.entrypoints.anthropic.protocol import AnthropicMessagesRequest
from vllm.entrypoints.anthropic.serving import AnthropicServingMessages
from vllm.entrypoints.openai.chat_completion import api_router as chat_router
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.entrypoints.openai.chat_completion.serving import OpenAIServingChat
from vllm.entrypoints.serve.exception_handling.register import init_exception_handler
from vllm.outputs import CompletionOutput, RequestOutput
from vllm.parser.parser_manager import ParserManager

PROMPT = list(range(1000, 1011))  # eleven tokens
CONTEXT = 1_048_576  # MiMo's


class Tokenizer:
    """The marks are single tokens, as in MiMo's vocabulary; every other piece is one too."""

    all_special_tokens: tuple[str, ...] = ()
    vocab: ClassVar[dict[str, int]] = {mark: number for number, mark in enumerate(MARKS)}

    def get_vocab(self) -> dict[str, int]:
        return self.vocab

    def decode(self, ids: list[int], **_: Any) -> str:
        marks = {number: mark for mark, number in self.vocab.items()}
        return "".join(marks.get(number, "") for number in ids)

    def encode(self, text: str, **_: Any) -> list[int]:
        return [self.vocab.get(piece, len(MARKS)) for piece in pieces(text)]


class Engineless:
    """What the serving classes ask of their server, without a model."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.model_config = SimpleNamespace(
            max_model_len=CONTEXT,
            is_encoder_decoder=False,
            hf_config=SimpleNamespace(model_type="mimo_v2"),
            hf_text_config=None,
        )
        self.renderer = SimpleNamespace(tokenizer=Tokenizer())
        self.online_renderer = SimpleNamespace(reasoning_effort_map=None, renderer=self.renderer)
        self.models = SimpleNamespace(
            model_name=lambda lora: "mimo", is_base_model=lambda name: True, lora_requests={}
        )
        self.engine_client = SimpleNamespace(
            generate=self.generate, errored=False, is_tracing_enabled=None
        )
        self.parser_cls = ParserManager.get_parser(
            tool_parser_name="mimo",
            reasoning_parser_name="mimo",
            enable_auto_tools=True,
            tool_strict_level=None,
            model_name="mimo",
            is_harmony=False,
            tokenizer=Tokenizer(),
        )
        self.response_role = "assistant"
        self.chat_template, self.chat_template_content_format = None, "auto"
        self.trust_request_chat_template = False
        self.default_chat_template_kwargs: dict[str, Any] = {}
        self.default_sampling_params: dict[str, Any] = {}
        self.override_max_tokens = None
        self.enable_auto_tools = True
        self._include_reasoning_tokens_details = True
        self.exclude_tools_when_tool_choice_none = False
        self.enable_prompt_tokens_details = True
        self.enable_force_include_usage = False
        self.enable_per_request_metrics = False
        self.enable_log_outputs = self.enable_log_deltas = False
        self.request_logger = None
        self.return_tokens_as_token_ids = False
        self.system_fingerprint = None
        self.has_kv_connector = False
        self._merge_inline_system = False

    async def render_chat_request(self, request: Any) -> Any:
        kwargs = self._effective_chat_template_kwargs(request)  # type: ignore[attr-defined]
        self.script.keep(request.model_dump(exclude_unset=True), kwargs)
        return [], [{"type": "token", "prompt_token_ids": PROMPT}]

    async def generate(
        self, prompt: Any, params: Any, request_id: str, **_: Any
    ) -> AsyncIterator[RequestOutput]:
        self.script.keep_sampling({"temperature": params.temperature, "top_k": params.top_k})
        text, reason = self.script.next()
        parts = pieces(text)
        whole = params.output_kind.name == "FINAL_ONLY"
        vocab = Tokenizer.vocab
        ids = [vocab.get(part, len(MARKS)) for part in parts]
        steps = (
            [(text, ids)] if whole else [(part, [id]) for part, id in zip(parts, ids, strict=True)]
        )
        for number, (piece, tokens) in enumerate(steps):
            last = number == len(steps) - 1
            output = CompletionOutput(
                0, piece, tokens, None, None, finish_reason=reason if last else None
            )
            yield RequestOutput(
                request_id, "", PROMPT, None, [output], finished=last, num_cached_tokens=4
            )


class Chat(Engineless, OpenAIServingChat):
    """Chat completions."""


class Messages(Engineless, AnthropicServingMessages):
    """The messages protocol."""

    def __init__(self, script: Script) -> None:
        super().__init__(script)
        resolver = SimpleNamespace(resolve_for=self._effort)
        self.disabled_thinking_effort_resolver = resolver

    async def _effort(self, request: Any) -> str:
        return "none"


def main() -> None:
    """Serve until killed."""
    classes = {
        "/v1/chat/completions": ChatCompletionRequest,
        "/v1/messages": AnthropicMessagesRequest,
    }
    script = Script(classes)
    app = FastAPI()
    app.state.args = SimpleNamespace(log_error_stack=False, sse_keep_alive_interval=0)
    app.state.enable_server_load_tracking = False
    app.state.openai_serving_chat = Chat(script)
    app.state.anthropic_serving_messages = Messages(script)
    init_exception_handler(app)
    chat_router.attach_router(app)
    anthropic_router.attach_router(app)
    script.attach(app)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")


if __name__ == "__main__":
    main()
