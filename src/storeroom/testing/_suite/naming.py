"""Names, stored byte for byte or refused."""

import pytest

from storeroom.contracts.driver import StorageDriver
from storeroom.contracts.errors import (
    InvalidPath,
)
from storeroom.testing._suite.frame import (
    Suite,
    content,
    files_in,
    snapshot,
    write,
)
from storeroom.testing._suite.names import UGLY, fitting, longest

__all__ = ["Naming"]


class Naming(Suite):
    """A name is stored byte for byte, or refused."""

    @pytest.mark.parametrize("name", UGLY.values(), ids=UGLY)
    async def test_an_ugly_name_is_kept_byte_for_byte(
        self, store: StorageDriver, name: str
    ) -> None:
        if not fitting(store.traits, name):
            with pytest.raises(InvalidPath):
                await write(store, name, b"x")
            return
        await write(store, name, name.encode())
        assert (await store.stat(name)).path == name
        assert await snapshot(store) == {name: name.encode()}
        assert await store.remove(name) is not False
        assert await files_in(store) == []

    async def test_composed_and_decomposed_letters_are_two_names(
        self, store: StorageDriver
    ) -> None:
        files = {"caf\u00e9/x": b"composed", "cafe\u0301/x": b"decomposed", "\u212b": b"sign"}
        await self.seed(store, {**files, "\u00c5": b"letter"})
        assert await snapshot(store) == {**files, "\u00c5": b"letter"}
        await store.remove("caf\u00e9/x")
        assert await content(store, "cafe\u0301/x") == b"decomposed"

    async def test_upper_and_lower_case_are_two_names(self, store: StorageDriver) -> None:
        await self.seed(store, {"a/b.txt": b"lower", "A/B.txt": b"upper"})
        assert await snapshot(store) == {"a/b.txt": b"lower", "A/B.txt": b"upper"}

    async def test_encoded_names_are_not_decoded(self, store: StorageDriver) -> None:
        files = {"a%20b": b"encoded", "a b": b"plain", "a+b": b"plus", "a%2520b": b"twice"}
        await self.seed(store, files)
        assert await snapshot(store) == files

    async def test_the_longest_path_is_taken(self, store: StorageDriver) -> None:
        path = longest(store.traits)
        await write(store, path, b"x")
        assert await files_in(store) == [path]
        assert await content(store, path) == b"x"

    async def test_a_path_one_byte_longer_is_refused(self, store: StorageDriver) -> None:
        path = longest(store.traits) + "y"
        with pytest.raises(InvalidPath):
            await write(store, path, b"x")
        assert await files_in(store) == []

    async def test_a_segment_over_the_limit_is_refused(self, driver: StorageDriver) -> None:
        name = "s" * ((driver.traits.segment_bytes or driver.traits.path_bytes) + 1)
        with pytest.raises(InvalidPath):
            await driver.stat(f"folder/{name}")

    async def test_a_name_that_begins_like_another_is_another(self, store: StorageDriver) -> None:
        files = {"foo": b"1", "foo.txt": b"2", "foobar": b"3", "fo": b"4"}
        await self.seed(store, files)
        await store.remove("foo")
        assert await snapshot(store) == {"foo.txt": b"2", "foobar": b"3", "fo": b"4"}
