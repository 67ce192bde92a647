"""A missing package becomes an instruction."""

import pytest

from storeroom.contracts.errors import MissingPackage
from storeroom.contracts.extras import extra


def test_a_missing_package_names_the_pip_command() -> None:
    told = pytest.raises(MissingPackage, match=r"pip install 'storeroom\[s3\]'")
    with told as caught, extra("s3", "aioboto3"):
        raise ModuleNotFoundError("No module named 'aioboto3'", name="aioboto3")
    assert isinstance(caught.value, ImportError)
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert "aioboto3 is not installed" in str(caught.value)


def test_a_missing_module_of_ours_is_no_missing_package() -> None:
    with pytest.raises(ModuleNotFoundError) as caught, extra("s3", "aioboto3"):
        raise ModuleNotFoundError("No module named 'storeroom.nope'", name="storeroom.nope")
    assert not isinstance(caught.value, MissingPackage)


def test_a_package_that_is_there_but_broken_says_so_itself() -> None:
    with pytest.raises(ImportError) as caught, extra("s3", "aioboto3"):
        raise ImportError("cannot import name 'x'")
    assert not isinstance(caught.value, MissingPackage)


def test_a_package_that_is_there_is_imported() -> None:
    with extra("s3", "json"):
        import json
    assert json.loads("1") == 1
