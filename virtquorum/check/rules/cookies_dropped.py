"""Cookies without values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position
    from virtquorum.model.parts import Cookie
    from virtquorum.xml.document import Element

__all__ = ["RULE"]


_EXPECTED: Final = "the values that 'virsh dumpxml --security-info' shows, or no <cookies>"


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    source = position.image.source
    if source.protocol not in ("http", "https"):
        return
    cookies: tuple[Cookie, ...] = getattr(source, "cookies", ())
    for cookie in cookies:
        if not cookie.value or not cookie.value.strip():
            yield Problem(
                cast("Element", cookie.location),
                f"the cookie '{cookie.name or ''}' has no value",
                expected=_EXPECTED,
            )
    if not cookies and source.unmodelled:
        for element in cast("Element", source.location).elements("cookies"):
            yield Problem(element, "the <cookies> hold no <cookie>", expected=_EXPECTED)


RULE = Rule(
    code="VQ402",
    name="cookies-dropped",
    severity=Severity.ERROR,
    title="cookies of a web source have lost their values",
    documentation="""
A cookie that opens a web server's door is a secret, and a dump of a domain is to hold none: `virsh
dumpxml` leaves `<cookies>` out altogether, unless asked with `--security-info`. A domain that is
dumped, edited and defined again without that loses its cookies, and **no program can see it in the
XML**: this rule does not either. It sees what a person or another program has left when taking the
values out.

libvirt refuses a cookie without a value ("missing value for cookie 'session'"). An empty
`<cookies/>` it drops without a word when the domain is defined, and refuses only with `--validate`.

Write the cookies' values, as `virsh dumpxml --security-info` shows them, or leave `<cookies>` out.
""",
    failing="""\
<disk type='network' device='disk'>
  <driver name='qemu' type='raw'/>
  <source protocol='https' name='golden/base.raw'>
    <host name='mirror.example.org' port='443'/>
    <cookies>
      <cookie name='session'></cookie>
    </cookies>
  </source>
  <target dev='vda' bus='virtio'/>
  <readonly/>
</disk>
""",
    passing="""\
<disk type='network' device='disk'>
  <driver name='qemu' type='raw'/>
  <source protocol='https' name='golden/base.raw'>
    <host name='mirror.example.org' port='443'/>
    <cookies>
      <cookie name='session'>abc123</cookie>
    </cookies>
  </source>
  <target dev='vda' bus='virtio'/>
  <readonly/>
</disk>
""",
    subject="image",
    check=check,
)
