"""What servers are asked for, and what the guest's device is called."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes
from xml.sax.saxutils import escape

import pytest

from tests.qemu.agreement.monitor import NO_QEMU, started
from tests.qemu.agreement.opening import STYLES, Style, opened, spelled
from tests.qemu.injection.names import NAMES, SIZE, attribute, domain_of
from tests.servers.process import lacks_driver
from tests.servers.web import web
from virtquorum.errors import TranslationError
from virtquorum.qemu.provided import Provided

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.skipif(bool(NO_QEMU), reason=f"not installed: {NO_QEMU}")


class Everything(dict[str, bytes]):
    """Whatever is asked for is there."""

    def get(self, _key: str, _default: object = None) -> bytes:
        return bytes(SIZE)


@pytest.mark.skipif(bool(lacks_driver("http")), reason="not installed: qemu-block-extra")
@pytest.mark.parametrize("style", STYLES)
def test_a_web_server_is_asked_for_just_this(style: Style, tmp_path: Path) -> None:
    provided = Provided(secrets_directory=str(tmp_path))
    taken = []
    with web(Everything()) as server:
        for text in NAMES:
            xml = domain_of(
                "<disk type='network'><driver type='raw'/>"
                f"<source protocol='http' name={attribute(text)} query={attribute(text)}>"
                f"<host name='127.0.0.1' port='{server.port}'/>"
                f"<cookies><cookie name='c'>{escape(text)}</cookie></cookies></source>"
                "<target dev='vda'/><readonly/></disk>"
            )
            try:
                made = spelled(xml, style, provided)
            except TranslationError:
                continue
            server.requests.clear()
            with opened(made, tmp_path):
                pass
            taken.append(text)
            ((asked, cookie),) = {(one.path, one.cookie) for one in server.requests}
            path, _, query = asked.partition("?")
            wire = text.encode().decode("latin-1")  # as the server reads it
            assert cookie == f"c={wire}"
            assert unquote_to_bytes(path) == f"/{text}".encode()
            assert query == wire
    # A query holds no white space, no '#' and no control characters; the others are all taken.
    assert taken == [text for text in NAMES if not re.search(r"[\x00-\x20#\x7f]", text)]
    assert not (tmp_path / "owned").exists()


# The guest's device


GUEST = (
    "<domain type='qemu'><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>"
    "{}</devices></domain>"
)


def told(element: str, text: str) -> str:
    if element == "alias":
        return f"<alias name={attribute(f'ua-{text}')}/>"
    return f"<{element}>{escape(text)}</{element}>"


def guests_disk(number: int, element: str, text: str) -> str:
    target = f"sd{chr(97 + number // 26 - 1) if number > 25 else ''}{chr(97 + number % 26)}"
    return (
        "<disk type='file' device='disk'><driver type='raw'/><source file='a'/>"
        f"<target dev='{target}' bus='scsi'/><readonly/>{told(element, text)}</disk>"
    )


def taken(element: str, style: Style) -> list[str]:
    """The texts that are not refused."""
    found = []
    for text in ["plain", "a,b", "a=b", "a b", *NAMES]:
        try:
            spelled(GUEST.format(guests_disk(0, element, text)), style, frontends=True)
        except TranslationError:
            continue
        found.append(text)
    return found


@pytest.mark.parametrize("element", ["serial", "vendor", "product", "alias"])
@pytest.mark.parametrize("style", STYLES)
def test_a_guest_is_told_just_this(element: str, style: Style, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(SIZE))
    texts = taken(element, style)
    assert "plain" in texts
    disks = [guests_disk(number, element, text) for number, text in enumerate(texts)]
    made = spelled(GUEST.format("".join(disks)), style, frontends=True)
    with started(["-M", "pc", *made.arguments], tmp_path) as running:
        for command in made.commands:
            running.tell(command)
        for one, text in zip(made.every, texts, strict=True):
            assert one.frontend is not None
            id = one.frontend.devices[-1].id
            path = f"/machine/peripheral/{id}"
            if element == "alias":
                assert id == f"ua-{text}"
                assert running.command("qom-get", path=path, property="type") == "scsi-hd"
            else:
                # libvirt puts a backslash before the spaces of a serial, and so do we.
                wanted = text.replace(" ", "\\ ") if element == "serial" else text
                assert running.command("qom-get", path=path, property=element) == wanted
