"""Construction, configuration, caching, tracing, counting and batches."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage, trim_messages
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.runnables import ConfigurableField
from langchain_core.tools import tool
from pydantic import SecretStr

from langchain_mimo import ChatMiMo, MiMoInvalidRequestError
from mimo_core.models import MODELS
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply
from tests.conftest import KEY

Chat = Callable[..., ChatMiMo]

HI = [{"role": "user", "content": "Hi"}]


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return city


class TestFields:
    def test_every_field_of_the_request(self, mimo: FakeMiMo, chat: Chat) -> None:
        chat(
            model="mimo-v2-flash",  # on later ones the sampling is fixed while they think
            temperature=0.5,
            top_p=0.9,
            max_tokens=100,
            stop=["END"],
            frequency_penalty=0.1,
            presence_penalty=0.2,
            thinking=True,
            reasoning_effort="low",
            response_format={"type": "json_object"},
            model_kwargs={"seed": 7},
            extra_body={"provider": {"order": ["xiaomi"]}},
        ).invoke("Hi")
        assert mimo.last_request.body == {
            "model": "mimo-v2-flash",
            "messages": HI,
            "stream": False,
            "temperature": 0.5,
            "top_p": 0.9,
            "max_completion_tokens": 100,
            "stop": ["END"],
            "frequency_penalty": 0.1,
            "presence_penalty": 0.2,
            "thinking": {"type": "enabled"},
            "reasoning_effort": "low",
            "response_format": {"type": "json_object"},
            "seed": 7,
            "provider": {"order": ["xiaomi"]},
        }

    def test_nothing_is_sent_that_was_not_set(self, mimo: FakeMiMo, chat: Chat) -> None:
        chat(stop=[]).invoke("Hi")
        assert mimo.last_request.body == {
            "model": "mimo-v2.6-pro",
            "messages": HI,
            "stream": False,
        }

    def test_a_call_wins_over_the_fields(self, mimo: FakeMiMo, chat: Chat) -> None:
        model = chat(temperature=0.5, max_tokens=100, stop=["A"], thinking=True)
        model.invoke("Hi", stop=["B"], temperature=None, thinking=False, max_completion_tokens=5)
        body = mimo.last_request.body
        assert body["stop"] == ["B"]
        assert "temperature" not in body
        assert body["thinking"] == {"type": "disabled"}
        assert body["max_completion_tokens"] == 5
        assert "max_tokens" not in body
        model.bind(max_tokens=700, model="mimo-v2.5", temperature=None).invoke("Hi")
        assert mimo.last_request.body["max_completion_tokens"] == 700
        assert mimo.last_request.model == "mimo-v2.5"

    @pytest.mark.parametrize(
        "name", ["api_key", "openai_api_key", "base_url", "api_base", "model_kwargs", "max_retries"]
    )
    def test_what_belongs_to_the_model_cannot_be_given_with_a_call(
        self, mimo: FakeMiMo, chat: Chat, name: str
    ) -> None:
        """It would go into the body, where it does nothing (and where no key should be)."""
        given: dict[str, Any] = {name: "x"}
        with pytest.raises(MiMoInvalidRequestError, match=r"belongs to ChatMiMo.*model_copy"):
            chat().invoke("Hi", **given)
        assert mimo.requests == []

    def test_other_names(self, mimo: FakeMiMo) -> None:
        model = ChatMiMo(
            model_name="mimo-v2.5",
            mimo_api_key="sk-other",
            base_url=mimo.base_url,
            max_completion_tokens=50,
            request_timeout=30,
            stop_sequences=["END"],
        )
        assert model.model == model.model_name == "mimo-v2.5"
        assert model.timeout == 30
        model.invoke("Hi")
        assert mimo.last_request.model == "mimo-v2.5"
        assert mimo.last_request.headers["authorization"] == "Bearer sk-other"
        assert mimo.last_request.body["max_completion_tokens"] == 50
        assert mimo.last_request.body["stop"] == ["END"]
        model.close()

    def test_what_it_does_not_know_is_sent_with_a_warning(self, mimo: FakeMiMo, chat: Chat) -> None:
        given: dict[str, Any] = {"api_key": KEY, "base_url": mimo.base_url, "seed": 7}
        with pytest.warns(UserWarning, match="ChatMiMo does not know seed") as caught:
            model = ChatMiMo(**given)
        assert caught[0].filename == __file__
        assert model.model_kwargs == {"seed": 7}
        model.invoke("Hi")
        assert mimo.last_request.body["seed"] == 7
        model.close()

    def test_a_model_that_is_not_given_by_its_name(self) -> None:
        make: Any = ChatMiMo
        with pytest.raises(TypeError, match=r'by name: ChatMiMo\(model="…"\)\.$'):
            make("mimo-v2.6-pro")

    def test_a_typo_does_not_pass_in_silence(self, mimo: FakeMiMo, chat: Chat) -> None:
        """The service would ignore it."""
        with pytest.raises(MiMoInvalidRequestError, match="did you mean 'temperature'"):
            chat(temperatur=0.5)
        with pytest.raises(MiMoInvalidRequestError, match="did you mean 'temperature'"):
            chat().invoke("Hi", temperatur=0.5)
        assert mimo.requests == []

    def test_stream_usage_is_always_on(self, chat: Chat) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert chat(stream_usage=True).model_kwargs == {}
        with pytest.warns(UserWarning, match="always sends usage"):
            chat(stream_usage=False)

    @pytest.mark.parametrize(
        ("given", "sent"),
        [
            (True, {"type": "enabled"}),
            (False, {"type": "disabled"}),
            ({"type": "disabled"}, {"type": "disabled"}),
        ],
    )
    def test_thinking(self, mimo: FakeMiMo, chat: Chat, given: Any, sent: Any) -> None:
        chat(thinking=given).invoke("Hi")
        assert mimo.last_request.body["thinking"] == sent
        chat().invoke("Hi", thinking=given)
        assert mimo.last_request.body["thinking"] == sent
        chat(extra_body={"thinking": sent}).invoke("Hi")  # where ChatOpenAI has to put it
        assert mimo.last_request.body["thinking"] == sent


def test_configurable_fields(mimo: FakeMiMo, chat: Chat) -> None:
    model = chat(top_p=0.5, thinking=False).configurable_fields(
        temperature=ConfigurableField(id="t"), model=ConfigurableField(id="m")
    )
    model.invoke("Hi", config={"configurable": {"t": 0.25, "m": "mimo-v2.5"}})
    body = mimo.last_request.body
    assert (body["model"], body["temperature"], body["top_p"]) == ("mimo-v2.5", 0.25, 0.5)


class TestWhereAndWho:
    def test_the_environment(self, mimo: FakeMiMo, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MIMO_API_KEY", "sk-from-env")
        monkeypatch.setenv("MIMO_BASE_URL", mimo.base_url)
        model = ChatMiMo(auth="api-key")
        model.invoke("Hi")
        assert mimo.last_request.headers["api-key"] == "sk-from-env"
        model.close()

    def test_gateways_have_names(self) -> None:
        for base_url, key, url in [
            (None, "sk-1", "https://api.xiaomimimo.com/v1"),
            (None, "tp-1", "https://token-plan-cn.xiaomimimo.com/v1"),
            ("token-plan-sgp", "tp-1", "https://token-plan-sgp.xiaomimimo.com/v1"),
            ("cloudsway", "k", "https://genaiapi.cloudsway.net/v1"),
        ]:
            model = ChatMiMo(api_key=key, base_url=base_url)
            assert model._identifying_params["base_url"] == url

    def test_the_key_is_shown_nowhere(self, chat: Chat) -> None:
        from langchain_core.load import dumps

        model = chat(default_headers={"api-key": "sk-in-a-header"})
        for shown in (repr(model), str(model), dumps(model), str(model._identifying_params)):
            assert KEY not in shown
        assert "sk-in-a-header" not in repr(model)

    def test_the_messages_protocol(self, mimo: FakeMiMo) -> None:
        mimo.queue(Reply("Hello", reasoning="Hm."))
        model = ChatMiMo(api_key="k", base_url=mimo.messages_base_url, protocol="messages")
        try:
            answer = model.invoke("Hi")
        except MiMoInvalidRequestError as error:
            pytest.skip(f"the core does not speak it yet: {error}")
        assert (answer.content, answer.additional_kwargs["reasoning_content"]) == ("Hello", "Hm.")
        assert mimo.last_request.protocol == "messages"
        model.close()


class TestTracing:
    def test_ls_params(self, chat: Chat) -> None:
        model = chat(temperature=0.5, max_tokens=100, stop="END")
        assert model._get_ls_params() == {
            "ls_provider": "mimo",
            "ls_model_name": "mimo-v2.6-pro",
            "ls_model_type": "chat",
            "ls_temperature": 0.5,
            "ls_max_tokens": 100,
            "ls_stop": ["END"],
        }
        params = model._get_ls_params(
            ["B"], model="mimo-v2.5", temperature=0.1, max_completion_tokens=5
        )
        assert (params["ls_model_name"], params["ls_temperature"]) == ("mimo-v2.5", 0.1)
        assert (params["ls_max_tokens"], params["ls_stop"]) == (5, ["B"])

    def test_identifying_params_name_what_changes_an_answer(self, chat: Chat) -> None:
        params = chat(temperature=0.5, model_kwargs={"seed": 1})._identifying_params
        assert params["_type"] == "mimo-chat"
        assert params["model"] == "mimo-v2.6-pro"
        assert params["base_url"].startswith("http://127.0.0.1")
        assert (params["temperature"], params["seed"]) == (0.5, 1)

    def test_the_package_is_named_in_the_metadata(self, mimo: FakeMiMo, chat: Chat) -> None:
        class Handler(BaseCallbackHandler):
            metadata: Any = None

            def on_chat_model_start(self, *_: Any, metadata: Any = None, **__: Any) -> None:
                Handler.metadata = metadata

        chat().invoke("Hi", config={"callbacks": [Handler()]})
        assert "langchain-mimo" in str(Handler.metadata)
        assert Handler.metadata["ls_provider"] == "mimo"


class TestCache:
    """It must never give one model's answer for another's."""

    OTHERS: tuple[dict[str, Any], ...] = (
        {"model": "mimo-v2.5"},
        {"temperature": 0.5},
        {"top_p": 0.5},
        {"max_tokens": 5},
        {"thinking": False},
        {"thinking": True},
        {"reasoning_effort": "low"},
        {"response_format": {"type": "json_object"}},
        {"stop": ["END"]},
        {"model_kwargs": {"seed": 1}},
        {"extra_body": {"seed": 1}},
        {"pass_back_reasoning": False},
        {"enforce_tool_choice": False},
        {"frequency_penalty": 1},
    )

    def test_the_same_is_asked_once(self, mimo: FakeMiMo, chat: Chat) -> None:
        cache = InMemoryCache()
        first = chat(cache=cache).invoke("Hi")
        assert chat(cache=cache).invoke("Hi").content == first.content
        assert len(mimo.requests) == 1

    def test_anything_else_is_asked_again(self, mimo: FakeMiMo, chat: Chat) -> None:
        cache = InMemoryCache()
        model = "mimo-v2-flash"  # its sampling can be set while it thinks
        chat(cache=cache, model=model).invoke("Hi")
        for number, other in enumerate(self.OTHERS, 2):
            chat(**{"cache": cache, "model": model, **other}).invoke("Hi")
            assert len(mimo.requests) == number, other

    def test_another_gateway_is_another_model(self, mimo: FakeMiMo, chat: Chat) -> None:
        cache = InMemoryCache()
        chat(cache=cache).invoke("Hi")
        with FakeMiMo() as relay:
            model = ChatMiMo(api_key="k", base_url=relay.base_url, cache=cache, max_retries=0)
            model.invoke("Hi")
            assert len(relay.requests) == 1
            model.close()

    def test_calls_with_tools_and_schemas(self, mimo: FakeMiMo, chat: Chat) -> None:
        cache = InMemoryCache()
        schema = {"title": "A", "type": "object", "properties": {"a": {"type": "integer"}}}
        for _ in range(2):
            mimo.queue(Reply(json={"a": 1}))
            assert chat(cache=cache).with_structured_output(schema).invoke("Hi") == {"a": 1}
        assert len(mimo.requests) == 1
        mimo.reset()
        mimo.queue(Reply(json={"a": "no"}), Reply(json={"a": "no"}), Reply(json={"a": 2}))
        other: Any = chat(cache=cache).with_structured_output(schema, include_raw=True)
        assert other.invoke("Hi")["parsing_error"] is not None
        assert chat(cache=cache).with_structured_output(schema).invoke("Hi") == {"a": 1}


class TestProfile:
    def test_what_agents_read(self, chat: Chat) -> None:
        profile: Any = chat(model="mimo-v2.5").profile
        assert profile["max_input_tokens"] == 1_048_576
        assert profile["structured_output"] is False
        assert profile["tool_calling"] is True
        assert profile["image_inputs"] is True
        assert profile["reasoning_output"] is True

    def test_what_newer_versions_of_langchain_want_to_know(self, chat: Chat) -> None:
        """Keys that the installed one does not know are left out: it would warn of them."""
        known = ModelProfile.__annotations__.keys()
        wanted: dict[str, dict[str, Any]] = {
            "mimo-v2.6-pro": {"status": "active", "release_date": "2026-09-22"},
            "mimo-v2.5-pro": {"status": "deprecated", "open_weights": True},
            "mimo-v2.5-tts": {"status": "active", "tool_call_streaming": False},
        }
        for model, keys in wanted.items():
            profile: Any = chat(model=model).profile
            assert profile.keys() <= known
            assert all(profile[key] == keys[key] for key in keys.keys() & known)
        if "reasoning_effort_levels" in known:
            profile = chat().profile
            assert profile["reasoning_effort_levels"] == ["none", "low", "medium", "high"]
            profile = chat(model="mimo-v2.5-tts").profile
            assert "reasoning_effort_levels" not in profile

    @pytest.mark.parametrize("model", MODELS)
    def test_each_model_of_the_table(self, chat: Chat, model: str) -> None:
        info, profile = MODELS[model], chat(model=model).profile
        assert profile is not None
        assert profile["audio_outputs"] is (info.kind == "tts")
        assert profile["video_inputs"] is ("video" in info.inputs)
        assert profile["max_output_tokens"] == info.max_output

    def test_an_unknown_model_has_none(self, chat: Chat) -> None:
        assert not chat(model="mimo-v9").profile


class TestBatches:
    @pytest.fixture
    def echo(self, mimo: FakeMiMo) -> None:
        mimo.respond = lambda request: Reply(
            request.text_of("user"), usage={"prompt_tokens": 2, "completion_tokens": 1}
        )

    @pytest.mark.usefixtures("echo")
    def test_batch(self, chat: Chat) -> None:
        answers = chat().batch(["a", "b", "c"])
        assert [answer.content for answer in answers] == ["a", "b", "c"]

    @pytest.mark.usefixtures("echo")
    def test_batch_as_completed(self, chat: Chat) -> None:
        answers = chat().batch_as_completed(["a", "b", "c"], config={"max_concurrency": 2})
        assert {index: answer.content for index, answer in answers} == {0: "a", 1: "b", 2: "c"}

    async def test_abatch_holds_to_its_concurrency(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.respond = lambda request: Fault(reply=request.text_of("user"), latency=0.03)
        model = chat()
        prompts: list[Any] = [f"{number}" for number in range(12)]
        answers = await model.abatch(prompts, config={"max_concurrency": 3})
        assert [answer.content for answer in answers] == prompts
        assert mimo.connections_open <= 3
        done = [
            i async for i, _ in model.abatch_as_completed(prompts, config={"max_concurrency": 3})
        ]
        assert sorted(done) == list(range(12))
        await model.aclose()

    def test_one_failure_can_be_kept_apart(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.respond = lambda request: Fault("server") if request.text_of("user") == "b" else "fine"
        first, second, third = chat().batch(["a", "b", "c"], return_exceptions=True)
        assert (first.content, third.content) == ("fine", "fine")
        assert type(second).__name__ == "MiMoServerError"

    @pytest.mark.usefixtures("echo")
    def test_generate_adds_the_usage_up(self, chat: Chat) -> None:
        result = chat().generate([[HumanMessage("a")], [HumanMessage("b")]])
        assert [generations[0].text for generations in result.generations] == ["a", "b"]
        assert result.llm_output is not None
        assert result.llm_output["model_name"] == "mimo-v2.6-pro"
        usage = result.llm_output["token_usage"]
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (4, 2)
        assert usage["total_tokens"] == 6

    def test_a_rate_limiter(self, mimo: FakeMiMo, chat: Chat) -> None:
        limiter = InMemoryRateLimiter(requests_per_second=1000, check_every_n_seconds=0.001)
        mimo.queue("a")
        assert chat(rate_limiter=limiter).invoke("Hi").content == "a"


class TestCounting:
    """Offline, and an estimate: MiMo publishes no tokenizer."""

    def count(self, model: ChatMiMo, *messages: Any, **kwargs: Any) -> int:
        return model.get_num_tokens_from_messages(list(messages), **kwargs)

    def test_text(self, chat: Chat) -> None:
        assert chat().get_num_tokens("word " * 100) == 125
        assert chat().get_num_tokens("你好世界吗啊") == 4
        assert self.count(chat(), HumanMessage("word " * 100)) == 129

    def test_reasoning_and_calls_count(self, chat: Chat) -> None:
        plain = AIMessage("Hm.")
        thinking = AIMessage("Hm.", additional_kwargs={"reasoning_content": "word " * 100})
        call = {"name": "f", "args": {"a": "word " * 100}, "id": "1"}
        calling = AIMessage("Hm.", tool_calls=[call])
        assert self.count(chat(), thinking) == self.count(chat(), plain) + 125
        assert self.count(chat(), calling) > self.count(chat(), plain) + 125
        kept_back = chat(pass_back_reasoning=False)
        assert self.count(kept_back, thinking) == self.count(kept_back, plain)

    def test_trim_messages_counts_with_it(self, chat: Chat) -> None:
        history = [HumanMessage("a" * 400), AIMessage("b" * 400), HumanMessage("c" * 400)]
        kept = trim_messages(history, max_tokens=150, token_counter=chat())
        assert kept == history[-1:]

    def test_tools_count(self, chat: Chat) -> None:
        message = HumanMessage("Hi")
        tools = [get_weather, {"type": "web_search", "limit": 1}]
        assert self.count(chat(), message, tools=tools) > self.count(chat(), message) + 30

    @pytest.mark.parametrize("kind", ["image", "audio", "video"])
    def test_base64_does_not(self, chat: Chat, kind: str) -> None:
        """400 kB of base64 are 100,000 tokens to LangChain's own counter."""
        data = {"type": kind, "base64": "A" * 400_000, "mime_type": f"{kind}/x"}
        assert self.count(chat(), HumanMessage(["What is it?", data])) < 5_000
        assert self.count(chat(), ToolMessage([data], tool_call_id="1")) < 5_000
        openais = {"type": "input_audio", "input_audio": {"data": "A" * 400_000, "format": "wav"}}
        assert self.count(chat(), HumanMessage([openais])) < 5_000

    def test_a_tokenizer_of_ones_own(self, chat: Chat) -> None:
        model = chat(custom_get_token_ids=lambda text: list(range(len(text))))
        assert model.get_num_tokens("abc") == 3


def test_a_key_that_is_set_later_is_the_one_that_is_sent(mimo: FakeMiMo) -> None:
    """A service that sets a tenant's key must not ask with another tenant's."""
    model = ChatMiMo(api_key="sk-tenant-0123456789", base_url=mimo.base_url, max_retries=0)
    model.invoke("Hi")
    model.api_key = SecretStr("sk-tenant-another01")
    model.invoke("Hi")
    sent = [request.headers["authorization"] for request in mimo.requests]
    assert sent == ["Bearer sk-tenant-0123456789", "Bearer sk-tenant-another01"]


async def test_an_address_that_is_set_later_is_the_one_that_is_asked(mimo: FakeMiMo) -> None:
    model = ChatMiMo(api_key=KEY, base_url="http://127.0.0.1:9/v1")
    model.base_url = mimo.base_url
    await model.ainvoke("Hi")
    assert len(mimo.requests) == 1


def test_what_cannot_be_set_changes_nothing(mimo: FakeMiMo) -> None:
    model = ChatMiMo(api_key=KEY, base_url=mimo.base_url)
    with pytest.raises(MiMoInvalidRequestError):
        model.base_url = "no address"
    model.model = "mimo-v2.6-flash"
    model.max_tokens = 700
    model.invoke("Hi")
    assert mimo.requests[0].body["model"] == "mimo-v2.6-flash"
    assert mimo.requests[0].body["max_completion_tokens"] == 700
