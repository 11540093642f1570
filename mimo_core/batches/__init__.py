"""Batches: many requests on the vendor's own engine, at half the price, within 24 hours.

    from mimo_core.batches import BatchClient, BatchJob

    prompts = ["Name a river.", "Name a lake."]
    requests = [
        {"model": "mimo-v2.6-flash", "messages": [{"role": "user", "content": prompt}]}
        for prompt in prompts
    ]
    with BatchClient() as client, BatchJob("job.db", client) as job:
        job.add(requests)   # run again after whatever happened, it goes on where it stopped
        job.submit()
        job.wait()
        for result in job.results():
            print(result.response or result.error)

`BatchJob` keeps everything in one file. `BatchClient` alone is the API: files, batches, results.

What is said of the service is the vendor's page as others quoted it in September 2026; nothing here
was ever tried against it.
"""

from mimo_core.batches._job_steps import MAX_RESULTS
from mimo_core.batches._lines import LineResult
from mimo_core.batches._records import ENDED, Batch, Page, RemoteFile
from mimo_core.batches._rows import MAX_LINES
from mimo_core.batches._upload import MAX_FILE
from mimo_core.batches.client import AsyncBatchClient, BatchClient
from mimo_core.batches.job import AsyncBatchJob, BatchJob, JobBatch, JobResult, JobStatus

__all__ = [
    "ENDED",
    "MAX_FILE",
    "MAX_LINES",
    "MAX_RESULTS",
    "AsyncBatchClient",
    "AsyncBatchJob",
    "Batch",
    "BatchClient",
    "BatchJob",
    "JobBatch",
    "JobResult",
    "JobStatus",
    "LineResult",
    "Page",
    "RemoteFile",
]
