"""``virtquorum patch DOMAIN member``: members are added, removed, replaced and reordered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from virtquorum.cli.connection import DryRun, NoChecks
from virtquorum.cli.new_member import Block, Create, File, Format, new_member
from virtquorum.cli.patch_options import (
    Asked,
    Config,
    ConnectHere,
    Current,
    Json_,
    Live,
    NoCopy,
    Said,
    Yes,
    made,
)
from virtquorum.cli.secrets import SecretOptions

if TYPE_CHECKING:
    from virtquorum.cli.new_member import NewMember
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch import Options, Patch
    from virtquorum.host.patch.given import Given

__all__ = ["add", "remove", "reorder", "replace"]

Quorum: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="QUORUM",
        help="A disk's target, or the way to a quorum inside it: vda/1.",
        show_default=False,
    ),
]
Member: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="MEMBER", help="Its number, node name, or path.", show_default=False),
]
Path: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="[MEMBER.xml|-]",
        help="A <backingStore>, or - for standard input.",
        show_default=False,
    ),
]

Threshold: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--threshold",
        min=1,
        metavar="N",
        help="Set the quorum's threshold as well, in the same change.",
        show_default=False,
    ),
]


def add(
    context: typer.Context,
    quorum: Quorum,
    path: Path = None,
    file: File = None,
    block: Block = None,
    format: Format = None,
    at: Annotated[
        int | None,
        typer.Option(
            "--at",
            min=0,
            metavar="N",
            help="Before the member N; behind all without.",
            show_default=False,
        ),
    ] = None,
    threshold: Threshold = None,
    create: Create = False,
    no_copy: NoCopy = False,
    connect: ConnectHere = None,
    live: Live = False,
    config: Config = False,
    current: Current = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json_ = False,
    no_checks: NoChecks = False,
    secret: SecretOptions.Secret = None,
    secrets_dir: SecretOptions.Directory = None,
    tls_dir: SecretOptions.Tls = None,
    tls_secret: SecretOptions.TlsSecret = None,
) -> int:
    """Give a quorum a member more.

    The image is as large as the others, or --create makes it. What the disk
    holds is copied to it before it votes, while the guest runs on; of a domain
    that is off, by qemu-img.

    \b
      virtquorum patch web member add vda --file /c/web.raw --format raw
      virtquorum patch web member add vda member.xml --at 0 --live --config
      virtquorum patch web member add vda member.xml --create --threshold 3

    Exit codes: 0 added, 1 refused or failed, 2 usage, 3 input that cannot be
    read, no such domain, or no connection to libvirt.
    """  # fmt: skip
    _check_create(create, no_copy)
    asked: Asked = context.obj
    member = new_member(path, file, block, format, asked.streams)
    said = Said(
        live=live, config=config, current=current, dry_run=dry_run, yes=yes,
        no_checks=no_checks, as_json=as_json, connect=connect, secret=secret or (),
        secrets_dir=secrets_dir, tls_dir=tls_dir, tls_secret=tls_secret,
    )  # fmt: skip

    def plan(domain: HostDomain, options: Options) -> Patch:
        from virtquorum.host.patch import add_member

        return add_member(domain, quorum, [member.image], at=at, threshold=threshold, **options)

    return made(asked, said, plan, fill=not no_copy, create=create, given=_given(member))


def replace(
    context: typer.Context,
    quorum: Quorum,
    old: Annotated[
        str,
        typer.Argument(
            metavar="OLD", help="The member: its number, node name, or path.", show_default=False
        ),
    ],
    path: Path = None,
    file: File = None,
    block: Block = None,
    format: Format = None,
    create: Create = False,
    no_copy: NoCopy = False,
    connect: ConnectHere = None,
    live: Live = False,
    config: Config = False,
    current: Current = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json_ = False,
    no_checks: NoChecks = False,
    secret: SecretOptions.Secret = None,
    secrets_dir: SecretOptions.Directory = None,
    tls_dir: SecretOptions.Tls = None,
    tls_secret: SecretOptions.TlsSecret = None,
) -> int:
    """Put an image into the place of a member; the old one's image stays as it is.

    What the disk holds is copied to the new one before it votes.

    \b
      virtquorum patch web member replace vda 1 --file /d/web.raw --format raw
      virtquorum patch web member replace vda 1 member.xml --create
      virtquorum patch web member replace vda /b/web.raw member.xml

    Exit codes: 0 replaced, 1 refused or failed, 2 usage, 3 input that cannot
    be read, no such domain, or no connection to libvirt.
    """  # fmt: skip
    _check_create(create, no_copy)
    asked: Asked = context.obj
    new = new_member(path, file, block, format, asked.streams)
    said = Said(
        live=live, config=config, current=current, dry_run=dry_run, yes=yes,
        no_checks=no_checks, as_json=as_json, connect=connect, secret=secret or (),
        secrets_dir=secrets_dir, tls_dir=tls_dir, tls_secret=tls_secret,
    )  # fmt: skip

    def plan(domain: HostDomain, options: Options) -> Patch:
        from virtquorum.host.patch import replace_member

        return replace_member(domain, quorum, old, new.image, **options)

    return made(asked, said, plan, fill=not no_copy, create=create, given=_given(new))


def remove(
    context: typer.Context,
    quorum: Quorum,
    member: Member,
    bad: Annotated[
        list[str] | None,
        typer.Option(
            "--bad",
            metavar="MEMBER",
            help="A member that is known to be bad: of the others enough must be left.",
            show_default=False,
        ),
    ] = None,
    threshold: Threshold = None,
    connect: ConnectHere = None,
    live: Live = False,
    config: Config = False,
    current: Current = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json_ = False,
) -> int:
    """Take a member out of a quorum; its image stays as it is.

    \b
      virtquorum patch web member remove vda 2
      virtquorum patch web member remove vda /c/web.raw --live --config
      virtquorum patch web member remove vda 3 --threshold 2
      virtquorum patch web member remove vda 3 --bad 0

    Exit codes: 0 removed, 1 refused or failed, 2 usage, 3 no such domain, or
    no connection to libvirt.
    """
    said = Said(
        live=live, config=config, current=current, dry_run=dry_run, yes=yes,
        no_checks=False, as_json=as_json, connect=connect,
    )  # fmt: skip

    def plan(domain: HostDomain, options: Options) -> Patch:
        from virtquorum.host.patch import remove_member

        return remove_member(domain, quorum, member, threshold=threshold, **options)

    return made(context.obj, said, plan, bad=bad or ())


def reorder(
    context: typer.Context,
    quorum: Quorum,
    order: Annotated[
        list[str],
        typer.Argument(
            metavar="MEMBER…",
            help="The members that come first, in this order; the others follow in theirs.",
            show_default=False,
        ),
    ],
    connect: ConnectHere = None,
    live: Live = False,
    config: Config = False,
    current: Current = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json_ = False,
) -> int:
    """Bring the members of a quorum into another order.

    The order matters with read_pattern='fifo', where the first is read, and
    in a tie, where the later ones win.

    \b
      virtquorum patch web member reorder vda 2 0 1
      virtquorum patch web member reorder vda /c/web.raw --live --config

    Exit codes: 0 reordered, or so already, 1 refused or failed, 2 usage, 3 no
    such domain, or no connection to libvirt.
    """
    said = Said(
        live=live, config=config, current=current, dry_run=dry_run, yes=yes,
        no_checks=False, as_json=as_json, connect=connect,
    )  # fmt: skip

    def plan(domain: HostDomain, options: Options) -> Patch:
        from virtquorum.host.patch import reorder_members

        return reorder_members(domain, quorum, order, **options)

    return made(context.obj, said, plan)


def _check_create(create: bool, no_copy: bool) -> None:
    if create and no_copy:
        raise typer.BadParameter(
            "--create makes a blank image, and --no-copy says that it holds the disk's data; "
            "leave one out"
        )


def _given(member: NewMember) -> Given:
    """What a new member was given by."""
    from virtquorum.host.patch.given import Given

    return Given(member.words, member.element)
