"""A path that depends on where QEMU stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.xml.document import Element

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position
    from virtquorum.model.image import AnySource
    from virtquorum.xml.document import Document

__all__ = ["RULE"]


#: The attribute of ``<source>`` that holds a path, by the source's type.
_PATHS: Final = {"file": "file", "block": "dev", "dir": "dir", "vhostuser": "path"}
#: The hypervisors that open an image by QEMU; a bare <disk> does not say.
_QEMU: Final = frozenset({None, "kvm", "qemu", "hvf"})


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    source = position.image.source
    if source.type == "quorum":
        return
    for element, attribute in _places(source):
        path = element.attributes.get(attribute)
        if path and path[0] != "/" and _is_for_qemu(position.element):
            yield Problem(
                element,
                f"the path '{path}' is not absolute: QEMU looks for it below '/'",
                attribute=attribute,
                expected="a path that begins with '/'",
            )


def _places(source: AnySource) -> Iterator[tuple[Element, str]]:
    """The elements and attributes of a source that hold a path."""
    own = cast("Element", source.location)
    name = _PATHS.get(source.type)
    if name is not None:
        # With an fdgroup the file is open already, and its name no more than a name.
        if name != "file" or "fdgroup" not in own.attributes:
            yield own, name
    elif source.type == "network":
        for host in getattr(source, "hosts", ()):
            yield host.location, "socket"
        if source.protocol == "rbd":
            yield from ((one, "file") for one in own.elements("config"))
    reservations = getattr(source, "reservations", None)
    if reservations is not None:
        yield from ((one, "path") for one in reservations.location.elements("source"))


def _is_for_qemu(element: Element) -> bool:
    """Whether an element is not in a domain of another hypervisor."""
    one: Element | Document = element
    while isinstance(one, Element):
        if one.name in ("domain", "inactiveDomain"):
            return one.attributes.get("type") in _QEMU
        one = one.parent
    return True


RULE = Rule(
    code="VQ304",
    name="relative-path",
    severity=Severity.ERROR,
    title="a path is not absolute",
    documentation="""
libvirt keeps a relative path as it is written, and hands it to QEMU, which runs in the directory
`/` under libvirt. So `images/root.raw` is `/images/root.raw`, wherever the domain's XML lies and
whoever defined it. What comes of it is "Could not open 'images/root.raw': No such file or
directory", or the wrong file. libvirt's grammar refuses relative paths for everything but block
devices, but `virsh define` asks it only with `--validate`.

Write the path from the root. Names of exports, volumes and images on servers are no paths and are
not looked at, nor are domains of other hypervisors, where a path can begin with a drive or a data
store.
""",
    failing="""\
<disk type='block' device='disk'>
  <driver name='qemu' type='raw'/>
  <source dev='vg_rack_a/root'/>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='block' device='disk'>
  <driver name='qemu' type='raw'/>
  <source dev='/dev/vg_rack_a/root'/>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="image",
    check=check,
)
