"""The answers of a job: read as llm reads any answer, logged once, and exported."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, cast

import llm
import sqlite_utils
from llm.logs import LogStore
from llm.parts import StreamEvent

from llm_mimo.answers import Turn
from llm_mimo.batch_estimate import shortened
from llm_mimo.batch_prompts import chat_model, prompt_of
from llm_mimo.chat_models import ChatModel
from llm_mimo.errors import BATCHES, InputError, ModelError, echo, for_the_shell, sentence, shown
from mimo_core.batches import BatchJob, JobResult
from mimo_core.client import Stream
from mimo_core.files import replacing
from mimo_core.models import ModelInfo
from mimo_core.types import CUT_REASONS, ChatResponse

ExportFormat = Literal["text", "csv", "jsonl"]
_BY_ENDING: dict[str, ExportFormat] = {
    "": "text",
    ".txt": "text",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_LOGGED_AT_ONCE = 100


class Answer(NamedTuple):
    """A row of an export."""

    position: int
    """From 1, in the order of the prompts."""
    prompt: str
    response: str
    reasoning: str
    error: str
    """Why there is no answer, or why it will not do; empty where there is nothing to say."""
    input_tokens: int | None
    output_tokens: int | None


class _Recorded(ChatModel):
    """A model whose answer is there already: llm reads and logs it like one that it asked for."""

    def __init__(self, info: ModelInfo, answer: ChatResponse) -> None:
        super().__init__(info)
        self._answer = answer

    def get_key(self, explicit_key: str | None = None) -> str | None:
        """None: nothing is sent."""
        return None

    def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.Response,
        conversation: llm.Conversation | None,
        key: str | None,
    ) -> Iterator[str | StreamEvent]:
        """Yield the answer's events. Raises `ModelError` where it does not fit the schema."""
        attempts = self.attempts(prompt)
        turn = _QuietTurn(attempts, response, (), self.info)
        for chunk in Stream.of(self._answer):
            yield from turn.feed(chunk)
        yield from turn.end(self._answer)
        if turn.request is not None and attempts.check is not None:  # it would be asked for again
            problem = attempts.check.problem(self._answer["choices"][0]["message"])
            raise ModelError(f"The answer does not fit the schema: {sentence(problem)}")


class _QuietTurn(Turn):
    """A turn without a note below each of ten thousand answers."""

    def _add_notes(self) -> None:
        pass


class Answers:
    """The results of a job, one after the other.

    Attributes:
        failed: how many have an error, of those that were read.
        cut: how many were cut at a limit of tokens or by the service.
        unfit: the positions, from 0, of answers that do not fit the schema.
    """

    def __init__(self, job: BatchJob, log: Callable[[llm.Response], None] | None = None) -> None:
        """
        Args:
            job: made by `llm mimo batch submit`.
            log: called with each good answer.

        Raises:
            ModelError: the job is empty, or another program's.
        """
        meta = job.meta
        if not job.status().total:
            raise InputError(
                f"{job.path} holds no prompts. Give it some: llm mimo batch submit PROMPTS --job "
                f"{job.path}."
            )
        if meta.get("host") != "llm":
            raise InputError(
                f"{job.path} was not made by `llm mimo batch submit`, so llm cannot read its "
                "prompts. Read it with the program that made it."
            )
        self._job = job
        self._log = log
        self._meta = meta
        self._model = chat_model(meta["model"])
        self._options = self._model.Options(**meta["options"])
        self.failed = 0
        self.cut = 0
        self.unfit: list[int] = []

    def read(self, *, partial: bool = False) -> Iterator[Answer]:
        """Every result in the order of the prompts, one in memory at a time.

        Args:
            partial: take what is there of a job that has not ended.

        Raises:
            ModelError: the log cannot be written.
        """
        for _, answer in self.pairs(partial=partial):
            yield answer

    def pairs(self, *, partial: bool = True) -> Iterator[tuple[JobResult, Answer]]:
        """What `read` gives, each with the result that it is made of. Arguments as there."""
        for result in self._job.results(partial=partial):
            answer = self._answer(result)
            self.failed += bool(answer.error)
            yield result, answer

    def _answer(self, result: JobResult) -> Answer:
        position, prompt = result.position + 1, json.loads(result.note)["prompt"]
        if result.response is None:
            error = shown(for_the_shell(str(result.error), BATCHES))
            return Answer(position, prompt, "", "", error, None, None)
        choice = result.response["choices"][0]
        message = choice["message"]
        usage = result.response.get("usage") or {}
        self.cut += choice.get("finish_reason") in CUT_REASONS
        text, error = self._read(result, result.response)
        return Answer(
            position,
            prompt,
            text,
            message.get("reasoning_content") or "",
            error,
            usage.get("prompt_tokens"),
            usage.get("completion_tokens"),
        )

    def _read(self, result: JobResult, completion: ChatResponse) -> tuple[str, str]:
        """The text of an answer, and why it will not do."""
        model = _Recorded(self._model.info, completion)
        prompt = prompt_of(result.note, model, self._meta["schema"], self._options)
        response = llm.Response(prompt, model, stream=False, conversation=model.conversation())
        response.id = _log_id(self._meta, result.position, completion)
        try:
            text = response.text()
        except ModelError as error:
            self.unfit.append(result.position)
            return completion["choices"][0]["message"].get("content") or "", error.message
        if self._log is not None:
            self._log(response)
        return text, ""


def _log_id(meta: Mapping[str, Any], position: int, completion: ChatResponse) -> str:
    """The same id for the same answer, so that it is logged once however often it is read.

    A ULID as llm's own: of the time when the job was made, and in the order of the prompts.
    """
    from ulid import ULID

    content = json.dumps(completion, sort_keys=True).encode()
    data = int(meta["made"]).to_bytes(6, "big") + bytes.fromhex(meta["id"])
    data += position.to_bytes(3, "big") + hashlib.sha256(content).digest()[:3]
    return str(ULID(data)).lower()


@contextmanager
def llm_log(*, wanted: bool) -> Iterator[Callable[[llm.Response], None] | None]:
    """llm's own log, as far as the user keeps one.

    Args:
        wanted: False where a command was told not to log.

    Yields:
        What logs a response, unless it is there already; None where nothing is to be logged.

    Raises:
        ModelError: the log cannot be written.
    """
    from llm.cli import logs_db_path, logs_on
    from sqlite_utils.db import AlterError

    if not wanted or not logs_on():
        yield None
        return
    path = logs_db_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite_utils.Database(path)) as db:
            log = _Log(db, LogStore(db))
            yield log.add
            log.write()
    except (sqlite3.Error, AlterError) as error:  # a log that was half made when llm was killed
        raise ModelError(
            f"llm's log {path} cannot be written: {sentence(error)} Try again, or add --no-log."
        ) from error


class _Log:
    """Writes many responses at once, because each commit waits for the disk."""

    def __init__(self, db: sqlite_utils.Database, store: LogStore) -> None:
        self._db, self._store = db, store
        self._waiting: list[llm.Response] = []

    def add(self, response: llm.Response) -> None:
        """Log a response soon."""
        self._waiting.append(response)
        if len(self._waiting) >= _LOGGED_AT_ONCE:
            self.write()

    def write(self) -> None:
        """Log what waits and is not there already."""
        with self._db.atomic():
            for response in self._waiting:
                if not self._db["turns"].count_where("id = ?", [response.id]):
                    self._store.log(response)
        self._waiting.clear()


# Exports


def export_format(given: str | None, output: str | None) -> ExportFormat:
    """How answers are written.

    Args:
        given: what the user asked for: one of `ExportFormat`.
        output: the file, whose ending may say it.

    Returns:
        `given`, else what the ending says; stdout and a file without an ending get `text`.

    Raises:
        ModelError: the ending is none of those that are known.
    """
    ending = Path(output or "").suffix.lower()
    if given is None and ending not in _BY_ENDING:
        raise InputError(
            f"{output}: answers are written to .csv, .jsonl, .ndjson and .txt. Name such a file, "
            "or add --csv or --jsonl, which go to any file."
        )
    return cast("ExportFormat", given) or _BY_ENDING[ending]


def check_output(output: str | None, job: str) -> None:
    """Refuse to write over the job itself.

    Args:
        output: the file of an export; None is stdout.
        job: the job's file.

    Raises:
        ModelError: they are the same.
    """
    if output is not None and os.path.exists(output) and os.path.samefile(output, job):
        raise InputError(f"{output} is the job itself: name another file with -o.")


def export(answers: Iterable[Answer], format: ExportFormat, output: str | None) -> None:
    """Write answers to a file, whole or not at all, or to stdout as they are read.

    Args:
        answers: in their order.
        format: of the export.
        output: the file; None is stdout.

    Raises:
        ModelError: the file cannot be written; what stood there stays.
    """
    pieces = _FORMATS[format](answers)
    if output is None:
        for piece in pieces:
            echo(piece.removesuffix("\n"))
        return
    try:
        with _replacing(output) as file:
            for piece in pieces:
                file.write(piece)
    except OSError as error:  # it may name the file that is written beside it
        raise ModelError(f"{output} cannot be written: {error.strerror or error}.") from error


@contextmanager
def _replacing(path: str) -> Iterator[IO[str]]:
    """The text of a new file. Half a surrogate pair, which models can write, is no UTF-8."""
    opened: AbstractContextManager[Any] = replacing(path)
    with opened as file:
        text = io.TextIOWrapper(file, "utf-8", errors="backslashreplace", newline="")
        yield text
        text.flush()
        text.detach()  # the file is closed by whoever opened it


def _as_text(answers: Iterable[Answer]) -> Iterator[str]:
    for answer in answers:
        said = answer.response.strip("\n")
        if answer.error:
            said = f"{said}\nError: {answer.error}".lstrip("\n")
        yield f"[{answer.position}] {shortened(answer.prompt)}\n{said}\n\n"


def _as_csv(answers: Iterable[Answer]) -> Iterator[str]:
    yield _csv_line(Answer._fields)
    for answer in answers:
        yield _csv_line(answer)


def _csv_line(values: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()


def _as_jsonl(answers: Iterable[Answer]) -> Iterator[str]:
    for answer in answers:
        yield json.dumps(answer._asdict(), ensure_ascii=False) + "\n"


_FORMATS: dict[ExportFormat, Callable[[Iterable[Answer]], Iterator[str]]] = {
    "text": _as_text,
    "csv": _as_csv,
    "jsonl": _as_jsonl,
}
