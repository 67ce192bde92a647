"""Failures: their kinds, what they carry, and how foreign ones become them."""

import asyncio
import errno
import pickle

import pytest

from storeroom.contracts import errors
from storeroom.contracts.body import Body
from storeroom.contracts.errors import (
    AlreadyExists,
    NotFound,
    StorageError,
    Timeout,
    Unavailable,
    Unsupported,
    from_os_error,
    translating,
)

BUILTINS: dict[str, type[Exception]] = {
    "NotFound": FileNotFoundError,
    "AlreadyExists": FileExistsError,
    "PermissionDenied": PermissionError,
    "Obstructed": OSError,
    "InvalidArgument": ValueError,
    "InvalidPath": ValueError,
    "Unavailable": ConnectionError,
    "Timeout": TimeoutError,
    "QuotaExceeded": OSError,
    "ConfigError": ValueError,
    "MissingPackage": ImportError,
}
KINDS: list[type[StorageError]] = [
    kind
    for name in errors.__all__
    if isinstance(kind := getattr(errors, name), type) and issubclass(kind, StorageError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_also_the_builtin_people_catch(kind: type[StorageError]) -> None:
    assert issubclass(kind, BUILTINS.get(kind.__name__, StorageError))


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_says_what_it_knows(kind: type[StorageError]) -> None:
    error = kind("it is so", operation="get", disk="s3", path="a b.txt")
    assert (error.operation, error.disk, error.path) == ("get", "s3", "a b.txt")
    assert str(error) == "get 'a b.txt' on disk 's3': it is so"
    assert str(kind("it is so")) == "it is so"
    assert str(kind("", path="a")) == "'a'"


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_pickled_whole(kind: type[StorageError]) -> None:
    error = kind("why", operation="get", disk="s3", path="a", retryable=True)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert vars(again) == vars(error)
    assert str(again) == str(error)


def test_only_what_may_pass_by_itself_is_retryable() -> None:
    assert {kind.__name__ for kind in KINDS if kind("").retryable} == {"Unavailable", "Timeout"}
    assert NotFound("", retryable=True).retryable
    assert not Unavailable("", retryable=False).retryable


def test_located_fills_in_only_what_is_unknown() -> None:
    error = NotFound("why", path="a")
    error.located(operation="get", disk="s3", path="b")
    error.located(operation="put", disk="gcs")
    assert (error.operation, error.disk, error.path) == ("get", "s3", "a")


def test_builtin_errors_have_their_number() -> None:
    assert NotFound("x").errno == errno.ENOENT
    assert AlreadyExists("x").errno == errno.EEXIST


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, "NotFound"),
        (errno.EEXIST, "AlreadyExists"),
        (errno.EACCES, "PermissionDenied"),
        (errno.EROFS, "PermissionDenied"),
        (errno.ELOOP, "PermissionDenied"),
        (errno.ENOTDIR, "Obstructed"),
        (errno.EISDIR, "Obstructed"),
        (errno.ENAMETOOLONG, "InvalidPath"),
        (errno.ENOSPC, "QuotaExceeded"),
        (errno.EDQUOT, "QuotaExceeded"),
        (errno.ETIMEDOUT, "Timeout"),
        (errno.EIO, "Unavailable"),
        (errno.EMFILE, "Unavailable"),
        (errno.EXDEV, "StorageError"),
        (None, "StorageError"),
    ],
)
def test_an_operating_systems_error_has_a_kind(number: int | None, kind: str) -> None:
    assert type(from_os_error(OSError(number, "why"))).__name__ == kind


def known(error: Exception) -> StorageError | None:
    return Unavailable("the service is away") if isinstance(error, ConnectionError) else None


def test_a_foreign_exception_becomes_a_kind_with_its_cause() -> None:
    cause = ConnectionResetError("reset")
    with pytest.raises(Unavailable) as caught, translating(known, "read", "a"):
        raise cause
    assert caught.value.__cause__ is cause
    assert (caught.value.operation, caught.value.path) == ("read", "a")


def test_an_unknown_exception_is_left_alone() -> None:
    with pytest.raises(KeyError), translating(known, "read", "a"):
        raise KeyError("a bug")


def test_an_error_of_ours_is_located_and_goes_on() -> None:
    error = Unsupported("why")
    with pytest.raises(Unsupported) as caught, translating(known, "read", "a"):
        raise error
    assert caught.value is error
    assert (error.operation, error.path) == ("read", "a")


def test_cancellation_passes_through() -> None:
    with pytest.raises(asyncio.CancelledError), translating(known, "read", "a"):
        raise asyncio.CancelledError


def test_nothing_raised_is_nothing_raised() -> None:
    with translating(known, "read", "a"):
        pass


def test_what_the_callers_body_raised_passes_untouched() -> None:
    body = Body(b"")
    body.error = own = ConnectionResetError("the caller's own")
    with pytest.raises(ConnectionResetError) as caught, translating(known, "write", "a", body=body):
        raise own
    assert caught.value is own


def test_what_an_sdk_made_of_the_callers_exception_is_undone() -> None:
    body = Body(b"")
    body.error = own = KeyError("the caller's own")
    with pytest.raises(KeyError) as caught, translating(known, "write", "a", body=body):
        raise ConnectionError("wrapped") from own
    assert caught.value is own


def test_a_timeout_is_caught_as_asyncio_raises_it() -> None:
    with pytest.raises(asyncio.TimeoutError):
        raise Timeout("idle")
