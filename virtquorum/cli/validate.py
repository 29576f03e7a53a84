"""``virtquorum validate``: the options; the work is in ``validation.py``."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from virtquorum.check.finding import Severity
from virtquorum.cli.inputs import MaxDepth, MaxSize
from virtquorum.cli.shown import output
from virtquorum.cli.streams import Streams
from virtquorum.cli.validation import Settings, validate
from virtquorum.xml.document import DEFAULT_LIMITS, Limits

__all__ = ["command"]


class Format(Enum):
    """The report formats."""

    HUMAN = "human"
    JSON = "json"
    JUNIT = "junit"
    SARIF = "sarif"
    GITHUB = "github"
    GITLAB = "gitlab"


class Grammar(Enum):
    """The grammars."""

    RNG = "rng"
    XSD = "xsd"
    BOTH = "both"


_Rules = Annotated[
    list[str] | None,
    typer.Option(
        metavar="RULE",
        help="Only these rules: codes (VQ105), their beginnings (VQ1), names; may be repeated.",
        show_default=False,
    ),
]


def command(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH…|-]",
            help="Files, directories (every *.xml below), or - for standard input.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[
        Format, typer.Option("--format", help="How to report on standard output.")
    ] = Format.HUMAN,
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            metavar="FORMAT=FILE",
            help="Report into a file as well; may be repeated.",
            show_default=False,
        ),
    ] = None,
    select: _Rules = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE", help="Not these rules; the more specific counts.", show_default=False
        ),
    ] = None,
    severity: Annotated[
        Severity | None,
        typer.Option(help="Nothing below this severity.", show_default="note"),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what has a safe fix.")] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show what --fix would change, exit 1 if anything.")
    ] = False,
    check_images: Annotated[
        bool | None,
        typer.Option(
            "--check-images/--no-check-images",
            help="Look at local images too, with qemu-img and the formats given.",
            show_default="no",
        ),
    ] = None,
    grammar: Annotated[
        Grammar | None,
        typer.Option(
            help="libvirt's RELAX NG with quorum disks, the XSD 1.1 of disks, or both.",
            show_default="rng",
        ),
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.rng", help="Check against this RELAX NG grammar.", show_default=False
        ),
    ] = None,
    libvirt_schemas: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Where libvirt's grammars are, if not as usual.", show_default=False
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Leave these out of directories ('old/**', '*.bak.xml'); may be repeated.",
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Findings that are known and not reported.", show_default=False
        ),
    ] = None,
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="Write what is found into the baseline.")
    ] = False,
    stdin_filename: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="What standard input is called in reports.", show_default=False
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The configuration, if not .virtquorum.toml or pyproject.toml around here.",
            show_default=False,
        ),
    ] = None,
    no_config: Annotated[bool, typer.Option("--no-config", help="Read no configuration.")] = False,
    max_depth: Annotated[int, MaxDepth] = DEFAULT_LIMITS.depth,
    max_size: Annotated[int, MaxSize] = DEFAULT_LIMITS.size,
) -> int:
    """Check libvirt's XML: by libvirt's own grammar with quorum disks added, and by rules.

    Domains, snapshots and bare <disk>s are checked by grammar and rules;
    networks, pools, volumes and libvirt's other XML by grammar. Each finding
    has its line and column, what was expected, and a fix where there is a
    safe one; 'virtquorum explain CODE' says more. A comment
    <!-- virtquorum: ignore RULE reason --> keeps findings in the next
    element back.

    \b
      virtquorum validate domain.xml
      virsh dumpxml web | virtquorum validate -
      virtquorum validate --format json --output sarif=vq.sarif domains
      virtquorum validate --fix domain.xml
      virtquorum validate --ignore VQ2 --severity warning domains

    Exit codes: 0 clean (notes may be there), 1 errors or warnings, 2 usage or
    configuration, 3 input that cannot be read or is none of libvirt's XML.
    """
    streams: Streams = context.obj
    if fix and diff:
        raise typer.BadParameter("--fix changes the files; --diff only looks")
    if fix and "-" in (paths or ["-"]):
        raise typer.BadParameter("--fix needs files; standard input has none to write to")
    if config is not None and no_config:
        raise typer.BadParameter("--config and --no-config exclude each other")
    if schema is not None and grammar is not None:
        raise typer.BadParameter("--schema takes the place of --grammar")
    if update_baseline and (fix or diff):
        raise typer.BadParameter("--update-baseline changes no XML; run --fix before it")
    settings = Settings(
        format=format.value,
        outputs=tuple(output(one) for one in outputs or []),
        select=tuple(select or []),
        ignore=tuple(ignore or []),
        severity=severity,
        exclude=tuple(exclude or []),
        grammar=grammar.value if grammar is not None else None,
        schema=schema,
        libvirt_schemas=libvirt_schemas,
        images=check_images,
        fix=fix,
        diff=diff,
        baseline=baseline,
        update_baseline=update_baseline,
        stdin_filename=stdin_filename,
        config=config,
        no_config=no_config,
        limits=Limits(depth=max_depth, size=max_size),
    )
    return validate(paths or [], settings, streams)
