"""As whom QEMU will run, and what else confines it, by what libvirt says of itself."""

from __future__ import annotations

import grp
import os
import pwd
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from virtquorum.host.connection import asking
from virtquorum.model.node import Node, node
from virtquorum.xml.document import Document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.xml.document import Element
    from virtquorum.xml.domain import Domain

__all__ = ["QemuProcess", "Where", "group_name", "process_of", "user_name", "where"]

_CONFIGURATION: Final = "/etc/libvirt/qemu.conf"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Where(Node):
    """What a connection's URI says of its place.

    ``here`` is whether its QEMU runs on this machine, ``host`` its name
    elsewhere; ``privileged`` whether libvirt runs as root; ``configuration``
    where its qemu.conf is.
    """

    here: bool
    host: str
    privileged: bool
    configuration: str


def where(connection: Any) -> Where:
    """See Where; raises LibvirtError if nobody answers."""
    with asking("the connection to libvirt"):
        uri = urlsplit(connection.getURI())
        host = uri.hostname or ""
        here = not host and uri.scheme.partition("+")[2] in ("", "unix")
        if not here:
            host = connection.getHostname()
    is_root = os.geteuid() == 0
    if uri.path == "/embed":
        root = parse_qs(uri.query).get("root", ["/"])[0]
        return Where(here=here, host=host, privileged=is_root,
                     configuration=os.path.join(root, "etc/qemu.conf"))  # fmt: skip
    return Where(
        here=here, host=host, privileged=uri.path != "/session", configuration=_CONFIGURATION
    )


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class QemuProcess(Node):
    """Who QEMU will be: numbers of the user, the group and all groups.

    ``own_label`` says that the domain's ``<seclabel>`` decides it.  ``models``
    are the security models besides that may keep QEMU from files, as
    'apparmor'; those that the domain switches off are left out.  ``relabels``
    is whether libvirt gives QEMU the files that it knows of.
    """

    uid: int
    gid: int
    groups: tuple[int, ...]
    own_label: bool = False
    models: tuple[str, ...] = ()
    relabels: bool = True

    @property
    def name(self) -> str:
        """The user's name as chown takes it, the number if it has none."""
        return user_name(self.uid)

    @property
    def group(self) -> str:
        """The group's name, likewise."""
        return group_name(self.gid)

    def __str__(self) -> str:
        others = [group_name(one) for one in self.groups if one != self.gid]
        more = f" (and {', '.join(others)})" if others else ""
        return f"'{self.name}', group '{self.group}'{more}"


def user_name(uid: int) -> str:
    """A user's name on this machine, the number if there is none."""
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return str(uid)


def group_name(gid: int) -> str:
    """A group's name on this machine, the number if there is none."""
    with suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return str(gid)


def process_of(connection: Any, domain: Domain, place: Where) -> QemuProcess:
    """Who the QEMU of a domain will be.

    Raises LibvirtError if nobody answers, ValueError for a label that names
    nobody; its text says so.
    """
    with asking("the capabilities of libvirt"):
        capabilities = Document.from_text(connection.getCapabilities(), "capabilities").root
    models = _models(capabilities, domain.document.root.attributes.get("type"))
    labels = _labels(domain.document.root, next(iter(models), None))
    dac = labels.get("dac")
    text = models.get("dac")
    own = dac is not None and dac.attributes.get("type") == "static"
    if own:
        assert dac is not None
        text = "".join(one.text.strip() for one in dac.elements("label"))
    if text:
        uid, gid = _ids(text, place)
    elif place.privileged:
        uid = gid = 0
    else:
        uid, gid = os.getuid(), os.getgid()
    return QemuProcess(
        uid=uid,
        gid=gid,
        groups=_groups(uid, gid) if place.here else (gid,),
        own_label=own,
        models=tuple(name for name in models if name != "dac" and not _is_off(labels.get(name))),
        relabels="dac" in models and (dac is None or dac.attributes.get("relabel") != "no"),
    )


def _models(capabilities: Element, type: str | None) -> dict[str, str]:
    """The security models by name, the main one first, and what they run QEMU as."""
    found = {}
    for host in capabilities.elements("host"):
        for model in host.elements("secmodel"):
            name = "".join(one.text.strip() for one in model.elements("model"))
            labels = {
                one.attributes.get("type"): one.text.strip() for one in model.elements("baselabel")
            }
            found[name] = labels.get(type) or next(iter(labels.values()), "")
    found.pop("none", None)
    return found


def _labels(root: Element, main: str | None) -> Mapping[str, Element]:
    """The labels of a domain by model; one that names none is the main model's."""
    found = {}
    for one in root.elements("seclabel"):
        model = one.attributes.get("model", main)
        if model is not None:
            found[model] = one
    return found


def _is_off(label: Element | None) -> bool:
    return label is not None and label.attributes.get("type") == "none"


def _ids(label: str, place: Where) -> tuple[int, int]:
    """Read 'user:group' as libvirt does: names, or numbers, which a '+' makes sure of."""
    user, colon, group = label.partition(":")
    if not colon:
        raise ValueError(f"the DAC label '{label}' is no 'USER:GROUP'")
    return _id(user, "user", place), _id(group, "group", place)


def _id(text: str, what: str, place: Where) -> int:
    if not text.startswith("+") and place.here:
        with suppress(KeyError):
            return pwd.getpwnam(text).pw_uid if what == "user" else grp.getgrnam(text).gr_gid
    digits = text.removeprefix("+")
    if digits.isascii() and digits.isdigit():
        return int(digits)
    if not place.here:
        raise ValueError(f"the DAC label's {what} '{text}' is known on '{place.host}' only")
    raise ValueError(f"there is no {what} '{text}' on this machine, whom the DAC label names")


def _groups(uid: int, gid: int) -> tuple[int, ...]:
    """A user's groups as libvirt gives them to QEMU."""
    with suppress(KeyError):
        return tuple(os.getgrouplist(pwd.getpwuid(uid).pw_name, gid))
    return (gid,)
