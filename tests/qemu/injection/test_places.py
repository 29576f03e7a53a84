"""What nobody serves here: no key of any argument changes with the value."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.nightly import NIGHTLY
from tests.qemu.agreement.opening import STYLES, Style, spelled
from tests.qemu.injection.names import NAMES, TEXTS, attribute, domain_of
from virtquorum.errors import TranslationError
from virtquorum.qemu.drive import dotted
from virtquorum.qemu.provided import Provided, SecretFile

if TYPE_CHECKING:
    pass


HOST = "<host name='h' port='1'/>"
AUTH = "<auth username=@><secret type='iscsi' usage=@/></auth>"
CEPH = AUTH.replace("iscsi", "ceph")


def network(protocol: str, name: str, inside: str = HOST, more: str = "") -> str:
    return f"<source protocol='{protocol}' name={name} {more}>{inside}</source>"


#: Sources with places for a text, each a '@'.
PLACES = {
    "nbd host": network("nbd", "'x'", "<host name=@/>"),
    "nbd TLS name": network("nbd", "'x'", HOST, "tls='yes' tlsHostname=@"),
    "rbd pool": network("rbd", "@"),
    "rbd image": network("rbd", "pool/@"),
    "rbd host": network("rbd", "'p/i'", "<host name=@ port='1'/>"),
    "rbd snapshot": network("rbd", "'p/i'", f"{HOST}<snapshot name=@/>"),
    "rbd configuration": network("rbd", "'p/i'", f"{HOST}<config file=@/>"),
    "rbd login": network("rbd", "'p/i'", HOST + CEPH),
    "iscsi target": network("iscsi", "@"),
    "iscsi host": network("iscsi", "'t'", "<host name=@/>"),
    "iscsi initiator": network("iscsi", "'t'", f"{HOST}<initiator><iqn name=@/></initiator>"),
    "iscsi login": network("iscsi", "'t'", HOST + AUTH),
    "gluster file": network("gluster", "volume/@"),
    "gluster host": network("gluster", "'v/p'", "<host name=@/>"),
    "gluster socket": network("gluster", "'v/p'", "<host transport='unix' socket=@/>"),
    "http path": network("http", "@"),
    "http host": network("http", "'p'", "<host name=@/>"),
    "http query": network("http", "'p'", HOST, "query=@"),
    "https path": network("https", "@"),
    "ftp path": network("ftp", "@"),
    "ftps path": network("ftps", "@"),
    "ftp login": network("ftp", "'p'", HOST + AUTH),
    "nfs path": network("nfs", "@", "<host name='h'/>"),
    "nfs host": network("nfs", "'/p'", "<host name=@/>"),
    "nfs user": network("nfs", "'/p'", "<host name='h'/><identity user=@/>"),
    "ssh path": network("ssh", "@"),
    "ssh host": network("ssh", "'/p'", "<host name=@/>"),
    "ssh login": network("ssh", "'/p'", HOST + AUTH),
    "node name": "@",
    "target": "@",
}


def placed(place: str, text: str) -> str:
    """A domain with a text in a place."""
    said = attribute(text)
    source, member, target = PLACES[place], "", "'vda'"
    if place == "node name":
        source, member = "<source file='x'/>", f" nodename={said}"
    elif place == "target":
        source, target = "<source file='x'/>", said
    else:  # all at once, for what is put in may hold a '@' itself
        source = re.sub(r"(pool/|volume/)?@", lambda at: attribute((at[1] or "") + text), source)
    type = "network" if "protocol" in source else "file"
    return domain_of(
        "<disk type='quorum' threshold='1'><driver type='quorum'/>"
        f"<backingStore type='{type}'{member}><format type='raw'/>{source}</backingStore>"
        f"<target dev={target}/></disk>"
    )


def option_list(text: str) -> list[tuple[str, str]]:
    """Options as QEMU splits them: at single commas, and at the first '='."""
    parts = text.replace(",,", "\0").split(",")
    pairs = [part.replace("\0", ",").partition("=") for part in parts]
    assert all(separator for _, separator, _ in pairs)
    return [(key, value) for key, _, value in pairs]


def keys(place: str, text: str, style: Style) -> list[list[str]]:
    """The keys of every argument of a domain."""
    provided = Provided(secrets={text: SecretFile(path="key")})
    made = spelled(placed(place, text), style, provided)
    spelled_as_json = [one["arguments"] for one in made.commands] or [
        json.loads(one) for one in made.arguments[1::2] if one.startswith("{")
    ]
    pairs = [dotted(one) for one in spelled_as_json]  # type: ignore[arg-type]
    for one in made.arguments[1::2]:
        if not one.startswith("{"):
            kind = one.startswith(("secret,", "tls-creds-x509,"))
            pairs.append(option_list(f"qom-type={one}" if kind else one))
    return [[name for name, _ in one] for one in pairs]


def plain(place: str, style: Style) -> list[list[str]]:
    """The keys for a text that means nothing to anybody."""
    return keys(place, {"rbd pool": "p/i", "nfs user": "+1"}.get(place, "plain"), style)


@settings(max_examples=2000 if NIGHTLY else 150, deadline=None, derandomize=not NIGHTLY)
@given(place=st.sampled_from(sorted(PLACES)), text=TEXTS, style=st.sampled_from(STYLES))
def test_no_key_changes(place: str, text: str, style: Style) -> None:
    try:
        found = keys(place, text, style)
    except TranslationError:
        assume(False)
    assert found == plain(place, style)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("place", PLACES)
def test_no_key_changes_by_the_list(place: str, style: Style) -> None:
    wanted = plain(place, style)
    for text in NAMES:
        try:
            found = keys(place, text, style)
        except TranslationError:
            continue
        assert found == wanted, text
