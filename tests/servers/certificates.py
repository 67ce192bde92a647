"""A certificate for loopback, and the authority that a client must trust for it."""

from dataclasses import dataclass
from pathlib import Path

import trustme

NAMES = ("localhost", "*.localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class Certificate:
    """Three PEM files: what the server shows, its key, and what a client trusts."""

    chain: Path
    key: Path
    authority: Path


def make_certificate(folder: Path, /) -> Certificate:
    """A fresh certificate for `localhost` and `127.0.0.1`, written to the folder."""
    authority = trustme.CA()
    issued = authority.issue_cert(*NAMES)
    made = Certificate(folder / "cert.pem", folder / "key.pem", folder / "authority.pem")
    issued.private_key_pem.write_to_path(made.key)
    for position, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(made.chain, append=position > 0)
    authority.cert_pem.write_to_path(made.authority)
    return made
