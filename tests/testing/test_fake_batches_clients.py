"""Foreign clients of files and batches: that they parse it shows that the answers are real ones.

The lines are written by hand, as OpenAI's guide has it, and the results are read in the same way.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mimo_core.batches import BatchClient, BatchJob
from mimo_core.errors import APIConnectionError
from mimo_core.testing import BatchPlan, FakeMiMo, Fault
from tests.conftest import KEY

openai = pytest.importorskip("openai")


@pytest.fixture
def mimo() -> Iterator[FakeMiMo]:
    """The batch host, which knows one key."""
    with FakeMiMo(keys=[KEY], serves="batches") as mimo:
        yield mimo


@pytest.fixture
def client(mimo: FakeMiMo) -> Iterator[Any]:
    with openai.OpenAI(api_key=KEY, base_url=mimo.base_url, max_retries=0) as client:
        yield client


def line(custom_id: str, prompt: str) -> str:
    body = {"model": "mimo-v2.6-flash", "messages": [{"role": "user", "content": prompt}]}
    return json.dumps(
        {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}
    )


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.jsonl"
    path.write_text("\n".join([line("river", "Name a river."), line("lake", "Name a lake.")]))
    return path


def create(client: Any, path: Path) -> Any:
    with path.open("rb") as file:
        uploaded = client.files.create(file=file, purpose="batch")
    return client.batches.create(
        input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h"
    )


def test_openais_sdk_from_the_upload_to_the_results(
    mimo: FakeMiMo, client: Any, prompts: Path
) -> None:
    mimo.when(content="river").answer("The Loire.")
    mimo.when(content="lake").answer(Fault("moderation"))
    batch = create(client, prompts)
    states = [batch.status]
    while batch.status not in {"completed", "failed", "expired", "cancelled"}:
        batch = client.batches.retrieve(batch.id)
        states.append(batch.status)
    assert states == ["validating", "in_progress", "finalizing", "completed"]
    counts = batch.request_counts
    assert (counts.total, counts.completed, counts.failed) == (2, 1, 1)
    answer = json.loads(client.files.content(batch.output_file_id).text)
    assert answer["custom_id"] == "river"
    assert answer["response"]["body"]["choices"][0]["message"]["content"] == "The Loire."
    error = json.loads(client.files.content(batch.error_file_id).text)
    assert (error["custom_id"], error["response"]["status_code"]) == ("lake", 400)
    assert mimo.batches.bill_by_prompt == {"Name a river.": 1}


def test_openais_sdk_lists_all_pages(client: Any, prompts: Path) -> None:
    ids = [create(client, prompts).id for _ in range(5)]
    assert [batch.id for batch in client.batches.list(limit=2)] == ids[::-1]
    files = list(client.files.list(purpose="batch", limit=2))
    assert len(files) == 5
    assert {file.filename for file in files} == {"prompts.jsonl"}
    assert client.files.retrieve(files[0].id).bytes == prompts.stat().st_size
    assert client.files.delete(files[0].id).deleted


def test_openais_sdk_cancels(client: Any, prompts: Path) -> None:
    batch = client.batches.cancel(create(client, prompts).id)
    assert batch.status == "cancelling"
    assert client.batches.retrieve(batch.id).status == "cancelling"
    batch = client.batches.retrieve(batch.id)
    assert batch.status == "cancelled"
    assert batch.cancelled_at >= batch.cancelling_at >= batch.created_at
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(batch.id)


def test_openais_sdk_gets_errors_of_its_own(mimo: FakeMiMo, client: Any, prompts: Path) -> None:
    with pytest.raises(openai.NotFoundError):
        client.files.content("file-0")
    with pytest.raises(openai.BadRequestError, match="Param Incorrect"):
        client.batches.create(
            input_file_id="file-0", endpoint="/v1/chat/completions", completion_window="24h"
        )
    with pytest.raises(openai.NotFoundError):  # the batch host serves nothing else
        client.models.list()
    prompts.write_text(line("a", "x") + "\n" + line("a", "y"))
    mimo.batches.queue(BatchPlan("completed"))
    batch = create(client, prompts)
    assert batch.status == "failed"
    assert [(one.line, one.param) for one in batch.errors.data] == [(2, "custom_id")]


def test_a_stranger_and_a_job_see_the_same(mimo: FakeMiMo, client: Any, tmp_path: Path) -> None:
    """What our own job has sent, read by OpenAI's SDK."""
    with (
        BatchClient(KEY, batch_base_url=mimo.base_url) as ours,
        BatchJob(tmp_path / "job.db", ours) as job,
    ):
        asked = {"model": "mimo-v2.6-flash", "messages": [{"role": "user", "content": "Hi"}]}
        job.add([asked])
        job.submit()
        job.wait(poll=0)
        (batch,) = client.batches.list()
        (result,) = job.results()
    sent = json.loads(client.files.content(batch.input_file_id).text)
    assert sent["body"]["messages"] == asked["messages"]
    read = json.loads(client.files.content(batch.output_file_id).text)
    assert result.response is not None
    assert (
        read["response"]["body"]["choices"][0]["message"]["content"]
        == result.response["choices"][0]["message"]["content"]
    )


@pytest.mark.parametrize("late", [0, 1])
def test_a_job_pays_once_whatever_becomes_of_its_create(
    mimo: FakeMiMo, tmp_path: Path, late: int
) -> None:
    """A create that happens and is not answered, and a list that does not know of it at once."""
    mimo.batches.queue(BatchPlan(unlisted=late))
    mimo.batches.fail("create", Fault(cut="before_headers"))
    with (
        BatchClient(KEY, batch_base_url=mimo.base_url) as ours,
        BatchJob(tmp_path / "job.db", ours) as job,
    ):
        job.add([{"model": "mimo-v2.6-flash", "messages": [{"role": "user", "content": "Hi"}]}])
        if late:
            with pytest.raises(APIConnectionError, match="Go on with the same job"):
                job.submit()
        job.submit()
        job.wait(poll=0)
        assert job.status().answered == 1
    assert mimo.batches.bill_by_prompt == {"Hi": 1}
