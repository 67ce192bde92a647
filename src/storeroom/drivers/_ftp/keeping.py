"""What FTP keeps beside the bytes, and which conditions it honours: hardly anything."""

from storeroom.contracts.errors import Unsupported
from storeroom.contracts.values import WriteOptions

__all__ = ["check_kept", "check_plain"]


def check_kept(how: WriteOptions, /) -> None:
    """Refuse what FTP cannot honour or keep."""
    if not how.overwrite:
        raise Unsupported(
            "FTP cannot create only, for no server checks and stores in one step; look first with "
            "exists(), or use another service"
        )
    if how.if_match is not None:
        raise Unsupported("FTP has no etags that if_match could name")
    if how.carried:
        return
    for name in ("metadata", "tags", "tier"):
        if getattr(how, name):
            raise Unsupported(f"FTP keeps no {name}")


def check_plain(how: WriteOptions, /) -> None:
    """Refuse what a rename cannot change."""
    check_kept(how)
    if how.visibility is not None and not how.carried:
        raise Unsupported("a rename changes no visibility; set it afterwards")
