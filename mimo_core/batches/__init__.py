"""Batches: many requests on the vendor's own engine, at half the price, within 24 hours.

    import time

    from mimo_core.batches import BatchClient

    with BatchClient() as client:
        with open("prompts.jsonl", "wb") as file:
            for number, prompt in enumerate(["Name a river.", "Name a lake."]):
                messages = [{"role": "user", "content": prompt}]
                request = {"model": "mimo-v2.6-flash", "messages": messages}
                file.write(client.line(request, f"{number}"))
        batch = client.create(client.upload("prompts.jsonl").id)
        while not (batch := client.get(batch.id)).has_ended:
            time.sleep(60)
        answers = {result.custom_id: result for result in client.results(batch)}

What is said of the service is the vendor's page as others quoted it in September 2026; nothing here
was ever tried against it.
"""

from mimo_core.batches._lines import LineResult
from mimo_core.batches._records import ENDED, Batch, Page, RemoteFile
from mimo_core.batches._upload import MAX_FILE
from mimo_core.batches.client import MAX_RESULTS, AsyncBatchClient, BatchClient

__all__ = [
    "ENDED",
    "MAX_FILE",
    "MAX_RESULTS",
    "AsyncBatchClient",
    "Batch",
    "BatchClient",
    "LineResult",
    "Page",
    "RemoteFile",
]
