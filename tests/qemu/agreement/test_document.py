"""The table in docs/agreement.md says what these tests do: it is made of what they go through."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.host.test_agreement import DISKS as LIBVIRTS_WITH_SECRETS
from tests.qemu.agreement.opening import STYLES
from tests.qemu.agreement.served import PLACES
from tests.qemu.agreement.trees import SOURCES
from tests.qemu.agreement.unserved import AWAY
from tests.qemu.test_stock import DISKS as LIBVIRTS
from tests.servers.process import PACKAGES
from virtquorum.errors import TranslationError
from virtquorum.model.sources import SOURCES as ALL_SOURCES
from virtquorum.qemu.translate import Translated, translate
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    import pytest

DOCUMENT = Path(__file__).parents[3] / "docs" / "agreement.md"
TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end of table -->)", re.DOTALL)
#: What QEMU has no driver for any more, and what has no block node.
REFUSED = {"sheepdog", "tftp", "vxhs"}
NO_NODE = {"vhostuser"}


def every_source() -> list[str]:
    """Types, and protocols in the place of 'network'."""
    found = {protocol or type for type, protocol in ALL_SOURCES}
    return [*sorted(found | {"quorum"})]


def libvirt_agreed() -> set[str]:
    """The sources of the disks that libvirt is asked for."""
    text = "".join([*LIBVIRTS.values(), *LIBVIRTS_WITH_SECRETS.values()])
    types = set(re.findall(r"<(?:disk|backingStore) type='(\w+)'", text)) - {"network"}
    return types | set(re.findall(r"protocol='(\w+)'", text))


def by_qemu(source: str) -> str:
    """What QEMU does with a source in these tests, in each of the spellings."""
    read = [one.reads for one in PLACES.values() if one.protocol == source]
    if source in SOURCES or any(read):
        return "opened, read"
    if read:
        return "opened"
    if source in {one.protocol for one in AWAY.values()}:
        return "parsed"
    if source == "volume":
        return "as what it is"
    return "refused" if source in REFUSED else "no node" if source in NO_NODE else "nothing"


def table() -> str:
    agreed = libvirt_agreed()
    lines = [f"| source | {' | '.join(f'`{one}`' for one in STYLES)} | libvirt |", "|---" * 5 + "|"]
    for source in every_source():
        qemu = by_qemu(source)
        libvirt = "agreed" if source in agreed else "not asked"
        lines.append(f"| {source} | {' | '.join([qemu] * 3)} | {libvirt} |")
    return "\n".join(lines) + "\n"


def test_the_table_says_what_is_tested(request: pytest.FixtureRequest) -> None:
    text = DOCUMENT.read_text()
    now = TABLE.sub(lambda _: table(), text)
    if request.config.getoption("--update-goldens") and now != text:
        DOCUMENT.write_text(now)
    assert now == DOCUMENT.read_text(), "pytest --update-goldens writes the table"
    assert "nothing" not in table()


def test_what_is_not_opened_is_refused_or_has_no_node() -> None:
    for source in REFUSED | NO_NODE:
        type, inside = ("network", f"protocol='{source}' name='a'")
        if source in NO_NODE:
            type, inside = source, "type='unix' path='/a'"
        xml = (
            f"<domain><devices><disk type='{type}'><driver type='raw'/><source {inside}>"
            "<host name='h'/></source><target dev='vda'/></disk></devices></domain>"
        )
        for style in STYLES:
            (found,) = translate(Domain.from_text(xml), style=style, frontends=False)
            if source in NO_NODE:
                assert isinstance(found, Translated)
                assert found.built is None
            else:
                assert isinstance(found, TranslationError)
                assert "QEMU has dropped" in str(found)


def test_every_package_is_named() -> None:
    text = DOCUMENT.read_text()
    for packages in PACKAGES.values():
        for package in packages.split(" and "):
            assert f"`{package}`" in text, package
