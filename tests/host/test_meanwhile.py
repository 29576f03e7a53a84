"""What somebody else does between a plan and its steps is neither overwritten nor undone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.host.quorum_domains import members, quorum_disk, virtquorum, web, with_uuid
from tests.libvirts import asked, missing_for_embed
from virtquorum.errors import HostError
from virtquorum.host.change import Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.libvirts import Embed
    from virtquorum.host.change import Course

embedded = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))


def placeholder(bench: Embed) -> Path:
    return bench.root / "virtquorum" / "web-vda.placeholder"


def defined(bench: Embed) -> Path:
    file = web(bench, "web", quorum_disk("vda", members(bench, "web")))
    done = virtquorum(bench, "define", "--no-checks", file)
    assert done.code == 0, done.err
    return file


class Late:
    """A domain's handle; just before it is started somebody else does that."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def __getattr__(self, name: str) -> Any:
        if name == "createWithFlags":
            self._handle.createWithFlags(1)
        return getattr(self._handle, name)


def started_between(connection: Any, *, late: bool, missing: str = "") -> tuple[str, bool]:
    """Start, as somebody else does since the plan; what is said, and whether theirs goes on."""
    from virtquorum.host.change import apply
    from virtquorum.host.session import Host
    from virtquorum.host.start import plan_start

    host = Host(connection)
    domain, other = host.domain("web"), host.domain("web")
    if missing:
        Path(missing).unlink()
    ours, theirs = plan_start(domain), plan_start(other, paused=True)
    if late:
        domain.handle = Late(domain.handle)
        said = refused(lambda: apply(ours))
    else:
        apply(theirs)
        said = refused(lambda: apply(ours))
    return said, host.domain("web").is_paused


def refused(change: Callable[[], object]) -> str:
    """What a change says that is refused."""
    try:
        change()
    except HostError as error:
        return str(error)
    return "done"


@embedded
@pytest.mark.parametrize("late", [False, True], ids=["before", "at-once"])
def test_a_guest_that_somebody_else_has_started_runs_on(bench: Embed, late: bool) -> None:
    defined(bench)
    said, goes_on = bench.call(started_between_late if late else started_between_early)
    assert goes_on, said
    assert said.startswith("cannot start 'web': domain 'web'")
    assert ("already running" if late else "is paused already") in said


def started_between_early(connection: Any) -> tuple[str, bool]:
    return started_between(connection, late=False)


def started_between_late(connection: Any) -> tuple[str, bool]:
    return started_between(connection, late=True)


def started_without_placeholder(connection: Any, file: str) -> tuple[str, bool]:
    return started_between(connection, late=False, missing=file)


@embedded
def test_the_loser_of_two_starts_leaves_the_placeholder(bench: Embed) -> None:
    """Both have planned to make it."""
    defined(bench)
    said, goes_on = bench.call(started_without_placeholder, str(placeholder(bench)))
    assert (goes_on, "is paused already" in said) == (True, True)
    assert placeholder(bench).exists()


def restarted_between(connection: Any) -> tuple[str, bool]:
    """A start that fails when somebody has ended its guest and started another one."""
    from virtquorum.host.change import Plan, apply
    from virtquorum.host.session import Host
    from virtquorum.host.start import plan_start

    domain = Host(connection).domain("web")

    def another() -> None:
        found = connection.lookupByName("web")
        found.destroy()
        found.createWithFlags(1)

    plan = plan_start(domain)
    steps = (*plan.steps[:-2], Meddling(another))
    said = refused(lambda: apply(Plan(title=plan.title, domain="web", steps=steps)))
    return said, Host(connection).domain("web").is_active


class Meddling(Step):
    """Somebody else does something, and then the change fails."""

    title = "go on"

    def __init__(self, meddle: Callable[[], object]) -> None:
        self.meddle = meddle

    def do(self, course: Course) -> None:
        """Do what somebody else does, and fail."""
        self.meddle()
        raise HostError("that is it")

    def undo(self) -> None:
        """Nothing."""


@embedded
def test_a_guest_is_known_by_its_number(bench: Embed) -> None:
    defined(bench)
    said, runs = bench.call(restarted_between)
    assert (runs, "that is it" in said) == (True, True)


def taken_from_saved_state(connection: Any) -> tuple[str, bool]:
    """Somebody else goes on from a saved state first, and saves the guest no more."""
    from virtquorum.host.session import Host
    from virtquorum.host.start import Start, plan_start

    host = Host(connection)
    host.domain("web").handle.createWithFlags(1)
    host.domain("web").handle.managedSave(0)
    plan = plan_start(host.domain("web"))
    host.domain("web").handle.managedSaveRemove(0)
    (start,) = (one for one in plan.steps if isinstance(one, Start))
    said = refused(lambda: start.do(None))  # type: ignore[arg-type]
    return said, host.domain("web").is_active


@embedded
def test_a_saved_state_that_has_gone_is_no_start_from_nothing(bench: Embed) -> None:
    """The guest would run unseen."""
    defined(bench)
    said, runs = bench.call(taken_from_saved_state)
    assert (runs, "has no saved state any more; try again" in said) == (False, True), said


def rewritten_saved_state(connection: Any) -> tuple[str, bool]:
    """Somebody else writes other XML into a saved state: before our step, and after it."""
    from virtquorum.host.saved import LowerSavedState
    from virtquorum.host.session import Host

    domain = Host(connection).domain("web")
    domain.handle.createWithFlags(1)
    domain.handle.managedSave(0)

    def rewrite(old: str, new: str) -> None:
        xml = domain.handle.managedSaveGetXMLDesc(1)
        assert old in xml
        domain.handle.managedSaveDefineXML(xml.replace(old, new), 0)

    rewrite("<on_crash>destroy<", "<on_crash>preserve<")
    step = LowerSavedState(domain)
    rewrite("<on_crash>preserve<", "<on_crash>restart<")
    said = refused(lambda: step.do(None))  # type: ignore[arg-type]
    step.undo()
    again = LowerSavedState(domain)
    again.do(None)  # type: ignore[arg-type]
    rewrite("<on_crash>restart<", "<on_crash>preserve<")
    again.undo()
    return said, "<on_crash>preserve<" in domain.handle.managedSaveGetXMLDesc(1)


@embedded
def test_a_saved_state_that_somebody_has_rewritten(bench: Embed) -> None:
    defined(bench)
    said, is_theirs = bench.call(rewritten_saved_state)
    assert said == "domain 'web': its saved state has changed meanwhile; try again"
    assert is_theirs


def defined_between(connection: Any, path: str, other: str) -> tuple[str, str]:
    """Define a file when somebody has defined another one since the plan; what there is then."""
    from virtquorum.host.change import apply
    from virtquorum.host.define import plan_definition
    from virtquorum.host.session import Host
    from virtquorum.xml.domain import Domain

    plan = plan_definition(Host(connection), Domain.from_bytes(Path(path).read_bytes(), path)).plan
    connection.defineXML(other)
    before = connection.lookupByName("web").XMLDesc(2)
    said = refused(lambda: apply(plan))
    after = connection.lookupByName("web").XMLDesc(2)
    return said, "as it was" if before == after else after


UUID = "7f1d0f5e-5c0a-4a1e-8b1e-2f8f6b0c9a11"
OTHER = (
    "<domain type='qemu'><name>web</name>{uuid}<memory>9999</memory><description>theirs"
    "</description><os><type machine='q35'>hvm</type></os></domain>"
)


@embedded
@pytest.mark.parametrize("uuid", ["", UUID], ids=["another", "the-same-uuid"])
def test_a_domain_that_somebody_else_has_defined_stays(bench: Embed, uuid: str) -> None:
    file = web(bench, "web", quorum_disk("vda", members(bench, "web")))
    if uuid:
        file.write_text(file.read_text().replace("<memory", f"<uuid>{uuid}</uuid><memory", 1))
    other = OTHER.format(uuid=f"<uuid>{uuid}</uuid>" if uuid else "")
    said, what = bench.call(defined_between, str(file), other)
    assert what == "as it was"
    assert said.startswith("cannot define 'web': ")
    assert said.endswith("all is as it was before")
    assert ("somebody else has defined the domain 'web' meanwhile" in said) is bool(uuid)
    assert not placeholder(bench).exists()


def defined_twice(connection: Any, path: str) -> str:
    """One file, planned twice, and then defined twice."""
    from virtquorum.host.change import apply
    from virtquorum.host.define import plan_definition
    from virtquorum.host.session import Host
    from virtquorum.xml.domain import Domain

    domain = Domain.from_bytes(Path(path).read_bytes(), path)
    plans = [plan_definition(Host(connection), domain).plan for _ in range(2)]
    apply(plans[0])
    return refused(lambda: apply(plans[1]))


@embedded
@pytest.mark.parametrize("uuid", ["", UUID], ids=["none", "uuid"])
def test_the_loser_of_two_definitions_leaves_the_winners(bench: Embed, uuid: str) -> None:
    file = web(bench, "web", quorum_disk("vda", members(bench, "web")))
    if uuid:
        file.write_text(file.read_text().replace("<memory", f"<uuid>{uuid}</uuid><memory", 1))
    assert "cannot define 'web': " in bench.call(defined_twice, str(file))
    assert "vq-vda" in bench.call(asked.xml, "web", True)
    assert placeholder(bench).exists()


@embedded
def test_a_definition_that_somebody_else_has_changed_stays(bench: Embed) -> None:
    file = with_uuid(bench, "web", defined(bench))
    file.write_text(file.read_text().replace("threshold='2'", "threshold='3'"))
    xml = bench.call(asked.xml, "web", True).replace("<metadata", "<title>theirs</title><metadata")
    said, what = bench.call(defined_between, str(file), xml)
    assert what == "as it was"
    assert "somebody else has changed the domain 'web' meanwhile; look at it, and try" in said
    assert placeholder(bench).exists()


def changed_after(connection: Any, path: str) -> tuple[str, str, str]:
    """A definition that fails after somebody else has changed it: what is said, and is left."""
    from virtquorum.host.change import ChangeError, Plan, apply
    from virtquorum.host.define import plan_definition
    from virtquorum.host.session import Host
    from virtquorum.xml.domain import Domain

    plan = plan_definition(Host(connection), Domain.from_bytes(Path(path).read_bytes(), path)).plan

    def theirs() -> None:
        connection.lookupByName("web").setMetadata(1, "theirs", None, None, 2)

    steps = (*plan.steps[:-1], Meddling(theirs))
    try:
        apply(Plan(title=plan.title, domain="web", steps=steps))
    except ChangeError as error:
        return error.state, str(error), connection.lookupByName("web").XMLDesc(2)
    return "", "", ""


@embedded
def test_a_definition_that_was_changed_since_is_not_undone(bench: Embed) -> None:
    file = web(bench, "web", quorum_disk("vda", members(bench, "web")))
    state, said, xml = bench.call(changed_after, str(file))
    assert state == "between"
    assert "somebody else has changed the definition of 'web' since" in said
    assert "<title>theirs</title>" in xml
    assert placeholder(bench).exists()


def undefined_between(connection: Any) -> tuple[str, list[str]]:
    """Undefine what somebody else has undefined since the plan."""
    from virtquorum.host.change import apply
    from virtquorum.host.session import Host
    from virtquorum.host.undefine import plan_undefine

    host = Host(connection)
    plan = plan_undefine(host.domain("web"))
    connection.lookupByName("web").undefine()
    return refused(lambda: apply(plan)), host.names()


@embedded
def test_a_definition_that_somebody_else_took_away_does_not_come_back(bench: Embed) -> None:
    defined(bench)
    said, names = bench.call(undefined_between)
    assert ("Domain not found" in said, names) == (True, [])


def test_a_file_that_somebody_else_has_written(tmp_path: Path) -> None:
    """It is only brought back if it holds what this step wrote."""
    from virtquorum.host.definition import WriteFile

    path = tmp_path / "cookies"
    step = WriteFile(str(path), b"ours", None)
    path.write_bytes(b"theirs")
    step.undo()
    assert path.read_bytes() == b"theirs"
    step.do(None)  # type: ignore[arg-type]
    assert path.read_bytes() == b"ours"
    step.undo()
    step.undo()
    assert path.read_bytes() == b"theirs"
    step.do(None)  # type: ignore[arg-type]
    path.write_bytes(b"theirs again")
    step.undo()
    assert path.read_bytes() == b"theirs again"
    new = WriteFile(str(tmp_path / "new"), b"ours", None)
    new.do(None)  # type: ignore[arg-type]
    new.undo()
    assert not (tmp_path / "new").exists()
    nowhere = WriteFile(str(tmp_path), b"", None)
    with pytest.raises(HostError, match="cannot be read: is a directory"):
        nowhere.do(None)  # type: ignore[arg-type]
