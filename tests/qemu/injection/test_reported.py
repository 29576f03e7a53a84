"""Everything that QEMU opens here under such a name, it reports under that name."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.nightly import NIGHTLY
from tests.qemu.agreement.expected import agreement
from tests.qemu.agreement.monitor import NO_QEMU, started
from tests.qemu.agreement.opening import STYLES, Style, built, opened, spelled
from tests.qemu.injection.names import NAMES, SIZE, TEXTS, attribute, domain_of
from tests.servers.loop import loop_device, missing_for_loop
from tests.servers.nbd import nbd_on_socket
from tests.servers.process import lacks, program
from virtquorum.qemu.blockdev import json_object_arguments
from virtquorum.qemu.drive import object_arguments
from virtquorum.qemu.graph import options
from virtquorum.qemu.objects import Secret, object_options

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(bool(NO_QEMU), reason=f"not installed: {NO_QEMU}")


class Names:
    """What a text is the name of, in a folder, while the servers for it run."""

    def __init__(self, folder: Path, texts: list[str], loop: str | None) -> None:
        self.folder = folder
        self.texts = texts
        self.loop = loop
        self.port = 0

    def make(self, stack: ExitStack) -> None:
        """Make files, links, directories, and servers."""
        content = bytes(SIZE)
        for kind in ("files", "devices", "sockets", "directories", "helpers"):
            (self.folder / kind).mkdir()
        for text in self.texts:
            (self.folder / "files" / text).write_bytes(content)
            (self.folder / "directories" / text).mkdir()
            (self.folder / "sockets" / text).symlink_to(self.folder / "nbd")
            (self.folder / "helpers" / text).symlink_to(self.folder / "helper")
            if self.loop is not None:
                (self.folder / "devices" / text).symlink_to(self.loop)
        (self.folder / "raw").write_bytes(content)
        exports = dict.fromkeys(self.texts, self.folder / "raw")
        stack.enter_context(nbd_on_socket(exports, self.folder / "nbd"))
        if not lacks("qemu-pr-helper"):
            helper = self.folder / "helper"
            argv = ["qemu-pr-helper", "-k", str(helper)]
            stack.enter_context(program(argv, self.folder / "helper.log", helper.exists))

    def sources(self, text: str) -> Iterator[tuple[str, str, str]]:
        """Disk types, sources in which the text is, and what else of the disk has it."""
        yield "file", f"<source file={attribute(f'files/{text}')}/>", ""
        socket = f"<host transport='unix' socket={attribute(f'sockets/{text}')}/>"
        yield "network", f"<source protocol='nbd' name={attribute(text)}>{socket}</source>", ""
        group = f"<iotune><total_iops_sec>9</total_iops_sec><group_name>{escape(text)}"
        yield "file", "<source file='raw'/>", f"{group}</group_name></iotune>"
        if self.loop is not None:
            yield "block", f"<source dev={attribute(f'devices/{text}')}/>", ""
        if not lacks("qemu-pr-helper"):
            helper = f"<source type='unix' path={attribute(f'helpers/{text}')} mode='client'/>"
            yield (
                "file",
                f"<source file='raw'><reservations managed='no'>{helper}</reservations></source>",
                "",
            )

    def domain(self) -> str:
        """A domain with all of it, and directories."""
        every: list[str] = []
        for text in self.texts:
            for type, source, more in self.sources(text):
                every.append(
                    f"<disk type='{type}'><driver type='raw'/>{source}"
                    f"<target dev='vd{len(every)}'/>{more}<readonly/></disk>"
                )
            every.append(
                "<disk type='dir'><driver type='fat'/>"
                f"<source dir={attribute(f'directories/{text}')}/>"
                f"<target dev='vd{len(every)}'/><readonly/></disk>"
            )
        return domain_of(*every)


def values(one: Any) -> Iterator[object]:
    match one:
        case dict():
            for below in one.values():
                yield from values(below)
        case list():
            for below in one:
                yield from values(below)
        case _:
            yield one


def check(names: Names, style: Style) -> None:
    """Have QEMU open and report everything; what it reports is what the graph holds."""
    made = spelled(names.domain(), style)
    held = {
        value
        for one in made.every
        for struct in (options(built(one).filtered), *map(object_options, built(one).objects))
        for value in values(struct)
    }
    kinds = ["files", "sockets", "directories"]
    kinds += ["devices"] if names.loop is not None else []
    kinds += ["helpers"] if not lacks("qemu-pr-helper") else []
    for text in names.texts:
        assert {text, *(f"{kind}/{text}" for kind in kinds)} <= held
    with opened(made, names.folder) as running:
        assert list(agreement(made, running)) == []
    assert not (names.folder / "owned").exists()


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | None]:
    """A block device, None where there is none to be had."""
    folder = tmp_path_factory.mktemp("loop")
    if missing_for_loop(folder) is not None:
        yield None
        return
    (folder / "image").write_bytes(bytes(SIZE))
    with loop_device(folder / "image") as device:
        yield device


@pytest.mark.parametrize("style", STYLES)
def test_qemu_reports_every_name_as_it_is(style: Style, loop: str | None, tmp_path: Path) -> None:
    texts = [text for text in NAMES if len(text) < 80]  # a socket's path has 107 characters
    names = Names(tmp_path, texts, loop)
    with ExitStack() as stack:
        names.make(stack)
        check(names, style)


@settings(
    max_examples=300 if NIGHTLY else 15, deadline=None, derandomize=not NIGHTLY,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(texts=st.lists(TEXTS, min_size=1, max_size=4, unique=True))
@example(texts=[",", '"', "\\", "\n"])
def test_qemu_reports_any_name_as_it_is(
    loop: str | None, tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    names = Names(tmp_path_factory.mktemp("names"), texts, loop)
    with ExitStack() as stack:
        names.make(stack)
        for style in STYLES:
            check(names, style)


def test_the_file_of_a_secret_is_just_this(tmp_path: Path) -> None:
    for text in NAMES:
        (tmp_path / text).write_bytes(b"open sesame")
    secrets = {f"s{number}": text for number, text in enumerate(NAMES)}
    for spell in (object_arguments, json_object_arguments):
        words = [word for id, text in secrets.items() for word in spell(Secret(id=id, file=text))]
        with started(words, tmp_path) as running:
            for id, text in secrets.items():
                assert running.command("qom-get", path=f"/objects/{id}", property="file") == text
    assert not (tmp_path / "owned").exists()
