"""A realtime job's requests on their way into its file, and what came back on its way out."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator

from langchain_core.messages import AIMessage

from langchain_mimo.chat_jobs import Found, Prepared
from langchain_mimo.credentials import masked
from langchain_mimo.errors import MiMoInvalidRequestError, MiMoServerError
from langchain_mimo.realtime_answers import error_from, message_from
from langchain_mimo.realtime_file import RealtimeFile
from mimo_core.token_estimate import tokens_in_request


class Requests:
    """The requests of a job, in the form that its file and its limiter need.

    Args:
        prepared: what the job is made of.

    Attributes:
        digests: of each request: a hash of all that can change its answer.
        tokens: of each, estimated.

    Raises:
        MiMoInvalidRequestError: one cannot be sent.
    """

    def __init__(self, prepared: Prepared) -> None:
        self.digests: list[str] = []
        self.tokens: list[int] = []
        where = prepared.plan.model._client.endpoint.base_url
        for number, prompt in enumerate(prepared.prompts, 1):
            try:
                call = prepared.plan.call(prompt)
            except MiMoInvalidRequestError as error:
                error.args = (f"Input {number}: {error}", *error.args[1:])
                raise
            request = call.attempts.request
            options = {name: masked(value) for name, value in call.options.items()}
            asked = [where, sorted(request.items()), sorted(options.items())]
            try:
                said = json.dumps(asked, default=repr)
            except (TypeError, ValueError, RecursionError) as error:
                raise MiMoInvalidRequestError(
                    f"Input {number} cannot be written as JSON: {error}.", param="inputs"
                ) from error
            self.digests.append(hashlib.sha256(said.encode()).hexdigest())
            self.tokens.append(tokens_in_request(request["messages"], request.get("tools") or ()))


def opened_file(path: str | os.PathLike[str], prepared: Prepared) -> tuple[RealtimeFile, list[int]]:
    """The job's file with the requests in it, and the estimated tokens of each.

    Args:
        path: of the file.
        prepared: what the job is made of.

    Raises:
        MiMoInvalidRequestError: a request cannot be sent, or the file holds others.
    """
    requests = Requests(prepared)
    file = RealtimeFile(path)
    try:
        file.add(requests.digests)
    except BaseException:
        file.close()
        raise
    return file, requests.tokens


def found_in(file: RealtimeFile, prepared: Prepared, *, partial: bool) -> Iterator[Found]:
    """What a file holds, in order.

    Args:
        file: of the job.
        prepared: what the job is made of.
        partial: whether it need not have ended.

    Raises:
        MiMoInvalidRequestError: it has not ended.
    """
    status = file.status()
    if not partial and not status.has_ended:
        raise MiMoInvalidRequestError(
            f"{file.path} has not ended: {status.waiting + status.sent:,} of {status.total:,} "
            "requests have no answer. Call wait() first, or pass partial=True.",
            param="partial",
        )
    for position, state, answer in file.answers():
        if answer is None:
            yield (
                position,
                MiMoServerError(
                    "The job was cancelled before this request was sent. retry() asks for it."
                ),
            )
        elif state == "failed":
            yield position, error_from(answer)
        else:
            yield position, _whole(prepared, message_from(answer))


def _whole(prepared: Prepared, message: AIMessage) -> AIMessage:
    prepared.plan.parse_again(message)
    return message
