"""Who makes a change, and whether that process is there still."""

from __future__ import annotations

import subprocess

from hypothesis import given
from hypothesis import strategies as st

from virtquorum.host.author import Author, this_process

WORDS = st.text(st.characters(categories=("L", "N", "P")), min_size=1)


@given(WORDS, WORDS, WORDS, st.integers(0, 2**22), WORDS)
def test_what_is_written_is_read(host: str, boot: str, space: str, pid: int, start: str) -> None:
    author = Author(host, boot, space, pid, start)
    assert Author.of(str(author)) == author


@given(st.text())
def test_any_other_text_is_nobody(text: str) -> None:
    found = Author.of(text)
    assert found is None or len(text.split()) == 5


def test_this_process_is_not_somebody_else() -> None:
    assert this_process() == this_process()
    assert this_process().is_at_work is False


def test_another_process_is_at_work_until_it_ends() -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        with open(f"/proc/{process.pid}/stat") as file:
            start = file.read().rpartition(")")[2].split()[19]
        author = this_process()._replace(pid=process.pid, start=start)
        assert author.is_at_work is True
        assert author._replace(start="1").is_at_work is False  # a later one of that number
        process.kill()
        process.wait()
        assert author.is_at_work is False


def test_of_another_machine_or_boot_nobody_can_tell() -> None:
    own = this_process()
    assert own._replace(boot="another").is_at_work is None
    assert own._replace(space="another").is_at_work is None
