"""Local disks by each way of opening beneath their root, for the tests and the programs they run."""

from storeroom.drivers._local import beneath
from storeroom.drivers.local import LocalDriver


class Walked(LocalDriver):
    """As on a kernel without `openat2`."""

    @staticmethod
    def _opener(root: str) -> beneath.Tree:
        return beneath.opened_walked(root)


KINDS: dict[str, type[LocalDriver]] = {"openat2": LocalDriver, "walk": Walked}
