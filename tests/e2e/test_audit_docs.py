# tests/e2e/test_audit_docs.py: the auditor's pages and units say what it does.
# SPDX-License-Identifier: Apache-2.0

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import pytest

from conftest import BUILD, ENVIRONMENT
from defective import Defective

TOP = pathlib.Path(__file__).parents[2]
PAGE = TOP / "docs/man/portcullis-audit.1"
DESIGN = TOP / "docs/design/auditor.md"
SERVICE = TOP / "dist/portcullis-audit.service"
TIMER = TOP / "dist/portcullis-audit.timer"
TARGETS = TOP / "dist/audit.targets"
# Their evidence holds no port of the kernel's choice: it stays the same.
QUICK = ("--only", "epsv_protocol,bounce")


def audit(*args, stdin="", **more):
    return subprocess.run([str(BUILD / "portcullis"), "audit",
                           *map(str, args)], input=stdin, text=True,
                          capture_output=True, timeout=120, env=ENVIRONMENT,
                          **more)


def questions():
    """Rows of questions.h: test, id, level, title."""
    text = (TOP / "src/audit/questions.h").read_text()
    rows = re.findall(r'^\tX\("(\w+)",\s*(\w+),\s*([A-Z]+),\s*\\\n'
                      r'\t  "([^"\\]+)",', text, re.M)
    assert len(rows) == text.count("\n\tX(") > 50
    return [(test, name, level.lower(), title)
            for test, name, level, title in rows]


def reports(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


# ---- pages

def options_of_help():
    text = audit("--help").stdout.split("Exit status")[0]
    return set(re.findall(r"(?<![\w-])(--[a-z-]+|-\w)\b", text))


def options_of_page():
    """Those that have an item of their own."""
    items = re.findall(r"^\.It (Fl .*)$", PAGE.read_text(), re.M)
    return {"-" + name for item in items
            for name in re.findall(r"\bFl (-?[\w-]+)", item)}


def test_the_manual_and_help_have_the_same_options():
    assert len(options_of_help()) > 20
    # -h alone: "--help" stands beside it in both.
    assert options_of_help() == options_of_page()


def test_the_manual_mentions_no_option_that_is_not_there():
    named = set(re.findall(r"\bFl (-[a-z][a-z-]*)", PAGE.read_text()))
    assert {"-" + name for name in named} <= options_of_help()
    for option in re.findall(r" (--[a-z-]+)", PAGE.read_text()):
        assert option in options_of_help()


@pytest.mark.parametrize("option", sorted(options_of_help()))
def test_an_option_of_help_is_taken(option):
    """No target follows: only an option that is unknown is complained of."""
    said = audit(option).stderr
    assert "unrecognized" not in said and "invalid option" not in said


def test_the_manual_has_every_question():
    items = re.findall(r"^\.It Sy (\w+)\n(\w+), (\w+): (.*)$",
                       PAGE.read_text(), re.M)
    assert [(test, name, level, title.replace("\\-", "-"))
            for name, test, level, title in items] == questions()
    assert "asks an FTP server of any make sixty" in PAGE.read_text()
    assert len(questions()) == 60


def test_the_design_has_every_question():
    rows = re.findall(r"^\| (\w+) \| `(\w+)` \| (\w+) \| (.*) \|$",
                      DESIGN.read_text(), re.M)
    assert [(*row[:3], row[3].replace("\\|", "|"))
            for row in rows] == questions()


def members(value):
    if isinstance(value, dict):
        return set(value).union(*map(members, value.values()))
    if isinstance(value, list):
        return set().union(*map(members, value))
    return set()


@pytest.fixture
def whole_report(tmp_path):
    """One that has every member but `error`."""
    last = tmp_path / "last.json"
    with Defective(["epsv_all_pasv"], ("127.0.0.1", 0)) as server:
        args = ("--compare", last, "-o", last, "--contact",
                "noc@example.org", f"127.0.0.1:{server.port}")
        audit("--only", "bounce", *args)
        assert audit(*QUICK, "--only", "bounce,epsv_all_pasv",
                     *args).returncode == 1
    return reports(last)[0]


def test_the_manual_has_every_member_of_a_report(whole_report):
    page = PAGE.read_text()
    section = page[page.index(".Ss The report"):page.index(".Ss SARIF")]
    words = {word for line in re.findall(r"^\.(?:It |Pq )?Sy (.*)$", section,
                                         re.M)
             for word in re.findall(r"[a-z_0-9]+", line)}
    found = members(whole_report)
    assert {"mend", "changes", "compared_to", "introduction"} <= found
    assert found <= words, found - words
    # The reverse: what this report need not have is listed here.
    assert words - found <= {"error", "event", "tls", "version"}


def test_the_design_has_every_member_of_a_report(whole_report):
    text = DESIGN.read_text()
    section = text[text.index("### The report"):text.index("## Layout")]
    for name in members(whole_report):
        assert f'"{name}"' in section or f"`{name}`" in section or \
            f"`server.{name}`" in section, name


@pytest.mark.skipif(not shutil.which("mandoc"), reason="needs mandoc")
@pytest.mark.parametrize("page", ["portcullis-audit.1", "portcullis.1"])
def test_the_manual_has_no_fault(page):
    done = subprocess.run(["mandoc", "-Tlint", "-W", "warning",
                           TOP / "docs/man" / page], capture_output=True,
                          text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_manual_is_installed():
    assert "'portcullis-audit.1'" in (TOP / "docs/man/meson.build").read_text()
    assert ".Xr portcullis-audit 1" in (
        TOP / "docs/man/portcullis.1").read_text()


# ---- units

def settings(unit):
    """Of a unit: a list for each key, continuation lines not known."""
    found = {}
    for line in unit.read_text().splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def exec_start(state, *options):
    """The service's command line, as systemd would make it."""
    words = settings(SERVICE)["ExecStart"][0].split()
    assert words[0] == "/usr/bin/portcullis" and words[-1] == "-"
    at = words.index("$AUDIT_OPTIONS")
    words[at:at + 1] = options
    assert words[1] == "audit"
    return [word.replace("%S", str(state)) for word in words[2:]]


@pytest.fixture
def state(tmp_path):
    (tmp_path / settings(SERVICE)["StateDirectory"][0]).mkdir()
    return tmp_path


def test_the_first_night_and_the_second(server, state):
    last = state / "portcullis-audit/last.json"
    targets = f"# ours\n\n127.0.0.1:{server.port}\n"
    args = exec_start(state, *QUICK)
    first = audit(*args, stdin=targets)
    assert first.returncode == 0, first.stderr
    assert first.stderr == ""
    assert "compared_to" not in reports(last)[0]
    started = reports(last)[0]["started"]
    second = audit(*args, stdin=targets)
    assert second.returncode == 0, second.stderr
    assert f"Nothing changed since {started}." in second.stdout
    assert reports(last)[0]["compared_to"] == started
    assert [path.name for path in last.parent.iterdir()] == ["last.json"]


def test_a_night_that_is_cut_short_leaves_the_last_one(state):
    last = state / "portcullis-audit/last.json"
    mute = socket.create_server(("127.0.0.1", 0))
    old = '{"portcullis_audit": 1, "target": "x", "questions": []}\n'
    last.write_text(old)
    process = subprocess.Popen(
        [BUILD / "portcullis", "audit", *exec_start(state), "--timeout",
         "300"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        env=ENVIRONMENT, start_new_session=True)
    with mute:
        process.stdin.write(f"127.0.0.1:{mute.getsockname()[1]}\n".encode())
        process.stdin.close()
        mute.settimeout(30)
        connection = mute.accept()[0]
        # It has connected, so all files are open, and waits for a greeting.
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(timeout=30) == -signal.SIGTERM
        connection.close()
    assert (last.parent / "last.json.new").exists()
    assert last.read_text() == old


def test_only_the_file_that_is_written_may_be_missing(state):
    done = audit("--compare", state / "no.json", "-o", state / "new.json",
                 "127.0.0.1:1")
    assert done.returncode == 2
    assert "no.json: No such file" in done.stderr
    assert not list(state.glob("new.json*"))
    done = audit("--compare", state / "no.json", "127.0.0.1:1")
    assert done.returncode == 2


def test_a_link_is_written_through(server, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    done = audit(*QUICK, "-o", tmp_path / "link", f"127.0.0.1:{server.port}")
    assert done.returncode == 0
    assert (tmp_path / "link").is_symlink()
    assert len(reports(tmp_path / "real")) == 1


def test_the_output_that_cannot_be_is_told_first(tmp_path):
    done = audit("-o", tmp_path / "none/last.json", "127.0.0.1:1")
    assert done.returncode == 2
    assert "No such file or directory" in done.stderr
    assert done.stdout == ""


def test_the_service_fits_the_program():
    unit = settings(SERVICE)
    path = unit["ConditionPathExists"][0]
    assert unit["StandardInput"] == [f"file:{path}"]
    assert f"# {path}:" in TARGETS.read_text()
    # 1 is vulnerable, 2 not run: both fail. 3 is inconclusive.
    assert unit["SuccessExitStatus"] == ["3"]
    assert unit["DynamicUser"] == ["yes"]
    assert unit["AmbientCapabilities"] == ["CAP_NET_BIND_SERVICE"]
    assert unit["CapabilityBoundingSet"] == unit["AmbientCapabilities"]
    assert "PrivateUsers" not in unit
    # Which addresses there are is asked by netlink.
    assert "AF_NETLINK" in unit["RestrictAddressFamilies"][0]
    for option in re.findall(r"--[a-z-]+", unit["ExecStart"][0]):
        assert option in options_of_help()


def test_the_sample_names_nobody_and_its_examples_are_targets():
    text = TARGETS.read_text()
    done = audit("-", stdin=text)
    assert done.returncode == 2 and "no target" in done.stderr
    # A last line that is wrong is complained of when all others are right,
    # and before anything is sent.
    examples = re.findall(r"^#(\S+)$", text, re.M)
    assert len(examples) == 4
    done = audit("-", stdin="\n".join([*examples, "http://wrong"]))
    assert done.returncode == 2
    assert f"line {len(examples) + 1}: its scheme" in done.stderr


needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"),
                                   reason="needs systemd-analyze")


@needs_systemd
@pytest.mark.parametrize("unit", [SERVICE, TIMER], ids=lambda u: u.name)
def test_systemd_takes_the_units(unit, tmp_path):
    """With the program where it is built: it need not be installed."""
    service = SERVICE.read_text().replace("/usr/bin/portcullis ",
                                          f'"{BUILD / "portcullis"}" ')
    (tmp_path / SERVICE.name).write_text(service)
    shutil.copy(TIMER, tmp_path)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / unit.name],
        capture_output=True, text=True, timeout=60,
        env=dict(os.environ, SYSTEMD_UNIT_PATH=f"{tmp_path}:"))
    ours = [line for line in done.stderr.splitlines()
            if "portcullis" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


@needs_systemd
def test_little_is_left_to_the_service(tmp_path):
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20",
         SERVICE], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


# ---- limits

UNITS = {"MiB": 1 << 20, "s": 1, "ms": 1, "bytes": 1}


def test_limits_are_where_the_page_says_and_as_large():
    page = (TOP / "docs/design/limits.md").read_text()
    section = page.split("## The auditor\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| `(audit/[\w.]+)` "
                      r"`(\w+)`[^|]*\| [^|]+ \|$", section, re.M)
    assert len(rows) == section.count("\n| ") - 1 > 30
    for what, limit, name, macro in rows:
        text = (TOP / "src" / name).read_text()
        if macro.islower():	# a function: a number of its own says it
            assert re.search(rf"^{macro}\(", text, re.M), what
            continue
        found = re.search(rf"^#define {macro} +\(?(?:\(size_t\))?(\d+)u?"
                          r"(?: << (\d+))?\)?(?=\s)", text, re.M)
        assert found, (name, macro)
        number, unit = re.match(r"(?:at most )?(\d+)(?:,)? ?(\w*)",
                                limit).groups()
        value = int(found[1]) << int(found[2] or 0)
        assert value == int(number) * UNITS.get(unit, 1), (what, value)
