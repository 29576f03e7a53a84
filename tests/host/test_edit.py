"""``virtquorum edit``: the editor's text is defined, or asked about, and never lost."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.host.quorum_domains import members, quorum_disk, virtquorum, web
from tests.libvirts import asked, missing_for_embed
from tests.programs import Result

if TYPE_CHECKING:
    from tests.libvirts import Embed

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

EDITED = "domain 'web' edited\n"


@pytest.fixture
def bench(bench: Embed) -> Embed:
    """With a quorum domain."""
    done = virtquorum(bench, "define", "--no-checks", web(bench, "web"))
    assert done.code == 0, done.err
    return bench


def edit(bench: Embed, script: str, *options: str, input: str = "") -> Result:
    """Edit the domain; the editor is a Python script, ``text`` the file's text, ``n`` its turn."""
    editor, turns = bench.folder / "the editor.py", bench.folder / "turns"
    turns.write_text("")
    editor.write_text(
        "import sys, os, re\n"
        f"with open({str(turns)!r}, 'a') as file: file.write('x')\n"
        f"n = os.path.getsize({str(turns)!r})\n"
        "text = open(sys.argv[1]).read()\n"
        f"{script}\n"
        "open(sys.argv[1], 'w').write(text)\n"
    )
    command = f"{sys.executable} '{editor}'"
    return virtquorum(bench, "edit", *options, "web", input=input, EDITOR=command, VISUAL="")


def threshold(bench: Embed) -> str:
    dumped = virtquorum(bench, "dumpxml", "web").out
    return str(re.findall("threshold='(.*?)'", dumped)[0])


def kept(result: Result) -> Path:
    """The file that a result says to hold the text."""
    return Path(re.findall(r"what you wrote is kept in (\S+)\n", result.err)[0])


def test_what_is_saved_is_defined(bench: Embed) -> None:
    done = edit(bench, "text = text.replace(\"threshold='2'\", \"threshold='3'\")")
    assert (done.code, done.out, done.err) == (0, EDITED, "")
    assert threshold(bench) == "3"
    xml = bench.call(asked.xml, "web", True)
    assert '"vote-threshold":3' in xml.replace("&quot;", '"')


def test_what_is_not_changed_is_left(bench: Embed) -> None:
    before = bench.call(asked.xml, "web", True)
    done = edit(bench, "assert 'quorum' in text and 'placeholder' not in text")
    assert (done.code, done.out, done.err) == (0, "domain 'web' is as it was\n", "")
    assert bench.call(asked.xml, "web", True) == before


def test_a_mistake_is_shown_and_there_is_a_way_back(bench: Embed) -> None:
    script = (
        "text = text.replace(\"threshold='2'\", \"threshold='4'\") if n == 1 else "
        "text.replace(\"threshold='4'\", \"threshold='3'\")"
    )
    done = edit(bench, script, input="?\ny\n")
    assert (done.code, done.out) == (0, EDITED)
    assert "error[VQ105]" in done.err
    assert "try again? [y,n,i,?] " in done.err
    assert "  n  give up; what you wrote is kept in a file\n" in done.err
    assert threshold(bench) == "3"


@pytest.mark.parametrize("answer", ["n\n", ""], ids=["given up", "nobody there"])
def test_what_was_written_is_kept(answer: str, bench: Embed) -> None:
    done = edit(bench, "text = text.replace(\"threshold='2'\", \"threshold='4'\")", input=answer)
    assert (done.code, done.out) == (1, "")
    file = kept(done)
    assert "threshold='4'" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    file.unlink()
    assert threshold(bench) == "2"


def test_text_that_is_no_xml_and_text_that_libvirt_refuses(bench: Embed) -> None:
    script = (
        "text = text.replace('<vcpu', 'vcpu') if n == 1 else '<domain><name>web</name></domain>'"
    )
    done = edit(bench, script, "--no-checks", input="y\ni\nn\n")
    assert done.code == 1
    assert re.search(r"^virtquorum: /\S+/web-\w+\.xml:\d", done.err, re.MULTILINE)
    assert "libvirt says: " in done.err or "there is a domain 'web' already" in done.err
    kept(done).unlink()
    assert threshold(bench) == "2"


def test_rules_can_be_passed_over_and_libvirt_cannot(bench: Embed) -> None:
    script = "text = text.replace(\"device='disk'>\", \"device='disk' unknown='x'>\", 1)"
    done = edit(bench, script, input="i\n")
    assert "[VQ" in done.err
    assert (done.code, done.out) == (0, EDITED)
    assert "unknown='x'" in virtquorum(bench, "dumpxml", "web").out


def test_another_name_or_uuid_is_no_edit(bench: Embed) -> None:
    done = edit(bench, "text = text.replace('<name>web<', '<name>other<')", input="n\n")
    assert (done.code, "virsh domrename web other" in done.err) == (1, True)
    kept(done).unlink()
    done = edit(
        bench, "text = re.sub('<uuid>.*</uuid>|<name>web', '<name>x', text, 1)", input="n\n"
    )
    assert done.code == 1
    kept(done).unlink()
    assert bench.virsh("list", "--all", "--name").split() == ["web"]


def test_a_disk_that_goes_is_said(bench: Embed) -> None:
    script = "text = re.sub('<disk.*</disk>', '', text, flags=re.S)"
    done = edit(bench, script, input="x\nf\n")
    assert "has the quorum disk 'vda' now, and not in the new definition" in done.err
    assert "try again? [y,n,f,?] " in done.err
    assert (done.code, done.out) == (0, EDITED)
    assert virtquorum(bench, "dumpxml", "web").out.count("<disk") == 0
    assert not list((bench.root / "virtquorum").glob("*"))


BY_HAND = {
    "source": ("web-vda.placeholder'", "other.raw'"),
    "argument": ("&quot;vote-threshold&quot;:2", "&quot;vote-threshold&quot;:1"),
    "override": ("value='vq-vda'", "value='vq-vdb'"),
    "target": ("<target dev='vda'", "<target dev='vdc'"),
}


def changed_by_hand(bench: Embed, what: str) -> str:
    """Change libvirt's definition; what it was before."""
    before: str = bench.call(asked.xml, "web", True)
    old, new = BY_HAND[what]
    old, new = (old, new) if old in before else (one.replace("&quot;", '"') for one in (old, new))
    assert old in before
    bench.call(asked.define, before.replace(old, new))
    assert virtquorum(bench, "doctor", "web").code == 1
    return before


@pytest.mark.parametrize("what", BY_HAND)
def test_what_was_changed_by_hand_is_dropped_by_force(what: str, bench: Embed) -> None:
    """And nobody is asked: that is what the option is for."""
    before = changed_by_hand(bench, what)
    done = edit(bench, "raise AssertionError('there is nothing to be edited yet')")
    assert (done.code, done.out) == (1, "")
    assert "'virtquorum edit --force web' edits it as its record has it" in done.err
    assert "'virtquorum edit --force web'" in virtquorum(bench, "doctor", "web").out
    done = virtquorum(bench, "edit", "--force", "web", EDITOR="true", VISUAL="")
    assert (done.code, done.out, done.err) == (0, EDITED, "")
    # The record is written anew, in another layout.
    bare = re.compile("<metadata>.*</metadata>", re.DOTALL)
    assert bare.sub("", bench.call(asked.xml, "web", True)) == bare.sub("", before)
    found = virtquorum(bench, "doctor", "web")
    assert (found.code, "nothing is wrong" in found.out) == (0, True)
    assert [one.name for one in (bench.root / "virtquorum").iterdir()] == ["web-vda.placeholder"]


def test_by_force_other_losses_are_asked_all_the_same(bench: Embed) -> None:
    changed_by_hand(bench, "argument")
    script = "text = re.sub('<disk.*</disk>', '', text, flags=re.S)"
    done = edit(bench, script, "--force", input="n\n")
    assert (done.code, done.out) == (1, "")
    assert "has the quorum disk 'vda' now, and not in the new definition" in done.err
    assert "was changed by hand, and that goes" not in done.err
    kept(done).unlink()
    done = edit(bench, "text = text.replace(\"threshold='2'\", \"threshold='3'\")", "--force")
    assert (done.code, done.out, done.err) == (0, EDITED, "")
    assert threshold(bench) == "3"


def test_force_where_nothing_was_changed_by_hand(bench: Embed) -> None:
    done = virtquorum(bench, "edit", "--force", "web", EDITOR="true", VISUAL="")
    assert (done.code, done.out, done.err) == (0, "domain 'web' is as it was\n", "")


def test_force_is_no_way_to_a_record_of_a_later_version(bench: Embed) -> None:
    before = bench.call(asked.xml, "web", True)
    bench.call(asked.define, before.replace('version="1"', 'version="7"'))
    done = virtquorum(bench, "edit", "--force", "web", EDITOR="true", VISUAL="")
    assert (done.code, done.out) == (1, "")
    assert "--force" not in done.err
    bench.call(asked.define, before)


def edited_meanwhile(connection: Any, editor: str, others: list[list[str]]) -> list[Any]:
    """Edit, while somebody else defines others; code and error, after each question.

    ``others`` are, for each question, the answer, and texts to replace in the
    definition before it is given: what, and by what.
    """
    from io import StringIO

    from virtquorum.cli.editing import Editing
    from virtquorum.cli.streams import Streams
    from virtquorum.host.change import apply
    from virtquorum.host.define import plan_definition
    from virtquorum.host.session import Host
    from virtquorum.qemu.provided import Provided
    from virtquorum.xml.domain import Domain

    host, said = Host(connection), []
    err = StringIO()

    class Answers:
        def readline(self) -> bytes:
            said.append(err.getvalue())
            err.truncate(err.seek(0))
            if not others:
                return b""
            answer, old, new = others.pop(0)
            text = host.domain("web").lifted(inactive=True, secure=True).text
            if old:
                apply(plan_definition(host, Domain.from_text(text.replace(old, new))).plan)
            return f"{answer}\n".encode()

    os.environ["VISUAL"], os.environ["EDITOR"] = "", editor
    answers: Any = Answers()
    streams = Streams(input=answers, out=StringIO(), err=err)
    provided = Provided(lookup=host.lookup)
    code = int(Editing(host.domain("web"), provided, streams, checks=False).run())
    return [code, [*said, err.getvalue()], host.domain("web").lifted(inactive=True).text]


def test_what_is_forced_is_what_was_shown(bench: Embed) -> None:
    """What somebody else defines between question and answer is not overwritten unasked."""
    (new,) = [bench.image("new.raw", 4 << 20)]
    editor = bench.folder / "editor.py"
    editor.write_text(
        "import sys\n"
        "text = open(sys.argv[1]).read()\n"
        f"text = text.replace({str(bench.folder / 'web-0.raw')!r}, {str(new)!r})\n"
        "open(sys.argv[1], 'w').write(text)\n"
    )
    command = f"{sys.executable} {editor}"
    asks = f"'vda' would get the member '{new}', which it did not have before"
    other = "somebody else has changed the definition of 'web' meanwhile"
    theirs = ["f", "threshold='2'", "threshold='3'"]
    code, said, text = bench.call(edited_meanwhile, command, [theirs])
    assert (code, len(said)) == (1, 3)
    assert (asks in said[0], other in said[0]) == (True, False)
    assert (asks in said[1], said[1]) == (
        False, f"virtquorum: {other}\nvirtquorum: try again? [y,n,f,?] ",
    )  # fmt: skip
    assert ("threshold='3'" in text, str(new) in text) == (True, False)
    kept(Result(code, "", said[2])).unlink()
    # More that goes because of it, and a change after that.
    code, said, text = bench.call(
        edited_meanwhile, command,
        [["f", "bus='virtio'/>", "bus='virtio'/><serial>s</serial>"],
         ["f", "<serial>s", "<serial>t"], ["f", "", ""]],
    )  # fmt: skip
    assert (code, [other in one for one in said]) == (0, [False, True, True, False])
    assert f"{other} once more\n" in said[2]
    assert (str(new) in text, "<serial>" in text) == (True, False)


def test_editors_that_cannot_be(bench: Embed) -> None:
    done = virtquorum(bench, "edit", "web", EDITOR="/no/such/editor -x", VISUAL="")
    assert done.code == 2
    assert "the editor '/no/such/editor -x' cannot be run: no such file or directory" in done.err
    done = virtquorum(bench, "edit", "web", EDITOR="", VISUAL="false")
    assert (done.code, "the editor 'false' ended with code 1" in done.err) == (1, True)
    done = virtquorum(bench, "edit", "web", EDITOR="'", VISUAL="")
    assert (done.code, "cannot be understood" in done.err) == (2, True)
    assert virtquorum(bench, "edit", "--connect", bench.uri, "none").code == 3
    assert virtquorum(bench, "edit", "-c", bench.uri, "none").code == 3


def test_an_editor_that_takes_the_file_away(bench: Embed) -> None:
    done = virtquorum(bench, "edit", "web", EDITOR="rm", VISUAL="")
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(
        r"virtquorum: the editor has left no file \S+/web-\S+\.xml, so nothing was changed\n",
        done.err,
    )


def test_an_editor_that_fails_keeps_what_it_wrote(bench: Embed) -> None:
    done = edit(bench, "open(sys.argv[1], 'w').write(text + '<!-- mine -->'); sys.exit(3)")
    assert (done.code, "ended with code 3" in done.err) == (1, True)
    file = kept(done)
    assert file.read_text().endswith("<!-- mine -->")
    file.unlink()


def test_secrets_are_options(bench: Embed) -> None:
    uuid, key = "5d9f4a3e-1b1c-4a53-9c6e-0b8f2d6f1e01", bench.folder / "key"
    key.write_bytes(b"sesame")
    script = (
        "source = re.search(\"<source file='[^']*web-0.raw'/>\", text)[0]\n"
        f"secret = \"<secret type='passphrase' uuid='{uuid}'/>\"\n"
        "inner = f\"<encryption format='luks'>{secret}</encryption>\"\n"
        "text = text.replace(source, source[:-2] + '>' + inner + '</source>')"
    )
    words = ("edit", "--no-checks", "--tls-dir", "/etc/pki/mine", "--tls-secret", uuid, "--secret",
             f"{uuid}=file:{key}", "--secrets-dir", str(bench.folder))  # fmt: skip
    done = edit(bench, script, *words[1:], input="f\n")
    assert (done.code, done.out) == (0, EDITED), done.err
    assert "web-0.raw' as 'luks', so far as 'raw': " in done.err
    assert str(key) in bench.call(asked.xml, "web", True)


def test_a_running_domain(bench: Embed) -> None:
    bench.virsh("start", "--paused", "web")
    more = quorum_disk("vdb", members(bench, "more"), boot=None)
    done = edit(bench, f"text = text.replace('</disk>', '</disk>' + {more!r}, 1)")
    assert (done.code, done.out) == (0, EDITED)
    assert "note: 'web' is paused: the change counts from its next start\n" in done.err
    assert virtquorum(bench, "dumpxml", "web").out.count("vdb") == 0
    assert virtquorum(bench, "dumpxml", "--inactive", "web").out.count("vdb") == 1


EDIT = (
    "text = text.replace(\"threshold='2'\", \"threshold='4'\")\n"
    "open(sys.argv[1], 'w').write(text)\n"
)


def ended_by(
    bench: Embed, number: int, script: str, *, prompt: bool = False
) -> tuple[int, str, str]:
    """An edit that a signal ends, in the editor or at the question; code, error, the editor's file.

    The editor is a Python script as in ``edit``, which then says that it is there and sleeps.
    """
    editor, ready = bench.folder / "editor.py", bench.folder / "ready"
    ready.unlink(missing_ok=True)
    editor.write_text(
        "import os, signal, sys, time\n"
        "text = open(sys.argv[1]).read()\n"
        f"{script}"
        f"open({str(ready)!r} + '.new', 'w').write(f'{{os.getpid()}} {{sys.argv[1]}}')\n"
        f"os.rename({str(ready)!r} + '.new', {str(ready)!r})\n"
        f"time.sleep({0 if prompt else 60})\n"
    )
    bench.leave()
    command = shlex.join([sys.executable, str(editor)])
    environment = {**os.environ, **bench.environment(), "EDITOR": command, "VISUAL": ""}
    argv = [sys.executable, "-m", "virtquorum", "edit", "web"]
    with subprocess.Popen(
        argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        said = b""
        deadline = time.monotonic() + 60
        while not ready.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        while prompt and b"try again?" not in said:
            said += os.read(process.stderr.fileno(), 10_000)
        process.send_signal(number)
        code = process.wait(60)
        # An editor that goes on has it open, too: no end is waited for.
        os.set_blocking(process.stderr.fileno(), False)
        said += process.stderr.read() or b""
    pid, _, path = ready.read_text().partition(" ")
    if b"the editor runs still" in said:
        os.kill(int(pid), signal.SIGKILL)
    return code, said.decode(), path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("prompt", [False, True], ids=["editor", "question"])
def test_a_signal_leaves_what_was_written_and_says_where(
    number: signal.Signals, prompt: bool, bench: Embed
) -> None:
    code, said, path = ended_by(bench, number, EDIT, prompt=prompt)
    assert code == 128 + number
    assert f"virtquorum: what you wrote is kept in {path}\n" in said
    assert said.endswith(f"virtquorum: ended by {number.name}; all is as it was before\n")
    assert "threshold='4'" in Path(path).read_text()
    Path(path).unlink()
    assert threshold(bench) == "2"


def test_a_signal_before_anything_was_written_leaves_nothing(bench: Embed) -> None:
    code, said, path = ended_by(bench, signal.SIGTERM, "")
    assert (code, said) == (143, "virtquorum: ended by SIGTERM; all is as it was before\n")
    assert not Path(path).exists()


def test_an_editor_that_goes_on_keeps_its_file(bench: Embed) -> None:
    script = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    code, said, path = ended_by(bench, signal.SIGTERM, script)
    assert code == 143
    assert f"the editor runs still, and has {path}" in said
    Path(path).unlink()
