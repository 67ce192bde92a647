"""The strict Google server's preconditions: every method has those that it is documented to have."""

import json
from typing import Any

import pytest

from tests.servers.plain import Answer, send
from tests.servers.strict_gcs import StrictGcs

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def bucket(strict_gcs: StrictGcs, levers: None) -> str:
    return strict_gcs.make_bucket()


def write(server: StrictGcs, bucket: str, name: str = "x", query: str = "") -> Answer:
    target = f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}{query}"
    return send(server, "POST", target, headers=server.bearer, body=b"data")


def call(server: StrictGcs, method: str, target: str, body: Any = None) -> Answer:
    sent = None if body is None else json.dumps(body).encode()
    return send(server, method, f"/storage/v1/b/{target}", headers=server.bearer | JSON, body=sent)


def conditions(generation: str) -> list[tuple[str, bool]]:
    """Conditions, and whether they hold for this generation of metageneration 1."""
    return [
        (f"ifGenerationMatch={generation}", True),
        ("ifGenerationMatch=1", False),
        ("ifGenerationMatch=0", False),
        (f"ifGenerationNotMatch={generation}", False),
        ("ifGenerationNotMatch=0", True),
        ("ifMetagenerationMatch=1", True),
        ("ifMetagenerationMatch=2", False),
        ("ifMetagenerationNotMatch=1", False),
        ("ifMetagenerationNotMatch=2", True),
        (f"ifGenerationMatch={generation}&ifMetagenerationMatch=2", False),
    ]


def generation(server: StrictGcs, bucket: str, name: str = "x") -> str:
    made: str = json.loads(write(server, bucket, name).body)["generation"]
    return made


@pytest.mark.parametrize("query", ["", "&alt=media"])
def test_conditions_on_reading(strict_gcs: StrictGcs, bucket: str, query: str) -> None:
    for condition, holds in conditions(generation(strict_gcs, bucket)):
        answer = call(strict_gcs, "GET", f"{bucket}/o/x?{condition}{query}")
        missed = 304 if "NotMatch" in condition else 412
        assert answer.status == (200 if holds else missed), condition


def test_conditions_on_writing(strict_gcs: StrictGcs, bucket: str) -> None:
    for position in range(10):
        condition, holds = conditions(generation(strict_gcs, bucket))[position]
        answer = write(strict_gcs, bucket, query=f"&{condition}")
        assert answer.status == (200 if holds else 412), condition
    assert write(strict_gcs, bucket, "new", "&ifGenerationMatch=0").status == 200
    assert write(strict_gcs, bucket, "new", "&ifGenerationMatch=0").status == 412
    assert write(strict_gcs, bucket, "none", "&ifGenerationMatch=1").status == 412


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "x", {"contentType": "a/b"}),
        ("PUT", "x", {"contentType": "a/b"}),
        ("DELETE", "x", None),
        ("POST", "other/rewriteTo/b/BUCKET/o/x", {}),
        ("POST", "other/copyTo/b/BUCKET/o/x", {}),
    ],
)
def test_conditions_on_what_is_changed(
    strict_gcs: StrictGcs, bucket: str, method: str, path: str, body: Any
) -> None:
    write(strict_gcs, bucket, "other")
    for position in range(10):
        condition, holds = conditions(generation(strict_gcs, bucket))[position]
        target = f"{bucket}/o/{path.replace('BUCKET', bucket)}?{condition}"
        answer = call(strict_gcs, method, target, body)
        assert (answer.status < 300, answer.status == 412) == (holds, not holds), condition
    if not holds:
        error = json.loads(answer.body)["error"]
        assert (error["code"], error["errors"][0]["reason"]) == (412, "conditionNotMet")


def test_conditions_on_the_source_of_a_copy(strict_gcs: StrictGcs, bucket: str) -> None:
    for condition, holds in conditions(generation(strict_gcs, bucket)):
        asked = condition.replace("if", "ifSource")
        answer = call(strict_gcs, "POST", f"{bucket}/o/x/rewriteTo/b/{bucket}/o/y?{asked}", {})
        assert answer.status == (200 if holds else 412), asked


def test_conditions_on_composing(strict_gcs: StrictGcs, bucket: str) -> None:
    made = generation(strict_gcs, bucket)
    source = {"name": "x", "objectPreconditions": {"ifGenerationMatch": made}}
    body = {"sourceObjects": [source]}
    target = f"{bucket}/o/y/compose"
    assert call(strict_gcs, "POST", f"{target}?ifGenerationMatch=0", body).status == 200
    assert call(strict_gcs, "POST", f"{target}?ifGenerationMatch=0", body).status == 412
    source["objectPreconditions"] = {"ifGenerationMatch": "1"}
    assert call(strict_gcs, "POST", target, body).status == 412
    source["objectPreconditions"] = {}
    assert call(strict_gcs, "POST", f"{target}?ifGenerationNotMatch=0", body).status == 400


@pytest.mark.parametrize("condition", ["ifgenerationmatch=0", "ifMatch=0", "ifGenerationMatch=x"])
def test_a_condition_that_is_none_is_refused_rather_than_ignored(
    strict_gcs: StrictGcs, bucket: str, condition: str
) -> None:
    assert write(strict_gcs, bucket, query=f"&{condition}").status == 400


def test_conditions_of_the_xml_api_are_headers(strict_gcs: StrictGcs, bucket: str) -> None:
    made = generation(strict_gcs, bucket)

    def ask(method: str, **headers: str) -> Answer:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        body = b"new" if method == "PUT" else None
        return send(
            strict_gcs, method, f"/{bucket}/x", headers=strict_gcs.bearer | named, body=body
        )

    assert ask("GET", x_goog_if_generation_match=made).status == 200
    missed = ask("GET", x_goog_if_generation_match="1")
    assert (missed.status, missed.code) == (412, "PreconditionFailed")
    etag = str(ask("HEAD").headers["ETag"])
    assert [ask("GET", If_None_Match=etag).status, ask("GET", If_Match="other").status] == [
        304,
        412,
    ]
    assert ask("PUT", x_goog_if_generation_match="0").code == "PreconditionFailed"
    assert ask("PUT", x_goog_if_generation_match=made).status == 200
    assert ask("DELETE", x_goog_if_generation_match=made).status == 412
