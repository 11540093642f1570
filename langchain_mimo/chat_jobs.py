"""What every job of a model is: the interface, and how what came back becomes outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import get_config_list, merge_configs
from pydantic import BaseModel

from langchain_mimo.chat_models import ChatMiMo
from langchain_mimo.errors import MiMoInvalidRequestError, MiMoModelError
from langchain_mimo.job_methods import Configs
from langchain_mimo.job_plan import Plan, take_apart
from langchain_mimo.job_progress import Progress
from mimo_core.batches import JobStatus

POLL = 60.0
Found = tuple[int, AIMessage | MiMoModelError | None]
"""A position, and what came back for it; None where nothing has."""


class Prepared(NamedTuple):
    """What a job is made of."""

    plan: Plan
    inputs: Sequence[Any]
    configs: Sequence[RunnableConfig]
    """One for each input."""
    prompts: Sequence[Any]
    """What comes to the model for each input."""

    def question(self, position: int) -> tuple[ChatMiMo, Any, RunnableConfig, dict[str, Any]]:
        """The model, and the prompt, config and arguments of its `invoke`.

        Args:
            position: of the input.
        """
        config = merge_configs(self.plan.config, self.configs[position])
        return self.plan.model, self.prompts[position], config, self.plan.arguments

    def output(self, found: Found) -> Any:
        """What the chain makes of a message: its output, or the exception of a step."""
        position, message = found
        if (last := self.plan.last) is None or not isinstance(message, AIMessage):
            return message
        try:
            return last.invoke(message, self.configs[position])
        except Exception as error:  # whatever a parser raises is about this line alone
            return error

    async def aoutput(self, found: Found) -> Any:
        """`output`, asynchronously."""
        position, message = found
        if (last := self.plan.last) is None or not isinstance(message, AIMessage):
            return message
        try:
            return await last.ainvoke(message, self.configs[position])
        except Exception as error:
            return error


def planned(
    runnable: Any, inputs: Sequence[Any], config: Configs, kwargs: dict[str, Any]
) -> tuple[Plan, list[Any], list[RunnableConfig]]:
    """The plan of a chain, and each input with its config.

    Args:
        runnable, inputs, config, kwargs: as for `batch_job`.

    Raises:
        MiMoInvalidRequestError: no job can be made of them.
    """
    one_input = (str, bytes, Mapping, BaseModel)  # they could be iterated over as well
    if isinstance(inputs, one_input) or not isinstance(inputs, Iterable):
        raise MiMoInvalidRequestError(
            "inputs must be a list, as for batch: one input for each request.", param="inputs"
        )
    if kwargs.pop("return_exceptions", True) is not True:
        raise MiMoInvalidRequestError(
            "A job's results hold the exceptions, as those of batch(return_exceptions=True) do: "
            "leave return_exceptions out.",
            param="return_exceptions",
        )
    inputs = list(inputs)
    if not inputs:
        raise MiMoInvalidRequestError("There is no input to ask for.", param="inputs")
    try:
        configs = get_config_list(config, len(inputs))
    except ValueError as error:
        raise MiMoInvalidRequestError(f"config: {error}", param="config") from error
    return take_apart(runnable, config, kwargs), inputs, configs


def is_invalid(output: Any) -> bool:
    """Whether an answer came that is not what was asked for.

    Args:
        output: of the chain, in `include_raw`'s form too.
    """
    if isinstance(output, dict) and "parsing_error" in output:
        output = output["parsing_error"]
    return isinstance(output, OutputParserException)


def in_order(found: Iterable[Found], total: int) -> Iterator[Found]:
    """One for each position: those that are missing are None.

    Args:
        found: in the order of their positions.
        total: the number of positions.
    """
    next_one = 0
    for position, what in found:
        for missing in range(next_one, position):
            yield missing, None
        yield position, what
        next_one = position + 1
    for missing in range(next_one, total):
        yield missing, None


class _Job(ABC):
    """What both kinds of job share."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared

    @property
    @abstractmethod
    def path(self) -> str:
        """Of the job's file."""

    @abstractmethod
    def _found(self, *, partial: bool) -> Iterator[Found]:
        """What came back, in the order of the inputs."""

    def _ordered(self, *, partial: bool) -> Iterator[Found]:
        return in_order(self._found(partial=partial), len(self._prepared.inputs))


class ChatJob(_Job):
    """A job, whichever engine works on it. `with` closes its file."""

    @abstractmethod
    def wait(
        self, *, poll: float = POLL, timeout: float | None = None, progress: Progress = True
    ) -> JobStatus:
        """Wait until nothing is in work.

        Args:
            poll: seconds between two looks at the service.
            timeout: seconds in all; default any.
            progress: True for a line on stderr, rewritten on a terminal; or what is called with
                each `JobStatus`.

        Raises:
            MiMoTimeoutError: it took longer than `timeout`; the job goes on.
            MiMoModelError: the service does not answer any more. Wait again later.
        """

    @abstractmethod
    def status(self, *, refresh: bool = True) -> JobStatus:
        """How far it is.

        Args:
            refresh: look at the service first, unless another program does; else what the file
                knows.
        """

    @abstractmethod
    def cancel(self) -> JobStatus:
        """Stop it. What has been answered by then is paid for; `wait` fetches it."""

    @abstractmethod
    def retry(self, positions: Iterable[int] | None = None, *, lost: bool = False) -> int:
        """Ask again for what failed or was not answered. Returns how many.

        Args:
            positions: of inputs, from 0, whose answers so far are dropped; default all that have
                none.
            lost: those too that may have been answered and paid for.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the job's file. What runs goes on."""

    def results(self, *, partial: bool = False) -> Iterator[Any]:
        """The output for each input, in order, read one at a time.

        Args:
            partial: of a job that has not ended, with None for what is not there yet; else that is
                an error.

        Yields:
            What `invoke` returns: an `AIMessage`, or what the chain makes of it. Where there is
            none, the exception: a `MiMoModelError`, or what a step after the model raised.

        Raises:
            MiMoInvalidRequestError: the job has not ended.
        """
        for found in self._ordered(partial=partial):
            yield self._prepared.output(found)

    def invalid(self) -> list[Any]:
        """The inputs that were answered, but not with what was asked for: give them to a second
        job. Raises as `results`."""
        inputs, outputs = self._prepared.inputs, self.results()
        return [one for one, output in zip(inputs, outputs, strict=True) if is_invalid(output)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class AsyncChatJob(_Job):
    """`ChatJob` for asynchronous programs: the same arguments, results and errors."""

    @abstractmethod
    async def wait(
        self,
        *,
        poll: float = POLL,
        timeout: float | None = None,  # noqa: ASYNC109 (nothing is cut off by it)
        progress: Progress = True,
    ) -> JobStatus:
        """As `ChatJob.wait`."""

    @abstractmethod
    async def status(self, *, refresh: bool = True) -> JobStatus:
        """As `ChatJob.status`."""

    @abstractmethod
    async def cancel(self) -> JobStatus:
        """As `ChatJob.cancel`."""

    @abstractmethod
    async def retry(self, positions: Iterable[int] | None = None, *, lost: bool = False) -> int:
        """As `ChatJob.retry`."""

    @abstractmethod
    async def aclose(self) -> None:
        """As `ChatJob.close`."""

    async def results(self, *, partial: bool = False) -> AsyncIterator[Any]:
        """As `ChatJob.results`."""
        for found in self._ordered(partial=partial):
            yield await self._prepared.aoutput(found)

    async def invalid(self) -> list[Any]:
        """As `ChatJob.invalid`."""
        outputs = [output async for output in self.results()]
        inputs = self._prepared.inputs
        return [one for one, output in zip(inputs, outputs, strict=True) if is_invalid(output)]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()
