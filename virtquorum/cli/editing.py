"""The work of ``virtquorum edit``: the editor, and what is asked when its text does not go."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from virtquorum.cli.connection import carried_out, looking, show_findings, show_results
from virtquorum.cli.streams import Exit
from virtquorum.errors import HostError, LoweredError, UsageError, VirtquorumError
from virtquorum.host.define import InvalidError, check_definition, plan_definition
from virtquorum.images.program import Interrupted
from virtquorum.printable import printable
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from virtquorum.cli.streams import Streams
    from virtquorum.host.define import Definition
    from virtquorum.host.domain import HostDomain
    from virtquorum.qemu.provided import Provided

__all__ = ["Editing"]

#: What virsh takes if nobody names an editor.
_EDITOR: Final = "vi"
#: Seconds in which an editor can put its text away after a signal.
_PATIENCE: Final = 5.0
#: What may be answered where a text does not go.
_ANSWERS: Final = {
    "y": "edit it again",
    "n": "give up; what you wrote is kept in a file",
    "i": "define it without virtquorum's rules; libvirt validates it still",
    "f": "define it all the same, whatever is said above of it",
    "?": "this help",
}

#: How an attempt ended: done, or why not; 'lost' can be forced, 'invalid' be ignored.
_Outcome: TypeAlias = Literal["done", "refused", "invalid", "lost"]


class _Shown(NamedTuple):
    """What was asked about: sentences on what goes, and the definition that was there then."""

    lost: tuple[str, ...]
    definition: str


class Editing:
    """One run of the command; ``checks`` is whether images are looked at.

    With ``force`` the record is believed where somebody has changed libvirt's
    XML by hand; then it is defined anew even if nothing is edited.
    """

    def __init__(
        self,
        domain: HostDomain,
        provided: Provided,
        streams: Streams,
        *,
        checks: bool,
        force: bool = False,
    ) -> None:
        self.domain = domain
        self.streams = streams
        self._provided = provided
        self._checks = checks
        self._believes = force
        self._ignore = False
        self._shown: _Shown | None = None
        self._forced: _Shown | None = None
        self._code: int = Exit.CLEAN
        self._base = self._definition()

    def _definition(self) -> str:
        """The definition as libvirt has it."""
        return self.domain.text(inactive=True, secure=True).text

    def _before(self) -> bytes:
        """What is edited; raises LoweredError, and HostError where --force would do."""
        try:
            found = self.domain.lifted(inactive=True, secure=True)
        except LoweredError as error:
            forced = self.domain.lifted(inactive=True, secure=True, force=True)
            if not self._believes:
                raise HostError(
                    f"{error}; 'virtquorum edit --force {self.domain.name}' edits it as its record "
                    "has it, and drops what was changed against it"
                ) from None
            return forced.format()
        self._believes = False
        return found.format()

    def run(self) -> int:
        """Edit until it is done or given up."""
        before = self._before()
        handle, path = tempfile.mkstemp(prefix=f"{_safe(self.domain.name)}-", suffix=".xml")
        with os.fdopen(handle, "wb") as file:
            file.write(before)
        with _kept(path, before, self.streams), _ends_are_interruptions():
            return self._rounds(path, before)

    def _rounds(self, path: str, before: bytes) -> int:
        while True:
            self._edit(path)
            text = _written(path)
            if text == before and not self._believes:
                os.unlink(path)
                self.streams.out.write(f"domain '{printable(self.domain.name)}' is as it was\n")
                return Exit.CLEAN
            outcome = self._attempt(text, path)
            while outcome != "done":
                answer = self._ask(outcome)
                if answer == "n":
                    return Exit.FINDINGS
                if answer == "y":
                    break
                self._ignore = self._ignore or answer == "i"
                self._forced = self._shown if answer == "f" else self._forced
                outcome = self._attempt(text, path)
            else:
                os.unlink(path)
                self.streams.out.write(f"domain '{printable(self.domain.name)}' edited\n")
                return self._code
            self._ignore, self._shown, self._forced = False, None, None

    def _edit(self, path: str) -> None:
        """Run the editor; raises UsageError if there is none, HostError if it fails."""
        said = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _EDITOR
        try:
            words = shlex.split(said)
        except ValueError as error:
            raise UsageError(f"the editor '{said}' cannot be understood: {error}") from None
        with _interrupts_are_the_editors():
            try:
                process = subprocess.Popen([*words, path])
            except (OSError, IndexError) as error:
                reason = (getattr(error, "strerror", None) or str(error)).lower()
                raise UsageError(
                    f"the editor '{said}' cannot be run: {reason}; name another one: EDITOR=nano"
                ) from None
            code = _ended(process, path)
        if code:
            raise HostError(f"the editor '{said}' ended with code {code}")

    def _attempt(self, text: bytes, path: str) -> _Outcome:
        """Define what was written; what is in the way is said."""
        try:
            definition = self._planned(text, path)
            if self._is_to_be_asked(definition):
                return "lost"
            self._notes(definition)
            self._code = carried_out(definition.plan, self.streams)
        except InvalidError as error:
            show_findings(error.findings, self.streams)
            self.streams.say(str(error))
            return "invalid"
        except VirtquorumError as error:
            if isinstance(error, HostError) and not self.domain.host.is_alive():
                raise
            self.streams.say(str(error))
            return "refused"
        return "done"

    def _planned(self, text: bytes, path: str) -> Definition:
        new = Domain.from_bytes(text, path)
        definition = plan_definition(
            self.domain.host,
            new,
            provided=self._provided,
            checked=self._ignore,
            believed=self._believes,
        )
        existing = definition.existing
        if existing is None or existing.uuid != self.domain.uuid:
            raise HostError(
                f"this is another domain than '{self.domain.name}', by its name or UUID; "
                "'virtquorum define FILE' defines another one"
            )
        return definition

    def _is_to_be_asked(self, definition: Definition) -> bool:
        """Say what goes or is unwise, and whether there is another definition by now.

        What was forced is not said again; it was forced of what was shown, and
        of nothing that has come to be since.
        """
        now = _Shown(definition.lost, self._definition())
        agreed = self._forced or _Shown((), self._base)
        new = [one for one in now.lost if one not in agreed.lost]
        is_other = now.definition != agreed.definition
        self._shown = now
        for one in new:
            self.streams.say(one)
        if is_other:
            again = " once more" if agreed.definition != self._base else ""
            self.streams.say(
                f"somebody else has changed the definition of '{self.domain.name}' meanwhile{again}"
            )
        return is_other or bool(new)

    def _notes(self, definition: Definition) -> None:
        show_findings(definition.findings, self.streams)
        if self._checks:
            with looking(self.streams):
                results = check_definition(definition)
            show_results(results, self.streams, refusing=False)
        for note in definition.notes:
            self.streams.note(note)

    def _ask(self, outcome: _Outcome) -> str:
        """What to do now; 'n' where there is nobody to ask."""
        answers = ["y", "n", *(["i"] if outcome == "invalid" else [])]
        answers += ["f"] if outcome == "lost" else []
        while True:
            self.streams.err.write(f"virtquorum: try again? [{','.join([*answers, '?'])}] ")
            self.streams.err.flush()
            line = self.streams.input.readline()
            answer = line.decode("utf-8", "replace").strip().lower()[:1]
            if not line:
                self.streams.err.write("\n")
                return "n"
            if answer in answers:
                return answer
            for one in (*answers, "?"):
                self.streams.err.write(f"  {one}  {_ANSWERS[one]}\n")


def _written(path: str) -> bytes:
    """What the editor has left; raises HostError where it has taken the file away."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise HostError(f"the editor has left no file {path}, so nothing was changed") from None


def _safe(name: str) -> str:
    """A domain's name as a part of a file's."""
    return "".join(one if one.isalnum() or one in "-_." else "_" for one in name)[:60]


def _ended(process: subprocess.Popen[bytes], path: str) -> int:
    """The exit code of the editor, which gets the signal that ends us."""
    try:
        return process.wait()
    except Interrupted as interrupted:
        process.send_signal(interrupted.number)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            interrupted.left = (path,)
            process.returncode = 0  # nobody waits for it any more
        raise


@contextmanager
def _kept(path: str, before: bytes, streams: Streams) -> Iterator[None]:
    """Say in the end where the text is, if it was changed and not defined; else remove it."""
    left: tuple[str, ...] = ()
    try:
        yield
    except Interrupted as interrupted:
        left = interrupted.left
        raise
    finally:
        with suppress(FileNotFoundError):
            with open(path, "rb") as file:
                is_changed = file.read() != before
            if left:
                streams.say(f"the editor runs still, and has {path}; it is not defined any more")
            elif is_changed:
                streams.say(f"what you wrote is kept in {path}")
            else:
                os.unlink(path)


@contextmanager
def _ends_are_interruptions() -> Iterator[None]:
    """Raise Interrupted for SIGTERM and SIGHUP, so that what was written is not left unsaid."""
    with ExitStack() as stack:
        with suppress(ValueError):  # only the main thread may
            for number in (signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
                    stack.callback(signal.signal, number, signal.signal(number, _interrupted))
        yield


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)


@contextmanager
def _interrupts_are_the_editors() -> Iterator[None]:
    """What a terminal sends to all its programs is the editor's affair while it runs."""
    with ExitStack() as stack:
        with suppress(ValueError):  # only the main thread may
            for number in (signal.SIGINT, signal.SIGQUIT):
                # A handler of ours, unlike SIG_IGN, is not handed on to the editor.
                old = signal.signal(number, lambda *_: None)
                stack.callback(signal.signal, number, old)
        yield
