"""The contract as a pytest class: inherit it, say how your driver is made, and it is proved."""

from storeroom.testing._suite.abilities import Addresses, Appending, Finding, Sweeping
from storeroom.testing._suite.cancelling import Bodies, Cancelling
from storeroom.testing._suite.changing import Copying, Moving, Removing
from storeroom.testing._suite.conditions import Conditions
from storeroom.testing._suite.facts import Facts
from storeroom.testing._suite.failing import Failing, Refusing
from storeroom.testing._suite.folders import Conflicts, Directories
from storeroom.testing._suite.lifetime import Closing, Loops
from storeroom.testing._suite.listing import Crowds, Listing
from storeroom.testing._suite.naming import Naming
from storeroom.testing._suite.people import People
from storeroom.testing._suite.reading import Ranges, Reading
from storeroom.testing._suite.services import Services
from storeroom.testing._suite.storing import Storing

__all__ = ["SIX_VERBS", "CoreSuite", "DriverSuite"]

SIX_VERBS = dict.fromkeys(
    (
        *("Append", "Attributes", "BulkRemove", "Checksum", "Copy", "CopyFrom", "Files", "Folders"),
        *("Leases", "LocalPath", "Move", "Multipart", "Origin", "PresignRead", "PublicUrl"),
        *("Sweep", "Tags", "Tiers", "Times", "Versions", "Visibility"),
    ),
    "six verbs are enough",
)
"""The skips of a driver that has the six verbs and nothing more: `allowed_skips = SIX_VERBS`."""


class CoreSuite(
    Storing,
    Naming,
    Conditions,
    Reading,
    Ranges,
    Listing,
    Conflicts,
    Directories,
    Removing,
    Copying,
    Moving,
    Failing,
    Refusing,
    Finding,
    Addresses,
    Appending,
    Facts,
    Sweeping,
    Services,
    People,
    Loops,
    Closing,
):
    """What every driver and every layer keeps.

    Override `make_driver(place)`, or the fixture `driver`; `seed` where `driver` cannot be written;
    `abandon` where it can be swept; `tier` with a tier's name of the service. `allowed_skips` maps
    what may be skipped to the reason: any other skip fails, and so does one that does not happen.
    Needs pytest-asyncio with `asyncio_mode = "auto"`.
    """


class DriverSuite(CoreSuite, Crowds, Cancelling, Bodies):
    """All of it: also what is heavy, run once per driver and not per layer.

    Over 1,000 entries (seeded once per class, through `make_driver`), a cancellation at every await,
    and bodies of several megabytes.
    """
