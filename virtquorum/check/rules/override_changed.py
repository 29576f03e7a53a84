"""An override that does not point a placeholder's device at its quorum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.lowered import EXAMPLE, HINT, problems
from virtquorum.check.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Problem
    from virtquorum.xml.document import Element

__all__ = ["RULE"]


def check(root: Element) -> Iterator[Problem]:
    """See RULE."""
    return problems(root, "override")


RULE = Rule(
    code="VQ605",
    name="override-changed",
    severity=Severity.ERROR,
    title="a placeholder's device is not pointed at the quorum",
    documentation="""
`<qemu:override>` gives the device of a placeholder the property `drive`, by the device's alias.
Where it is gone the device is at the placeholder, which the guard keeps from it: QEMU does not
start, `Failed to get "consistent read" lock`. Where it names another node, the guest gets that one,
or QEMU does not start: `Property 'virtio-blk-device.drive' can't find value`. Of several for one
alias the last one counts.

A disk that was plugged into a running guest (`plugged='yes'` in the record) needs none as long as
the guest runs; its definition does, and so does what is saved of it.

`virtquorum lift --force FILE` gives the quorum domain back, as the record has it, and `virtquorum
lower` writes the override anew. `virtquorum define` takes the lifted domain as well; of a domain
that libvirt has, `virtquorum edit --force DOMAIN` does all of it.
""",
    failing=EXAMPLE.replace(
        "name='drive' type='string' value='vq-vda'", "name='drive' type='string' value='vq-vdb'"
    ),
    passing=EXAMPLE,
    subject="lowered",
    check=check,
    hint=HINT,
)
