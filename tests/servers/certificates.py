"""An authority and certificates of its own, in files as QEMU and web servers want them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Certificates", "certificates", "missing_for_certificates"]


class Certificates(NamedTuple):
    """Where they are: directories for ``tls-creds-x509``, and files for a server in Python."""

    server: Path
    client: Path

    @property
    def chain(self) -> Path:
        """The server's certificate."""
        return self.server / "server-cert.pem"

    @property
    def key(self) -> Path:
        """The server's key."""
        return self.server / "server-key.pem"


def missing_for_certificates() -> list[str]:
    """What this machine lacks to make them."""
    return [] if find_spec("trustme") is not None else ["trustme (from PyPI)"]


def certificates(folder: Path, *names: str) -> Certificates:
    """Make an authority, a server's certificate for some names, and a client's."""
    import trustme

    authority = trustme.CA()
    made = Certificates(folder / "server", folder / "client")
    issued = {
        made.server: authority.issue_cert(*names),
        made.client: authority.issue_cert("client.example.org"),
    }
    for place, leaf in issued.items():
        place.mkdir(parents=True)
        authority.cert_pem.write_to_path(str(place / "ca-cert.pem"))
        leaf.cert_chain_pems[0].write_to_path(str(place / f"{place.name}-cert.pem"))
        leaf.private_key_pem.write_to_path(str(place / f"{place.name}-key.pem"))
    return made
