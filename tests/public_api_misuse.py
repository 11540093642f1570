# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Mistakes that mypy and pyright both find: each silences one complaint, and an ignore that does
not is an error itself. Without this, a public type that became `Any` would pass every check."""

from typing import TypedDict

from pydantic import BaseModel

from langchain_mimo import ChatMiMo
from mimo_core import MiMoClient
from mimo_core.testing import FakeMiMo


class Meeting(BaseModel):
    topic: str


class Invitation(TypedDict):
    topic: str


def take_another_field(model: ChatMiMo) -> None:
    str(model.with_structured_output(Meeting).invoke("…").title)  # type: ignore[attr-defined]
    str(model.with_structured_output(Invitation).invoke("…")["title"])  # type: ignore[typeddict-item]
    str(model.with_structured_output(Meeting, include_raw=True).invoke("…")["answer"])  # type: ignore[typeddict-item]
    str(model.with_structured_output(Meeting, include_raw=True).invoke("…")["parsed"].topic)  # type: ignore[union-attr]
    str(model.with_structured_output().invoke("…").topic)  # type: ignore[attr-defined]
    str(model.bind_tools([]).invoke("…").txt)  # type: ignore[attr-defined]


def give_other_arguments(model: ChatMiMo) -> None:
    str(model.with_structured_output(Meeting, method="yaml"))  # type: ignore[call-overload]
    str(model.with_structured_output(Meeting, max_attempts="2"))  # type: ignore[call-overload]
    str(model.bind_tools(print))  # type: ignore[arg-type]
    ChatMiMo(modle="mimo-v2.6-pro")  # type: ignore[call-arg]
    MiMoClient(max_retries="1")  # type: ignore[arg-type]
    MiMoClient().chat("please introduce yourself")  # type: ignore[arg-type]
    str(MiMoClient().chat({})["choices"][0]["mesage"])  # type: ignore[typeddict-item]
    FakeMiMo().queue(42)  # type: ignore[arg-type]
