"""A chain taken apart: the model, what is bound to it, the steps before and after it. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Any

from langchain_core.language_models import BaseLanguageModel
from langchain_core.language_models._utils import _normalize_messages
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import (
    Runnable,
    RunnableBinding,
    RunnableConfig,
    RunnableParallel,
    RunnablePassthrough,
    RunnableSequence,
)
from langchain_core.runnables.config import merge_configs
from langchain_core.runnables.configurable import DynamicRunnable

from langchain_mimo.aliases import check_collisions
from langchain_mimo.answers import to_result
from langchain_mimo.calls import Call
from langchain_mimo.chat_models import ChatMiMo
from langchain_mimo.credentials import sealed_arguments
from langchain_mimo.errors import MiMoInvalidRequestError, model_errors
from langchain_mimo.job_methods import Configs
from mimo_core.types import ChatResponse

_TAKEN = (
    "A job takes a ChatMiMo, one with something bound to it, with_structured_output(…), and a "
    "sequence around one of these, such as prompt | model"
)
_FOR_TRACES = ("ls_structured_output_format", "structured_output_format")


@dataclass(frozen=True)
class Plan:
    """What is done for each input, in three parts.

    Attributes:
        model: the one model.
        arguments: that are bound to it or given with the job.
        config: that is bound to it.
        before: the steps from the input to the prompt.
        after: the steps from the message to the output.
    """

    model: ChatMiMo
    arguments: dict[str, Any]
    config: RunnableConfig
    before: tuple[Runnable[Any, Any], ...] = ()
    after: tuple[Runnable[Any, Any], ...] = ()

    @property
    def first(self) -> Runnable[Any, Any] | None:
        """All steps before the model as one; None where there is none."""
        return reduce(or_, self.before) if self.before else None

    @property
    def last(self) -> Runnable[Any, Any] | None:
        """All steps after the model as one."""
        return reduce(or_, self.after) if self.after else None

    def call(self, prompt: Any) -> Call:
        """The call that `invoke` would make.

        Args:
            prompt: what comes to the model.

        Raises:
            MiMoModelError: it is no prompt, or an argument is not what it should be.
        """
        arguments = sealed_arguments(self.arguments)
        with model_errors():
            check_collisions(arguments)
            messages = _normalize_messages(self.model._convert_input(prompt).to_messages())
            stop = arguments.pop("stop", None)
            for name in _FOR_TRACES:
                arguments.pop(name, None)
            return self.model._call(messages, stop, arguments)

    def message(self, response: ChatResponse) -> AIMessage:
        """The message that `invoke` would make of an answer, without the id of a run.

        Args:
            response: the only answer: nothing is asked again.

        Raises:
            MiMoModelError: it is not what was asked for.
        """
        call = self.call("-")  # what an answer must be, no prompt says
        with model_errors():
            if (check := call.attempts.check) is not None:
                call.attempts.check = replace(check, max_attempts=1)
            call.attempts.accepts(response)
            result = call.finish(to_result(response, call.attempts))
        return _as_langchain_does(result, self.model.output_version)

    def parse_again(self, message: AIMessage) -> None:
        """Add what a file could not keep of a message: `additional_kwargs["parsed"]`."""
        generation = ChatGeneration(message=message)
        self.call("-").parse(generation, generation.text)


def _as_langchain_does(result: ChatResult, output_version: str | None) -> AIMessage:
    """What `BaseChatModel` adds to a model's answer (langchain-core 1.8)."""
    (generation,) = result.generations
    message = generation.message
    assert isinstance(message, AIMessage)
    if output_version == "v1":
        metadata = {**message.response_metadata, "output_version": "v1"}
        message = message.model_copy(
            update={"content": message.content_blocks, "response_metadata": metadata}
        )
    message.response_metadata = {
        **(result.llm_output or {}),
        **(generation.generation_info or {}),
        **message.response_metadata,
    }
    return message


def take_apart(
    runnable: Any, config: Configs = None, arguments: dict[str, Any] | None = None
) -> Plan:
    """The plan of a chain.

    Args:
        runnable: the chain.
        config: what its configurable fields are set by.
        arguments: given with the job, as `invoke` takes them.

    Raises:
        MiMoInvalidRequestError: no job can be made of it.
    """
    plan = _take_apart(runnable, config)
    if arguments and plan.before:
        raise MiMoInvalidRequestError(
            f"{next(iter(arguments))!r} is for the model, which is not the first step: bind it "
            "there, as in prompt | model.bind(…).",
            param=next(iter(arguments)),
        )
    return replace(plan, arguments={**plan.arguments, **(arguments or {})})


def _take_apart(runnable: Any, config: Configs) -> Plan:
    if isinstance(runnable, ChatMiMo):
        return Plan(runnable, {}, {})
    if isinstance(runnable, DynamicRunnable):
        if isinstance(config, list):
            raise MiMoInvalidRequestError(
                "A job has one model: give one config, not a list, to set its fields.",
                param="config",
            )
        prepared, own = runnable.prepare(config)
        return _under(_take_apart(prepared, config), own if runnable.config else {})
    if isinstance(runnable, RunnableBinding):
        return _take_binding_apart(runnable, config)
    if isinstance(runnable, RunnableSequence):
        return _take_sequence_apart(runnable.steps, config)
    if isinstance(runnable, RunnableParallel) and len(runnable.steps__) == 1:
        ((name, step),) = runnable.steps__.items()
        named: Runnable[Any, Any] = RunnableParallel({name: RunnablePassthrough()})
        plan = _take_apart(step, config)
        return replace(plan, after=(*plan.after, named))
    raise MiMoInvalidRequestError(f"{_TAKEN}; not a {type(runnable).__name__}.", param="runnable")


def _take_binding_apart(binding: RunnableBinding[Any, Any], config: Configs) -> Plan:
    inner = config if isinstance(config, list) else merge_configs(binding.config, config)
    plan = _take_apart(binding.bound, inner)
    if binding.config_factories:
        raise MiMoInvalidRequestError(
            f"{_TAKEN}; not listeners: a batch tells them nothing. Leave them out.",
            param="runnable",
        )
    if binding.kwargs and plan.before:
        raise MiMoInvalidRequestError(
            f"{_TAKEN}; not arguments that are bound to a whole sequence, whose first step they "
            "go to. Bind them to the model.",
            param="runnable",
        )
    return replace(_under(plan, binding.config), arguments={**plan.arguments, **binding.kwargs})


def _under(plan: Plan, config: RunnableConfig) -> Plan:
    """A plan all parts of which have a config."""
    if not config:
        return plan
    return replace(
        plan,
        config=merge_configs(config, plan.config),
        before=tuple(step.with_config(config) for step in plan.before),
        after=tuple(step.with_config(config) for step in plan.after),
    )


def _take_sequence_apart(steps: Sequence[Runnable[Any, Any]], config: Configs) -> Plan:
    asking = [number for number, step in enumerate(steps) if _holds_model(step)]
    if len(asking) != 1:
        raise MiMoInvalidRequestError(
            f"{_TAKEN}; not a sequence with {len(asking) or 'no'} models: make a job for each.",
            param="runnable",
        )
    (number,) = asking
    plan = _take_apart(steps[number], config)
    return replace(
        plan, before=(*steps[:number], *plan.before), after=(*plan.after, *steps[number + 1 :])
    )


def _holds_model(step: Any) -> bool:
    """Whether a step asks a model, whatever it is wrapped in."""
    if isinstance(step, BaseLanguageModel):
        return True
    if isinstance(step, RunnableSequence):
        return any(map(_holds_model, step.steps))
    if isinstance(step, RunnableParallel):
        return any(map(_holds_model, step.steps__.values()))
    own = getattr(step, "__dict__", {})
    return any(_holds_model(own[name]) for name in ("bound", "runnable", "default") if name in own)
