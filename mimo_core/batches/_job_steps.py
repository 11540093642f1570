"""What a job does, written once for both clients: a step is committed before its request."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from mimo_core._http.exchange import ChatCall
from mimo_core._http.settings import ClientSettings
from mimo_core._redact import Scrubber
from mimo_core.batches._exchanges import (
    CreateCall,
    DeleteCall,
    Download,
    UploadCall,
    cancel_call,
    get_call,
)
from mimo_core.batches._lines import read_line, reading
from mimo_core.batches._records import ENDED, Batch
from mimo_core.batches._rows import Part
from mimo_core.batches._steps import Pause, Steps, Work, finding
from mimo_core.batches._store import Store
from mimo_core.errors import (
    APIConnectionError,
    APITimeoutError,
    InvalidRequestError,
    InvalidResponseError,
    MiMoError,
    NotFoundError,
)

MAX_RESULTS = 4 * 2**30
"""Bytes of results that are read of one file, unless `max_bytes` says otherwise."""
KEPT = 30 * 86_400
"""Seconds for which the service keeps files (vendor's page, quoted September 2026)."""
_FORGOTTEN = (
    "The service does not know batch {batch} any more: it keeps files for 30 days. It may have "
    "been answered and paid for."
)
_LONGEST = 86_400  # seconds from one look to the next: what a batch has in all
_LATE = 5.0  # seconds after which a list shows what was made; nobody says how late it may be
_LOOKS = 4  # at a batch that has ended and of which results are missing
_PATIENCE = 20  # polls in a row that find nobody, before a wait is given up


_OPEN = (
    "Nobody can tell whether a batch of the file {file} was made, and the service does not delete "
    "the file. So nothing is sent again. Is it the key of the same account? Else submit later, or "
    "cancel the job and let it retry what is lost."
)


class Moment(NamedTuple):
    """Where a wait stands."""

    has_ended: bool
    problem: MiMoError | None
    """Why the last look at the service failed; it is tried again."""


def submitting(store: Store, settings: ClientSettings) -> Steps[None]:
    """Upload and create what waits, and what an earlier program left half done."""
    with store.alone():
        yield Work(store.plan)
        yield from _finishing(store, settings)


def _finishing(store: Store, settings: ClientSettings) -> Steps[None]:
    """Bring to its end what a submission began."""
    for part in store.parts("state IN ('planned', 'uploaded', 'creating')"):
        yield from _submitting(store, settings, part)


def _submitting(store: Store, settings: ClientSettings, part: Part) -> Steps[None]:
    if part.state == "creating":  # whoever asked for it never heard the answer
        part = yield from _clearing_up(store, settings, part)
        if part.state == "created":
            return
    if part.state == "planned":
        file = yield UploadCall(settings, store.source(part), part.name)
        part = store.note(part, state="uploaded", file_id=file.id)
    assert part.file_id is not None
    call = CreateCall(settings, part.file_id)
    part = store.note(part, state="creating", created_at=time.time())
    try:
        batch: Batch = yield call
    except MiMoError as error:
        if not call.may_exist:  # refused: the next attempt begins with a new file
            store.note(part, state="planned", file_id=None)
            raise
        part = yield from _looking(store, settings, part)
        if part.state != "created":
            error.args = (
                f"{error} The batch may have been made. Go on with the same job: it looks for "
                "the batch before it makes another one.",
                *error.args[1:],
            )
            raise
        return
    _created(store, part, batch)


def _created(store: Store, part: Part, batch: Batch) -> Part:
    part = store.note(part, state="created", batch_id=batch.id, created_at=time.time())
    return store.note_batch(part, batch)


def _looking(store: Store, settings: ClientSettings, part: Part) -> Steps[Part]:
    """Look for the batch of a part."""
    assert part.file_id is not None
    found = yield from finding(settings, part.file_id)
    return part if found is None else _created(store, part, found)


def _clearing_up(store: Store, settings: ClientSettings, part: Part) -> Steps[Part]:
    """Find out whether a part's batch was made, and make sure that it is not made later.

    A list may be late, and so may a request that is still on its way: without its input file no
    batch can be made any more, and then the list is asked once more.
    """
    part = yield from _looking(store, settings, part)
    if part.state == "created":
        return part
    yield from _deleting(store, settings, part)
    age = time.time() - (part.created_at or 0)
    if age < _LATE:  # also where the clock was set back
        yield Pause(min(_LATE, _LATE - age))
    part = yield from _looking(store, settings, part)
    if part.state == "created":
        return part
    return store.note(part, state="planned", file_id=None)


def _deleting(store: Store, settings: ClientSettings, part: Part) -> Steps[None]:
    """Delete the input file of a part. That it is gone says something only where it was there."""
    asked = f"delete {part.file_id}"
    is_first = store.counted(asked) == 1
    call = DeleteCall(settings, part.file_id or "")
    try:
        yield call
    except NotFoundError as error:
        if not is_first or call.was_repeated or time.time() - (part.created_at or 0) > KEPT:
            return
        store.forget(asked)  # another account's key, or a server that deletes nothing
        error.args = (f"{error} {_OPEN.format(file=part.file_id)}", *error.args[1:])
        raise
    except MiMoError as error:
        if not error.is_retryable:
            error.args = (f"{error} {_OPEN.format(file=part.file_id)}", *error.args[1:])
        raise


def refreshing(store: Store, settings: ClientSettings, max_bytes: int) -> Steps[None]:
    """Ask how the batches are, and fetch the results of those that have ended."""
    with store.alone():
        yield from _refreshing(store, settings, max_bytes)


def _refreshing(
    store: Store, settings: ClientSettings, max_bytes: int, *, with_lost: bool = True
) -> Steps[None]:
    trouble = None
    lost = f" OR {_WITH_LOST}" if with_lost else ""
    for part in store.parts(f"state = 'created'{lost}"):
        try:
            yield from _looking_at(store, settings, part, max_bytes)
        except APIConnectionError:
            raise  # nobody is there for the others either
        except MiMoError as error:  # one batch in trouble keeps no other one's answers away
            if part.state == "created":
                trouble = trouble or error
    if trouble is not None:
        raise trouble


_WITH_LOST = (
    "(batch_id IS NOT NULL AND EXISTS"
    " (SELECT 1 FROM requests WHERE part = parts.id AND requests.state = 'lost'))"
)
"""Of which results are missing: a store that was late may have them now."""


def _looking_at(store: Store, settings: ClientSettings, part: Part, max_bytes: int) -> Steps[None]:
    try:
        batch: Batch = yield get_call(settings, part.batch_id or "")
    except NotFoundError as error:
        if part.state == "fetched":
            return
        if part.created_at is None or time.time() - part.created_at < KEPT:
            error.args = (f"{error} {_NOT_KNOWN.format(batch=part.batch_id)}", *error.args[1:])
            raise
        store.no_more(part, "lost", _FORGOTTEN.format(batch=part.batch_id))
        return
    if batch.has_ended:
        yield from _fetching(store, settings, store.note_batch(part, batch), batch, max_bytes)
    elif part.state != "fetched":
        store.note_batch(part, batch)


def _fetching(
    store: Store, settings: ClientSettings, part: Part, batch: Batch, max_bytes: int
) -> Steps[None]:
    gone = None
    with tempfile.TemporaryFile() as answers, tempfile.TemporaryFile() as errors:
        files = ((part.output_file_id, answers), (part.error_file_id, errors))
        for file_id, file in files:
            if file_id is None:
                continue
            try:
                yield Download(settings, file_id, file, max_bytes)
            except NotFoundError:
                gone = file_id
        call = reading(settings, None)

        def keep() -> None:
            known = store.keep_lines(part, _lines(call, (answers, errors)))
            state, said = _without_result(batch, part, known, gone)
            if (
                state == "lost"
                and known < part.lines
                and store.counted(f"looks at {part.id}") < _LOOKS
            ):
                return  # stores are late: it counts as in work until it was looked at again
            store.no_more(part, state, said)

        yield Work(keep)


def _lines(call: ChatCall, files: tuple[BinaryIO, ...]) -> Iterator[tuple[str, bytes, bool]]:
    """Each result: its `custom_id`, the line without credentials, and whether it is an answer.

    A line that cannot be read belongs to nobody: it keeps no other one's answer away.
    """
    hide = Scrubber(call._secrets)
    for file in files:
        file.seek(0)
        for line in file:
            kept = hide(line.decode("utf-8", "replace")).encode()
            try:
                result = read_line(kept, call)
            except InvalidResponseError:
                yield "", b"", False
            else:
                yield result.custom_id, kept, result.error is None


def _without_result(batch: Batch, part: Part, known: int, gone: str | None) -> tuple[str, str]:
    """The state of requests of which the results have no line, and why.

    Args:
        batch: that has ended.
        part: of the job.
        known: its requests that have a line.
        gone: the file that is not there.
    """
    if gone is not None:
        return "lost", (
            f"The file {gone} of batch {batch.id} is not there any more: the service keeps files "
            "for 30 days. It may have been answered and paid for."
        )
    done = batch.completed or 0
    if batch.status == "completed" or known < done:
        return "lost", (
            f"Batch {batch.id} is {batch.status}, and its results have no line for this request "
            f"that can be read (the service counts {done:,} answers, and {known:,} of "
            f"{part.lines:,} are there). It may have been paid for."
        )
    if batch.status == "failed":
        why = "; ".join(batch.problems) or "the service does not say why"
        return "unanswered", f"Batch {batch.id} failed as a whole: {why}."
    return "unanswered", f"Batch {batch.id} has {_HAS[batch.status]} before it was answered."


_HAS = {"expired": "expired", "cancelled": "been cancelled"}


def waiting(
    store: Store,
    settings: ClientSettings,
    *,
    poll: float,
    timeout: float | None,
    max_bytes: int,
    look: Callable[[Moment], None],
) -> Steps[None]:
    """Look again and again until every batch has ended.

    Args:
        store: of the job.
        settings: of the client.
        poll: seconds from one look to the next.
        timeout: seconds of waiting in all; None for any.
        max_bytes: of one file of results.
        look: called after each look at the service.
    """
    if not 0 <= poll <= _LONGEST:
        raise InvalidRequestError(
            f"poll is {poll!r}; it must be a number of seconds from 0 to a day.", param="poll"
        )
    ends = None if timeout is None else time.monotonic() + timeout
    failures, is_first = 0, True
    while True:
        problem: MiMoError | None = None
        try:
            with store.alone():
                yield from _finishing(store, settings)
                yield from _refreshing(store, settings, max_bytes, with_lost=is_first)
            failures, is_first = 0, False
        except MiMoError as error:
            failures += 1
            if not passes(error) or failures > _PATIENCE:
                raise
            problem = error
        in_work = store.parts("state != 'fetched'")
        look(Moment(not in_work, problem))
        if not in_work:
            return
        if ends is not None and time.monotonic() + poll > ends:
            raise APITimeoutError(
                f"The job has not ended within {timeout:g} s; its batches go on. Wait again later.",
                code="job_not_ended",
            )
        yield Pause(poll)


def passes(error: MiMoError) -> bool:
    """Whether a later look may find what this one did not: a network that is away, a busy job, a
    batch that is not known yet, a gateway's page."""
    odd = isinstance(error, NotFoundError | InvalidResponseError)
    return error.is_retryable or odd or error.code == "job_in_use"


def cancelling(store: Store, settings: ClientSettings) -> Steps[None]:
    """Stop what runs, and send nothing more of what waits. One batch that cannot be stopped keeps
    no other one running."""
    trouble = None
    with store.alone():
        for part in store.parts("state = 'creating'"):
            try:
                yield from _clearing_up(store, settings, part)
            except MiMoError as error:
                if error.is_retryable:
                    trouble = error
                else:  # nobody can tell, and nothing is going to change that
                    store.give_up(part, _UNKNOWN.format(file=part.file_id, why=error))
        yield Work(
            lambda: store.give_up_waiting("The job was cancelled before this request was sent.")
        )
        for part in store.parts("state = 'created'"):
            if part.status in {*ENDED, "cancelling"}:
                continue
            try:
                yield from _stopping(store, settings, part)
            except MiMoError as error:
                trouble = error
    if trouble is not None:
        raise trouble


_NOT_KNOWN = (
    "The job has batch {batch} there: use the key of the account that made it. Or cancel the job, "
    "which gives the batch up; its requests are lost then, and can be sent again as such."
)
_GIVEN_UP = (
    "The service did not know batch {batch} when the job was cancelled: it was made with another "
    "account's key, or is not there any more. It may have been answered and paid for."
)
_UNKNOWN = (
    "Nobody can tell whether a batch of the file {file} was made ({why}). It may have been "
    "answered and paid for."
)


def _stopping(store: Store, settings: ClientSettings, part: Part) -> Steps[None]:
    try:
        batch: Batch = yield cancel_call(settings, part.batch_id or "")
    except MiMoError as error:
        if error.is_retryable:
            raise
        try:
            seen: Batch = yield get_call(settings, part.batch_id or "")
        except NotFoundError:
            store.give_up(part, _GIVEN_UP.format(batch=part.batch_id))
            return
        if not seen.has_ended and seen.status != "cancelling":
            raise
        batch = seen  # it was refused because there is nothing to stop
    store.note_batch(part, batch)
