"""Files: every verb in one class; the parts are one file per subject."""

from storeroom.files.addresses import Addresses
from storeroom.files.facts import Facts
from storeroom.files.listing import Listing
from storeroom.files.many import Many
from storeroom.files.transfer import Transfer
from storeroom.files.views import Views

__all__ = ["Files"]


class Files(Many, Transfer, Facts, Listing, Addresses, Views):
    """What people type on anything that holds a driver: a disk, the manager, a driver, a layer.

    A path is `/`-separated and relative; a folder may also be `""` or `"/"` for the root. What fails
    raises a `StorageError` by kind, naming verb, disk and path.
    """
