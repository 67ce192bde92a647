"""Changes that are owed to a shared place: within bounds, and none is forgotten."""

from storeroom.layers._cache.debts import Debts
from storeroom.layers._cache.entry import EVERYTHING, Change
from storeroom.layers._cache.flights import Flights


def test_too_many_changes_become_one_of_everything() -> None:
    for changes in (
        [Change((f"{number}",)) for number in range(10_001)],
        [Change(folder=f"{number}") for number in range(10_001)],
        [Change(tuple(map(str, range(20_000))))],
    ):
        debts = Debts()
        for change in changes:
            debts.owe(change)
        due = debts.due()
        assert due is not None
        assert EVERYTHING in due.changes()
        assert len(due.paths) + len(due.folders) < 10_000
        assert debts.owes("anything")
        debts.paid(due)
        again = debts.due()
        assert again is None


def test_what_is_owed_again_stays_when_the_first_is_paid() -> None:
    debts = Debts()
    debts.owe(Change(("a",), "f"))
    due = debts.due()
    assert due is not None
    debts.owe(Change(("a",)))
    debts.paid(due)
    assert debts.owes("a")
    assert not debts.owes("f/x")


def test_a_change_of_many_files_is_not_compared_with_itself() -> None:
    class Paths(tuple[str, ...]):
        __slots__ = ()

        def __contains__(self, path: object) -> bool:
            raise AssertionError("one of many was looked for among them")

    flights: Flights[int] = Flights(lambda _: _never())
    flights.drop(Change(Paths(map(str, range(1000)))))


async def _never() -> None:
    raise AssertionError("nothing was begun")
