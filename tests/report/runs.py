"""Runs to report: a plain one that the documentation shows, and one that is hostile throughout."""

from __future__ import annotations

from hypothesis import strategies as st

from virtquorum.check.finding import Edit, Excerpt, Finding, Fix, Severity
from virtquorum.report.report import FileResult, Run

DOCUMENT = """\
<domain type='kvm'>
  <name>web</name>
  <devices>
    <disk type='quorum' threshold='5' device='disk'>
      <driver type='quorum' read_pattern='fifo' rewrite_corrupted='on'/>
      <backingStore type='file'><format type='raw'/><source file='/srv/a/root.raw'/></backingStore>
      <backingStore type='file'><format type='raw'/><source file='/srv/b/root.raw'/></backingStore>
      <backingStore type='file'><format type='raw'/><source file='/srv/c/root.raw'/></backingStore>
      <target dev='vda' bus='virtio'/>
    </disk>
  </devices>
</domain>
"""


def place(needle: str) -> tuple[int, int, Excerpt]:
    """Line and column of a text of the document, and the line itself."""
    for number, line in enumerate(DOCUMENT.splitlines(), 1):
        if needle in line:
            return number, line.index(needle) + 1, Excerpt(text=line)
    raise AssertionError(needle)


def finding(
    needle: str,
    rule: str,
    message: str,
    *,
    file: str = "web.xml",
    path: str = "devices.disk[0]",
    severity: Severity = Severity.ERROR,
    expected: str | None = None,
    fix: tuple[str, str] | None = None,
) -> Finding:
    """A finding at an attribute of the document.

    ``fix`` is a description, and what replaces the attribute and the space before it.
    """
    line, column, excerpt = place(needle)
    start = DOCUMENT.index(needle)
    edit = Edit(
        start=start - 1,
        stop=start + len(needle),
        text=fix[1] if fix else "",
        line=line,
        column=column - 1,
        end_line=line,
        end_column=column + len(needle),
    )
    return Finding(
        file=file,
        line=line,
        column=column,
        end_line=line,
        end_column=column + len(needle),
        rule=rule,
        message=message,
        path=path,
        expected=expected,
        severity=severity,
        fix=Fix(description=fix[0], edits=(edit,)) if fix else None,
        excerpt=excerpt,
    )


SAMPLE = Run(
    files=(
        FileResult(
            path="web.xml",
            valid=False,
            findings=(
                finding(
                    "threshold='5'",
                    "VQ105",
                    "the threshold is 5, but there are 3 members",
                    expected="a threshold of at most 3, or more members",
                ),
                finding(
                    "rewrite_corrupted='on'",
                    "VQ114",
                    "rewrite_corrupted does nothing with read_pattern='fifo', "
                    "which votes on nothing",
                    severity=Severity.WARNING,
                    expected="no rewrite_corrupted, or no read_pattern",
                    fix=("remove rewrite_corrupted, which has no effect", ""),
                ),
            ),
        ),
        FileResult(path="mail.xml", valid=True),
    ),
    seconds=0.0625,
)

CLEAN = Run(files=(FileResult(path="mail.xml", valid=True),))
EMPTY = Run(files=())

#: What breaks a format that is not careful: ends of CDATA, comments, lines and commands, what
#: steers terminals, what XML has no characters for, other scripts, and length.
HOSTILE = (
    "]]> --> </failure> &amp; %0A%25 ::error::x ##[error]y \"quoted\" 'quoted'\r\n\ttab",
    "\x1b[31mred\x1b[0m \x00\x07\x9b \u202e\u2028 \ufffe \U000e0001",
    "日本語 e\u0301 \U0001f600 Ωμέγα",
    "word " * 30_000,
    "x" * 100_000,
    "",
)

_NUMBER = st.integers(1, 300)
_TEXT = st.one_of(
    st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
)


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    """Any finding, with a place that may have nothing to do with its excerpt."""
    line, column = draw(_NUMBER), draw(_NUMBER)
    end_line = line + draw(st.sampled_from([0, 0, 0, 1, 7]))
    end_column = draw(_NUMBER) + (column if end_line == line else 0)
    edit = st.builds(
        Edit,
        start=_NUMBER,
        stop=_NUMBER,
        text=_TEXT,
        line=st.just(line),
        column=st.just(column),
        end_line=st.just(end_line),
        end_column=st.just(end_column),
    )
    fix = st.builds(Fix, description=_TEXT, edits=st.lists(edit, max_size=2).map(tuple))
    excerpt = st.builds(
        Excerpt,
        text=_TEXT.map(lambda text: text.replace("\n", " ").replace("\r", " ")),
        first=st.integers(1, column),
        cut_before=st.booleans(),
        cut_behind=st.booleans(),
    )
    return Finding(
        file=draw(st.sampled_from(["a.xml", "./b c.xml", "/srv/ü:,%.xml", "<stdin>"])),
        line=line,
        column=column,
        end_line=end_line,
        end_column=end_column,
        rule=draw(st.sampled_from(["VQ101", "VQ999"])),
        message=draw(_TEXT),
        path=draw(_TEXT),
        expected=draw(st.none() | _TEXT),
        severity=draw(st.sampled_from(Severity)),
        fix=draw(st.none() | fix),
        excerpt=draw(st.none() | excerpt),
    )


@st.composite
def file_results(draw: st.DrawFn) -> FileResult:
    """Any result of a file, with its flags as they go together."""
    found = tuple(draw(st.lists(findings(), max_size=4)))
    valid = all(one.severity is not Severity.ERROR for one in found)
    checked = valid or draw(st.booleans())
    return FileResult(path=draw(_TEXT), valid=valid, findings=found, checked=checked)


RUNS = st.builds(
    Run,
    files=st.lists(file_results(), max_size=3).map(tuple),
    remarks=st.lists(_TEXT, max_size=2).map(tuple),
    hidden=st.integers(0, 5000),
    seconds=st.floats(0, 10_000),
)

#: One run with all that is hostile, in each place.
ODD = Run(
    files=tuple(
        FileResult(
            path=text or "empty",
            valid=False,
            checked=bool(number % 2),
            findings=(
                Finding(
                    file=text or "empty",
                    line=3,
                    column=2,
                    end_line=3 + number % 2,
                    end_column=9,
                    rule="VQ999",
                    message=text,
                    path=text,
                    expected=text,
                    fix=Fix(description=text, edits=()),
                    excerpt=Excerpt(text=text.replace("\r\n", " ")),
                ),
            ),
        )
        for number, text in enumerate(HOSTILE)
    ),
    remarks=HOSTILE,
    hidden=3,
    seconds=1.5,
)
