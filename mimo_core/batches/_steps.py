"""What takes several requests, written once: a generator yields each and gets its answer."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Generic, NamedTuple, TypeVar

from mimo_core._http.exchange import Exchange
from mimo_core._http.settings import ClientSettings
from mimo_core.batches._exchanges import CreateCall, list_call
from mimo_core.batches._records import Batch, Page
from mimo_core.errors import InvalidResponseError, MiMoError

Result = TypeVar("Result")


class Pause(NamedTuple):
    """Nothing is to be done for so many seconds."""

    seconds: float


class Work(NamedTuple):
    """Something that takes the disk's time: not to be done in an event loop's thread."""

    do: Callable[[], Any]


Step = Exchange[Any] | Pause | Work
Steps = Generator[Step, Any, Result]
_PAGE = 100
_MOST_PAGES = 1000


class Run(Generic[Result]):
    """Steps under way.

    Attributes:
        call: what is to be asked or done next; None where the steps have ended.
        result: of the steps that have ended.
    """

    result: Result

    def __init__(self, steps: Steps[Result]) -> None:
        self._steps = steps
        self.call: Step | None = None
        self._go_on(steps.send, None)

    def answered(self, answer: Any) -> None:
        """Go on with the answer to `call`."""
        self._go_on(self._steps.send, answer)

    def failed(self, error: MiMoError) -> None:
        """Go on with the error of `call`. Raises it where the steps do not take it."""
        self._go_on(self._steps.throw, error)

    def close(self) -> None:
        """Let go of what the steps hold, at once, however they ended: a traceback that somebody
        keeps would keep the job's lock."""
        self._steps.close()

    def _go_on(self, move: Callable[[Any], Step], value: Any) -> None:
        try:
            self.call = move(value)
        except StopIteration as end:
            self.call, self.result = None, end.value


def creating(settings: ClientSettings, input_file_id: str) -> Steps[Batch]:
    """Create a batch. Where nobody can tell whether that has happened, look for it, once."""
    call = CreateCall(settings, input_file_id)
    try:
        created: Batch = yield call
        return created
    except MiMoError as error:
        if not call.may_exist:
            raise
        failure = error
    try:
        found = yield from finding(settings, input_file_id)
    except MiMoError:
        found = None
    if found is not None:
        return found
    failure.args = (
        f"{failure} The batch may have been made: look for its input file {input_file_id} with "
        "find() before you create another.",
        *failure.args[1:],
    )
    raise failure


def finding(settings: ClientSettings, input_file_id: str) -> Steps[Batch | None]:
    """The newest batch of an input file, or None where the whole list has none."""
    after: str | None = None
    for _ in range(_MOST_PAGES):
        page: Page = yield list_call(settings, _PAGE, after)
        for batch in page.batches:
            if batch.input_file_id == input_file_id:
                return batch
        if page.after is None or page.after == after:
            return None
        after = page.after
    raise InvalidResponseError("The list of batches does not end. Check base_url.")
