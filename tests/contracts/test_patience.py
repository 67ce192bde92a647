"""How long a cancelled call waits: as is usual, or less where the caller has less time."""

from storeroom.contracts.patience import at_most, patience


def test_the_least_of_all_limits_holds_while_they_do() -> None:
    assert patience(60) == 60
    with at_most(5):
        assert [patience(60), patience(2)] == [5, 2]
        with at_most(30):
            assert patience(60) == 5
        with at_most(1):
            assert patience(60) == 1
        assert patience(60) == 5
    assert patience(60) == 60
