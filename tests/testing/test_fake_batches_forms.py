"""Uploads as FakeMiMo reads them: whatever a client writes, byte by byte, or nothing at all."""

import threading
from email.message import EmailMessage
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimo_core.testing import BatchPlan, FakeMiMo
from mimo_core.testing.emulator.batch_files import Form, Spool, read_form
from tests.testing.batch_refusals import create, line

MARK = b"the-boundary"
# What a reader of forms takes for an end, in any order.
PIECES = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"--", b"-", MARK, b"--" + MARK, b"\r\n--" + MARK, b"--" + MARK + b"x"]
)
DATA = st.lists(st.one_of(PIECES, st.binary(max_size=9)), max_size=30).map(b"".join)


def encoded(data: bytes, name: str = "in.jsonl", purpose: str = "batch") -> bytes:
    """A form as RFC 7578 has it; the data must not hold its delimiter."""
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n'
    parts = (
        b'Content-Disposition: form-data; name="purpose"\r\n\r\n' + purpose.encode(),
        head.encode() + b"Content-Type: application/jsonl\r\n\r\n" + data,
    )
    body = b"".join(b"--" + MARK + b"\r\n" + part + b"\r\n" for part in parts)
    return body + b"--" + MARK + b"--\r\n"


def read(body: bytes, boundary: str = MARK.decode()) -> Form | None:
    spool = Spool()
    for start in range(0, len(body), 5):
        spool.add(body[start : start + 5])
    return read_form(spool, f'multipart/form-data; boundary="{boundary}"')


def content(form: Form | None) -> bytes | None:
    return None if form is None or form.content is None else b"".join(form.content.pieces())


@given(data=DATA)
def test_a_file_comes_through_byte_by_byte(data: bytes) -> None:
    # As any client does, another boundary is taken for what holds this one.
    kept = data if b"--" + MARK not in data else data.replace(MARK, b"")
    form = read(encoded(kept))
    assert form is not None
    assert content(form) == kept
    assert (form.name, form.fields) == ("in.jsonl", {"purpose": "batch"})


@given(data=DATA, share=st.floats(0, 1))
def test_a_form_that_ends_early_is_none(data: bytes, share: float) -> None:
    """Half a file must not pass for a whole one."""
    body = encoded(data.replace(MARK, b""))
    end = len(body) - 2  # the last line break may be missing
    assert read(body[: int(share * (end - 1))]) is None
    assert read(body[:end]) is not None


@given(name=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20))
def test_the_form_of_an_http_library(name: str) -> None:
    files: Any = {"file": (name, b"{}\n")}
    request = httpx2.Request("POST", "http://x", files=files, data={"purpose": "batch"})
    spool = Spool()
    spool.add(request.read())
    form = read_form(spool, request.headers["content-type"])
    assert content(form) == b"{}\n"
    assert form is not None
    assert form.fields == {"purpose": "batch"}


@pytest.mark.parametrize(
    "kind", ["application/json", "multipart/form-data", "multipart/mixed; boundary=x", "", "x"]
)
def test_another_content_type_is_no_form(kind: str) -> None:
    spool = Spool()
    spool.add(encoded(b"{}"))
    assert read_form(spool, kind) is None


def test_what_stands_before_the_first_boundary_is_passed_over() -> None:
    assert content(read(b"a preamble\r\n" + encoded(b"{}"))) == b"{}"


def test_another_encoder_of_the_standard_library() -> None:
    """`email` writes MIME as it is mailed, which a server meets in old clients."""
    mail = EmailMessage()
    mail.set_type("multipart/form-data")
    mail.set_boundary(MARK.decode())
    part = EmailMessage()
    part.add_header("Content-Disposition", "form-data", name="file", filename="a.jsonl")
    part.set_payload("{}")
    mail.attach(part)
    body = mail.as_bytes().partition(b"\n\n")[2].replace(b"\n", b"\r\n")
    assert content(read(body)) == b"{}"


def test_many_clients_at_once(mimo: FakeMiMo) -> None:
    """Every line of every batch is answered once, whoever looks, lists and reads meanwhile."""
    mimo.batches.default = BatchPlan(["in_progress", "completed"])
    mimo.respond = lambda request: request.text_of("user")
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with httpx2.Client(verify=False, base_url=mimo.base_url) as http:
                said = {"role": "user", "content": f"of {number}"}
                body = {"model": "mimo-v2.6-pro", "messages": [said]}
                batch = create(http, line(body=body)).json()
                while batch["status"] != "completed":
                    http.get("/batches")
                    batch = http.get(f"/batches/{batch['id']}").json()
                assert f"of {number}" in http.get(f"/files/{batch['output_file_id']}/content").text
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert mimo.batches.bill_by_prompt == {f"of {number}": 1 for number in range(8)}
