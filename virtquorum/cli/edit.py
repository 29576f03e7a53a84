"""``virtquorum edit``: a domain's definition in an editor, with its quorum disks."""

from __future__ import annotations

from typing import Annotated

import typer

from virtquorum.cli.connection import (
    Connect,
    DomainName,
    NoChecks,
    given_secrets,
    refusing,
    tell_unfinished,
)
from virtquorum.cli.secrets import SecretOptions
from virtquorum.cli.streams import Streams
from virtquorum.host import connect as connected

__all__ = ["command"]


def command(
    context: typer.Context,
    name: DomainName,
    connect: Connect = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Believe the record where somebody has changed libvirt's XML by hand; it is "
            "defined anew even if nothing is edited.",
        ),
    ] = False,
    no_checks: NoChecks = False,
    secret: SecretOptions.Secret = None,
    secrets_dir: SecretOptions.Directory = None,
    tls_dir: SecretOptions.Tls = None,
    tls_secret: SecretOptions.TlsSecret = None,
) -> int:
    """Edit a domain's definition in $VISUAL, $EDITOR or vi, with its quorum disks.

    What you save is validated, and defined as by 'virtquorum define'. Where
    that does not go, or something is lost or unwise, you are asked whether to
    edit it again; what you wrote is never lost.

    \b
      virtquorum edit web
      virtquorum edit --force web

    Exit codes: 0 changed, or left as it is, 1 given up or refused, 2 usage,
    3 no such domain, or no connection to libvirt.
    """
    streams: Streams = context.obj
    with connected(connect) as host:
        domain = host.domain(name)
        given = given_secrets(host, secret, secrets_dir, tls_dir, tls_secret)
        with refusing(host, streams):
            from virtquorum.cli.editing import Editing

            tell_unfinished(domain, streams)
            return Editing(domain, given, streams, checks=not no_checks, force=force).run()
