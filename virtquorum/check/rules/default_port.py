"""The port that nobody wrote."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from virtquorum.check.changes import attribute_added, attribute_changed
from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Repair, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position
    from virtquorum.xml.document import Element

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    source = position.image.source
    port: int | None = getattr(source, "default_port", None)
    if port is None:
        return
    for host in getattr(source, "hosts", ()):
        if host.port in (None, 0) and host.name and host.transport in (None, "tcp"):
            yield Problem(
                host.location,
                f"the port of '{host.name}' is not given, and will be {source.protocol}'s {port}",
                attribute="port" if host.port == 0 else None,
                expected=f"port='{port}', or the port that is meant",
                fix=partial(_written, host.location, port),
            )


def _written(element: Element, port: int) -> Repair:
    if "port" in element.attributes:
        change = attribute_changed(element, "port", port)
    else:
        change = attribute_added(element, "port", port, after="name")
    return Repair(f"write port {port}, which libvirt would fill in", (change,))


RULE = Rule(
    code="VQ401",
    name="default-port",
    severity=Severity.NOTE,
    title="a server is named without a port",
    documentation="""
Where a `<host>` over TCP has no port, or port 0, libvirt fills in the protocol's own when it reads
the domain, for backing stores too: nbd 10809, http 80, https 443, ftp 21, ftps 990, tftp 69, ssh
22, iscsi 3260, gluster 24007, sheepdog 7000, vxhs 9999. The domain's XML is then no longer what was
written. rbd and nfs have no default, and nothing is filled in over rdma or a unix socket.

Write the port that is meant. The fix writes the one that libvirt would.
""",
    failing="""\
<disk type='network' device='disk'>
  <driver name='qemu' type='raw'/>
  <source protocol='nbd' name='root'>
    <host name='exports.example.org'/>
  </source>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='network' device='disk'>
  <driver name='qemu' type='raw'/>
  <source protocol='nbd' name='root'>
    <host name='exports.example.org' port='10809'/>
  </source>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="image",
    check=check,
    fixable=True,
)
