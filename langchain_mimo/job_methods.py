"""`batch_job` and `abatch_job` as methods of a model, and of one with something bound to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Coroutine, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, cast

from langchain_core.language_models.base import LanguageModelInput
from langchain_core.runnables import RunnableBinding, RunnableConfig
from pydantic import ConfigDict

from langchain_mimo.errors import MiMoInvalidRequestError
from mimo_core.threads import in_thread

if TYPE_CHECKING:
    from langchain_core.language_models.chat_models import _ChatModelBinding as _Binding

    from langchain_mimo.chat_jobs import AsyncChatJob, ChatJob
else:  # LangChain resolves the hints of a model's methods, and their modules bring SQLite
    AsyncChatJob = ChatJob = Any
    _Binding = RunnableBinding  # pydantic makes another class for the parameters: 1 ms

Configs = RunnableConfig | list[RunnableConfig] | None
Engine = Literal["batch", "realtime"]


class JobMethods:
    """What `ChatMiMo` and its bindings have in common."""

    def batch_job(
        self,
        inputs: Sequence[LanguageModelInput],
        config: Configs = None,
        *,
        path: str | os.PathLike[str],
        engine: Engine = "batch",
        **kwargs: Any,
    ) -> ChatJob:
        """All `inputs` on the vendor's batch engine, at half the price, within 24 hours.

        The job is kept in the file `path`: called again with the same inputs, whatever happened
        meanwhile, it goes on where it was. `job.wait()`, then `job.results()`.

        Args:
            inputs: as for `batch`.
            config: as for `batch`; the model's run is told to no callback.
            path: of the job's file.
            engine: `"realtime"` asks for them one by one instead, within the account's limits.
            kwargs: as for `invoke`, and those of `langchain_mimo.batch_job`, which also takes
                `with_structured_output(…)` and `prompt | model`, and says what is promised.

        Raises:
            MiMoModelError: an input is no prompt, the file holds another job, or the service did
                not take it.
        """
        from langchain_mimo.batch_jobs import batch_job  # brings SQLite

        _refuse_a_lossy_binding()
        return batch_job(cast("Any", self), inputs, config, path=path, engine=engine, **kwargs)

    def abatch_job(
        self,
        inputs: Sequence[LanguageModelInput],
        config: Configs = None,
        *,
        path: str | os.PathLike[str],
        engine: Engine = "batch",
        **kwargs: Any,
    ) -> Coroutine[Any, Any, AsyncChatJob]:
        """`batch_job` for asynchronous programs; the arguments and errors are the same."""
        _refuse_a_lossy_binding()  # in the caller's frame, so this is no coroutine itself
        return _abatch_job(self, inputs, config, path=path, engine=engine, **kwargs)


class MiMoBinding(JobMethods, _Binding):
    """LangChain's binding, whose `batch_job` keeps what is bound: LangChain's own passes unknown
    methods on without it."""

    model_config = ConfigDict(defer_build=True)

    @classmethod
    def lc_id(cls) -> list[str]:
        """Written down as LangChain's, which is what it is read as."""
        return [*RunnableBinding.get_lc_namespace(), "RunnableBinding"]

    @classmethod
    def of(cls, binding: Any) -> MiMoBinding:
        """The same binding, as one of these.

        Args:
            binding: LangChain's, of a `ChatMiMo`.
        """
        return cls(
            bound=binding.bound,
            kwargs=binding.kwargs,
            config=binding.config,
            config_factories=binding.config_factories,
        )


async def _abatch_job(*arguments: Any, **kwargs: Any) -> AsyncChatJob:
    module: Any = await in_thread(lambda: import_module("langchain_mimo.batch_jobs"))
    job: AsyncChatJob = await module.abatch_job(*arguments, **kwargs)
    return job


def _refuse_a_lossy_binding() -> None:
    """A binding that was made by hand calls the model's method and leaves bound tools out."""
    if sys._getframe(2).f_globals.get("__name__") == RunnableBinding.__module__:
        raise MiMoInvalidRequestError(
            "LangChain does not pass on what is bound here. Call langchain_mimo.batch_job(…) or "
            "abatch_job(…) with this runnable before the inputs: they keep it.",
            param="path",
        )
