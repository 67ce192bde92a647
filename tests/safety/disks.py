"""Local disks by each way of opening beneath their root, for the tests and the programs they run."""

from storeroom.drivers._local import beneath
from storeroom.drivers.local import LocalDriver


class Uncompiled(LocalDriver):
    """As where no compiler was."""

    @staticmethod
    def _opener(root: str) -> beneath.Tree:
        return beneath.opened_uncompiled(root)


class Walked(LocalDriver):
    """As on a kernel without `openat2`."""

    @staticmethod
    def _opener(root: str) -> beneath.Tree:
        return beneath.opened_walked(root)


KINDS: dict[str, type[LocalDriver]] = {
    "compiled": LocalDriver,
    "openat2": Uncompiled,
    "walk": Walked,
}
