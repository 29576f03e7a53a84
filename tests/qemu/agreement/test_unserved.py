"""What cannot be served here: QEMU's parser takes our options, and none that is altered."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from tests.qemu.agreement.monitor import NO_QEMU, RefusedError, started
from tests.qemu.agreement.opening import STYLES, Disks, Style, spelled
from tests.qemu.agreement.unserved import AWAY, Away, provided
from tests.servers.process import lacks_driver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(bool(NO_QEMU), reason=f"not installed: {NO_QEMU}")

UNKNOWN = re.compile(
    r"Parameter '[^']+' is (unexpected|missing)|'device' option is required"
    r"|Invalid parameter '[^']+'|Block protocol '\w+' doesn't support the option '[^']+'"
)


@pytest.fixture(params=AWAY)
def away(request: pytest.FixtureRequest) -> Away:
    one = AWAY[request.param]
    lacking = lacks_driver(one.protocol)
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    return one


def disks(away: Away, style: Style, folder: Path) -> Disks:
    """A quorum of it alone."""
    source = away.source.replace("DIR", str(folder))
    return spelled(
        "<domain><devices><disk type='quorum' threshold='1'><driver type='quorum'/>"
        f"<backingStore type='{away.type}'><format type='raw'/>{source}</backingStore>"
        "<target dev='vda'/></disk></devices></domain>",
        style,
        provided(folder),
    )


def answer(commands: list[dict[str, Any]], folder: Path) -> str:
    """What QEMU has against commands."""
    with started([], folder) as running:
        try:
            for one in commands:
                running.tell(one)
        except RefusedError as error:
            return str(error).removeprefix("blockdev-add: ")
    raise AssertionError("QEMU took them")


@pytest.mark.parametrize("style", STYLES)
def test_the_error_is_that_of_the_connection(style: Style, away: Away, tmp_path: Path) -> None:
    asked = disks(away, style, tmp_path)
    if style == "qmp":
        assert re.match(away.unreachable, answer(asked.commands, tmp_path))
        return
    with pytest.raises(RefusedError) as refused, started(asked.arguments, tmp_path):
        pass
    # QEMU repeats the argument, and then says what is wrong with it.
    assert re.search(f"(}}|,id=drive-vda): {away.unreachable}", str(refused.value))
    assert UNKNOWN.search(str(refused.value)) is None


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    """Where every property stands in JSON types."""
    match value:
        case dict():
            for key, below in value.items():
                yield (key,)
                yield from ((key, *rest) for rest in places(below))
        case list():
            for number, below in enumerate(value):
                yield from ((number, *rest) for rest in places(below))


def renamed(value: Any, place: tuple[Any, ...]) -> Any:
    """JSON types with one property called otherwise."""
    value = deepcopy(value)
    *way, last = place
    inside = value
    for key in way:
        inside = inside[key]
    inside[f"{last}x"] = inside.pop(last)
    return value


def test_an_altered_option_is_another_error(away: Away, tmp_path: Path) -> None:
    said = disks(away, "qmp", tmp_path).commands
    (at,) = [
        number
        for number, one in enumerate(said)
        if isinstance(one["arguments"], dict) and one["arguments"].get("driver") == away.protocol
    ]
    every = [one for one in places(said[at]["arguments"]) if not isinstance(one[-1], int)]
    assert len(every) > 5
    for place in every:
        altered = {**said[at], "arguments": renamed(said[at]["arguments"], place)}
        found = answer([*said[:at], altered], tmp_path)
        assert UNKNOWN.match(found), (place, found)
        assert re.match(away.unreachable, found) is None


#: A dotted key of each driver's that it cannot do without.
NEEDED = {"rbd": "pool", "gluster": "volume", "nvme": "device"}


def test_an_altered_key_of_drive_is_another_error(away: Away, tmp_path: Path) -> None:
    words = disks(away, "drive", tmp_path).arguments
    key = f",children.0.file.{NEEDED[away.protocol]}="
    assert key in words[-1]
    altered = [*words[:-1], words[-1].replace(key, f"{key[:-1]}x=")]
    with pytest.raises(RefusedError) as refused, started(altered, tmp_path):
        pass
    assert re.search(f",id=drive-vda: ({UNKNOWN.pattern})", str(refused.value))


def test_a_secret_reaches_its_library(tmp_path: Path) -> None:
    """Ceph's library looks at a key before it connects to anybody."""
    lacking = lacks_driver("rbd")
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    said = disks(AWAY["rbd"], "qmp", tmp_path).commands
    (tmp_path / "key").write_bytes(b"no key")
    assert answer(said, tmp_path) == "error connecting: Invalid argument"
