"""A console's password that is not one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.xml.document import Element

__all__ = ["RULE"]


_EXPECTED: Final = "the password that 'virsh dumpxml --security-info' shows, or none"


def check(root: Element) -> Iterator[Problem]:
    """See RULE."""
    domains = [root] if root.name == "domain" else root.elements()
    for domain in domains:
        for devices in domain.elements("devices"):
            for graphics in devices.elements("graphics"):
                yield from _problems(graphics)


def _problems(graphics: Element) -> Iterator[Problem]:
    password = graphics.attributes.get("passwd")
    expiry = graphics.attributes.get("passwdValidTo")
    if password is None:
        if expiry is not None:
            yield Problem(
                graphics,
                "passwdValidTo without passwd: the password was left out of this dump",
                attribute="passwdValidTo",
                expected=_EXPECTED,
            )
    elif password and not password.strip("*") and (expiry is None or expiry[:5] != "1970-"):
        yield Problem(
            graphics,
            f"the password is masked, and would be set to '{password}'",
            attribute="passwd",
            expected=_EXPECTED,
        )


RULE = Rule(
    code="VQ404",
    name="password-masked",
    severity=Severity.WARNING,
    title="a graphics password is masked or was left out",
    documentation="""
A dump of a domain is to hold no secrets. libvirt 9.0 leaves `passwd` out of `<graphics>` unless
asked with `virsh dumpxml --security-info`, and keeps `passwdValidTo`, which it writes only where
there is a password. When such a dump is defined again, libvirt drops `passwdValidTo` as well, and
the console opens without a password. Where there was a password and no time limit, this rule sees
nothing.

Other programs put asterisks in its place. libvirt takes them as they stand: the password *is*
`*****` then. With `passwdValidTo` in 1970, as oVirt writes it until it sets the real one, it opens
nothing, and is not reported.

Write the password, as `virsh dumpxml --security-info` shows it, or leave both attributes out.
""",
    failing="""\
<domain type='kvm'>
  <name>build-runner</name>
  <memory unit='MiB'>512</memory>
  <os><type>hvm</type></os>
  <devices>
    <graphics type='vnc' autoport='yes' passwd='*****'/>
  </devices>
</domain>
""",
    passing="""\
<domain type='kvm'>
  <name>build-runner</name>
  <memory unit='MiB'>512</memory>
  <os><type>hvm</type></os>
  <devices>
    <graphics type='vnc' autoport='yes' passwd='Zf7-kelp'/>
  </devices>
</domain>
""",
    subject="document",
    check=check,
    hint=b"passwd",
)
