"""What every S3 server of the tests is told, and every client of theirs uses."""

from dataclasses import dataclass, field

REGION = "us-east-1"
ACCESS_KEY = "STOREROOMTESTSKEY001"
SECRET_KEY = "storeroom/tests+secret/key0000000000001"


@dataclass(frozen=True, slots=True)
class Key:
    """Someone the strict server knows. `may_list` is the permission s3:ListBucket."""

    access: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    may_list: bool = True


OWNER = Key(ACCESS_KEY, SECRET_KEY)
BLIND = Key("STOREROOMTESTSKEY002", "storeroom/tests+secret/key0000000000002", may_list=False)
TEMPORARY = Key(
    "STOREROOMTESTSKEY003", "storeroom/tests+secret/key0000000000003", "storeroom/tests+token=="
)
RENEWED = Key(
    "STOREROOMTESTSKEY004", "storeroom/tests+secret/key0000000000004", "storeroom/tests+renewed=="
)
KEYS = {key.access: key for key in (OWNER, BLIND, TEMPORARY, RENEWED)}
