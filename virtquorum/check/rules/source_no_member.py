"""A member that nobody can open, or nobody can write to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.sharing import writable
from virtquorum.model.image import Image, Quorum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position
    from virtquorum.xml.document import Element

__all__ = ["RULE"]

_DROPPED: Final = frozenset({"sheepdog", "vxhs", "tftp"})
_CURL: Final = frozenset({"http", "https", "ftp", "ftps"})
#: Formats of libvirt's grammar that cannot be opened, and what to write.
_NO_FORMAT: Final = {
    "cow": "QEMU has no driver for the format 'cow'",
    "dir": "QEMU has no driver for the format 'dir'",
    "iso": "QEMU has no driver for the format 'iso', which is 'raw'",
    "luks": "libvirt has no format 'luks': it is 'raw' with an <encryption> in the <source>",
}
_READ_ONLY_FORMATS: Final = frozenset({"bochs", "cloop", "dmg"})
_READ_ONLY: Final = "a source that can be written to, or <readonly/> on the disk"


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    for member in position.quorum.members:
        image: object = member
        while isinstance(image, Image) and not isinstance(image.source, Quorum):
            what = "member" if image is member else "backing image"
            yield from _closed(image, what)
            if image is member and (found := _read_only(image)) is not None and writable(position):
                yield found
            image = image.backing


def _closed(image: Image, what: str) -> Iterator[Problem]:
    """Why nobody can open an image."""
    source = image.source
    own: Element = image.location  # type: ignore[assignment]
    place: Element = source.location  # type: ignore[assignment]
    path = {"file": "file", "block": "dev"}.get(source.type)
    if place is own:
        # An empty <source/> fills no field; it is there all the same.
        empty = own.elements("source")
        yield Problem(
            empty[0] if empty else own,
            f"the <source> of the {what} is empty" if empty else f"the {what} has no <source>",
            expected=f"<source {path}='…'/>" if path is not None else "a <source>",
        )
    elif source.type == "vhostuser":
        yield Problem(
            own,
            f"a vhost-user server is no {what}: QEMU has no block node for it",
            attribute="type",
            expected="a file, a block device or a network source such as nbd",
        )
    elif getattr(source, "fdgroup", None) is not None:
        yield Problem(
            place,
            f"the descriptors of an fdgroup are libvirt's, and reach no {what}",
            attribute="fdgroup",
            expected="the file alone",
        )
    elif source.protocol in _DROPPED:
        yield Problem(
            place,
            f"QEMU has no driver for the protocol '{source.protocol}' any more",
            attribute="protocol",
            expected="a protocol that QEMU has, such as 'nbd' or 'iscsi'",
        )
    elif path is not None and not getattr(source, path):
        yield Problem(place, f"the <source> of the {what} is empty", expected=f"{path}='…'")
    format, is_dir = image.format, source.type == "dir"
    if format in _NO_FORMAT:
        yield Problem(
            _format(own),
            _NO_FORMAT[format],
            attribute="type",
            expected="'fat'" if is_dir else "'raw', 'qcow2' or another format that QEMU has",
        )
    elif format is not None and is_dir != (format == "fat"):
        yield Problem(
            _format(own),
            f"a directory has the format 'fat', not '{format}'"
            if is_dir
            else "only a directory has the format 'fat'",
            attribute="type",
            expected="'fat'" if is_dir else "'raw', if it is an image of a FAT file system",
        )


def _read_only(image: Image) -> Problem | None:
    """Why a member can only be read."""
    source = image.source
    place: Element = source.location  # type: ignore[assignment]
    if source.protocol in _CURL:
        message = f"QEMU cannot write over '{source.protocol}', and this quorum is written to"
        return Problem(place, message, attribute="protocol", expected=_READ_ONLY)
    if source.type == "dir":
        message = "a directory's FAT file system is read-only, and this quorum is written to"
        own: Element = image.location  # type: ignore[assignment]
        return Problem(own, message, attribute="type", expected=_READ_ONLY)
    if getattr(source, "snapshot", None) is not None:
        message = "an RBD snapshot is read-only, and this quorum is written to"
        return Problem(place, message, expected=_READ_ONLY)
    if image.format in _READ_ONLY_FORMATS:
        message = f"QEMU cannot write to '{image.format}', and this quorum is written to"
        return Problem(_format(image.location), message, attribute="type", expected=_READ_ONLY)
    return None


def _format(own: object) -> Element:
    """The ``<format>`` of an image that has one."""
    return own.elements("format")[0]  # type: ignore[attr-defined,no-any-return]


RULE = Rule(
    code="VQ208",
    name="source-no-member",
    severity=Severity.ERROR,
    title="a member cannot be opened as one",
    documentation="""
Some of what libvirt's grammar takes cannot be a member of any quorum:

- no source, or one without a path: libvirt says "missing disk backing store source";
- `vhostuser`: there is no block node, another process serves the guest ("unable to create
  blockdev props for vhostuser disk type");
- `fdgroup`: the descriptors are handed to libvirt for the disks that it opens itself;
- `sheepdog`, `vxhs`, `tftp`: QEMU has dropped the drivers ("Parameter 'driver' does not accept
  value 'sheepdog'");
- the formats `cow`, `dir` and `iso`, for which QEMU has no driver, and `luks`, which libvirt's
  parser does not know ("unknown storage source format 'luks'"): it is `raw` with an
  `<encryption>` in its `<source>`;
- the format `fat` for anything but a directory, and any other format for one ("storage format
  'fat' is supported only with 'dir' storage type").

Others can only be read, and are refused where the quorum is written to:

- `http`, `https`, `ftp`, `ftps`: "curl driver does not support writes", and below a quorum "Block
  node is read-only";
- `dir`: "virtual FAT storage can't be accessed in read-write mode";
- `rbd` with a `<snapshot>`;
- the formats `bochs`, `cloop` and `dmg`: "Image is read-only".

The first list holds for the backing images below members as well. What the second names is fine
there, and in a disk with `<readonly/>` or `device='cdrom'`.

Keep such an image below a member, with a qcow2 overlay above it, or make the disk read-only.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='network'>
    <format type='raw'/>
    <source protocol='http' name='root.raw'><host name='rack-c.example.org'/></source>
  </backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='network'>
    <format type='raw'/>
    <source protocol='nbd' name='root'><host name='rack-c.example.org'/></source>
  </backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="quorum",
    check=check,
)
