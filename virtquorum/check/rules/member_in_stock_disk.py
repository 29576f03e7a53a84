"""An image that a stock disk uses, and a lowered quorum as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.lowered import HINT, PLUGGED, domains
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.sharing import clashes, place, uses
from virtquorum.xml.parse import parse_disk
from virtquorum.xml.record import Record, machine_elements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.model.disk import Disk
    from virtquorum.xml.document import Element

__all__ = ["RULE"]


def check(root: Element) -> Iterator[Problem]:
    """See RULE."""
    for domain in domains(root):
        record = Record.of(domain)
        if record is not None and record.disks:
            yield from _problems(domain, record)


def _problems(domain: Element, record: Record) -> Iterator[Problem]:
    standing = {id(record.placeholder(one)) for one in record.disks}
    quorums = [one.disk for one in record.disks]
    stock = [parse_disk(one) for one in machine_elements(domain, "disk") if id(one) not in standing]
    disks: list[Disk] = [*quorums, *stock]
    every = [use for number, disk in enumerate(disks) for use in uses(number, disk)]
    for first, again, _ in clashes(every):
        users = [int(one.user) for one in (first, again)]  # type: ignore[call-overload]
        # Two stock disks are another rule's, and so are two quorum disks before they are lowered.
        if (users[0] < len(quorums)) != (users[1] < len(quorums)):
            yield Problem(
                place(again),
                f"the quorum disk '{quorums[min(users)].name}' uses this image as well, and only "
                "readers can share it",
                expected="an image of its own for each disk",
            )


RULE = Rule(
    code="VQ608",
    name="member-in-stock-disk",
    severity=Severity.ERROR,
    title="a stock disk uses an image that a lowered quorum has as well",
    documentation="""
In a lowered domain libvirt does not see the members of the quorums, and so nothing keeps a person
from adding one of them as a disk of its own. As with two disks on one image, each damages what the
other writes. QEMU does not start with it: `Failed to get "write" lock`; over a network nothing
stops it.

Give the stock disk an image of its own. To look at a member alone, switch the domain off and use
another one, with `<readonly/>`.
""",
    failing=PLUGGED.replace(
        "  </devices>\n",
        """\
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='/srv/b/log'/>
      <target dev='vdc' bus='virtio'/>
    </disk>
  </devices>
""",
    ),
    passing=PLUGGED.replace(
        "  </devices>\n",
        """\
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='/srv/d/log'/>
      <target dev='vdc' bus='virtio'/>
    </disk>
  </devices>
""",
    ),
    subject="lowered",
    check=check,
    hint=HINT,
)
