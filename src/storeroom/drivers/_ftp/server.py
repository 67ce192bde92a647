"""What is known of one server, learned from its first connection and its refusals."""

from dataclasses import dataclass

from storeroom.drivers._ftp.replies import Reply

__all__ = ["Server"]


@dataclass(slots=True)
class Server:
    """The server's features in capitals with what FEAT says behind them, and what it turned out to be.

    A fact is None until it is known. `met` says that a data connection to it was made. `base` is the absolute folder that paths are below. `hidden`
    says whether LIST takes `-a`, without which some servers show no names that begin with a dot.
    `tells` says that a question for a file's facts was answered, `warned` that a line of a listing was not
    understood, and this reported.
    """

    features: dict[str, str] | None = None
    base: str | None = None
    epsv: bool | None = None
    met: bool = False
    replaces: bool = True
    sizes: bool = True
    hidden: bool | None = None
    listing: str = "MLSD"
    chmod: bool | None = None
    times: bool | None = None
    tells: bool = False
    warned: bool = False

    def has(self, feature: str, /) -> bool:
        """Whether FEAT names it."""
        return self.features is not None and feature in self.features

    def details(self, feature: str, /) -> str:
        """What FEAT says behind the name, in lower case."""
        return (self.features or {}).get(feature, "").lower()

    @property
    def hides_dots(self) -> bool:
        """Whether there is no way to see a file whose name begins with a dot."""
        return not (self.sizes or self.has("MLST")) and self.hidden is False

    @property
    def surely_tells(self) -> bool:
        """Whether it has the command for a file's facts, as far as anybody can know before."""
        return self.tells or self.has("MLST") or self.has("SIZE")

    def learn(self, reply: Reply, /) -> None:
        """Take the features from what FEAT answered (RFC 2389); an error says that there are none."""
        self.features = {}
        if not reply.is_good:
            return
        for line in reply.lines[1:-1]:
            name, _, rest = line.strip().partition(" ")
            self.features[name.upper()] = rest.strip()

    def unlearn(self, command: str, /) -> None:
        """It has no such command after all."""
        if self.features is not None:
            self.features.pop(command, None)
        self.tells = False
        if command == "SIZE":
            self.sizes = False
