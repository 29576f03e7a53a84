"""A lock without its key."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.check.rule import Position
    from virtquorum.model.parts import Auth, Encryption, Secret
    from virtquorum.xml.document import Element

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    holders: list[object] = [position.image.source]
    if position.role == "disk":
        holders.append(position.disk)
    for holder in holders:
        auth: Auth | None = getattr(holder, "auth", None)
        if auth is not None:
            kind = "iscsi" if position.image.source.protocol == "iscsi" else "ceph"
            secrets = () if auth.secret is None else (auth.secret,)
            yield from _problems(auth, secrets, kind)
        encryption: Encryption | None = getattr(holder, "encryption", None)
        # libvirt takes no other format any more.
        if encryption is not None and encryption.format in ("luks", "luks2"):
            yield from _problems(encryption, encryption.secrets, "passphrase")


def _problems(holder: Auth | Encryption, secrets: Sequence[Secret], kind: str) -> Iterator[Problem]:
    place = cast("Element", holder.location)
    if not secrets:
        yield Problem(
            place,
            f"the <{place.name}> has no <secret>",
            expected=f"<secret type='{kind}' uuid='…'/>, or usage='…' in the place of uuid",
        )
    for secret in secrets:
        if not secret.uuid and not secret.usage:
            yield Problem(
                cast("Element", secret.location),
                "the <secret> has neither uuid nor usage",
                expected="the uuid or the usage of a secret that libvirt has",
            )


RULE = Rule(
    code="VQ403",
    name="secret-dropped",
    severity=Severity.ERROR,
    title="authentication or encryption names no secret",
    documentation="""
`<auth>` and `<encryption>` name a secret of libvirt's by `uuid` or `usage`. That is no secret in
itself, so every dump has it; where it is missing it was taken out or forgotten.

libvirt refuses an `<auth>` without it ("Missing <secret> element in auth") and a `<secret>` that
names none ("missing secret uuid or usage attribute"). An `<encryption>` without it is defined, and
fails when the guest is started: "missing secret info for 'luks' driver". With `engine='librbd'`
libvirt 9.0 has been seen to crash over it, in `virsh domxml-to-native`.

Write `<secret type='…' uuid='…'/>`; `virsh secret-list` shows the secrets there are.
""",
    failing="""\
<disk type='network' device='disk'>
  <driver name='qemu' type='raw'/>
  <source protocol='rbd' name='libvirt/root'>
    <host name='mon-1.example.org' port='6789'/>
    <auth username='libvirt'></auth>
  </source>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='network' device='disk'>
  <driver name='qemu' type='raw'/>
  <source protocol='rbd' name='libvirt/root'>
    <host name='mon-1.example.org' port='6789'/>
    <auth username='libvirt'><secret type='ceph' usage='ceph-libvirt'/></auth>
  </source>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="image",
    check=check,
)
