# tests/e2e/test_passwd.py: portcullis passwd on real files and terminals.
# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import os
import pty
import re
import select
import signal
import subprocess
import termios

import pytest

from conftest import BUILD, ENVIRONMENT, needs_root

PROGRAM = BUILD / "portcullis"
LINE = "old:!:old:lr:tls=optional\n"
CHEAP = ["--cost", "1"]


def run(path, *args, status=0, given=None):
    done = subprocess.run([PROGRAM, "passwd", "-f", path, *args], text=True,
                          capture_output=True, timeout=60, env=ENVIRONMENT,
                          input=given, stdin=None if given is not None
                          else subprocess.DEVNULL)
    assert done.returncode == status, done
    return done


@pytest.fixture
def file(tmp_path):
    return tmp_path / "accounts"


def add(file, name, *args, password="correct horse"):
    return run(file, "add", name, "--stdin", *CHEAP, *args,
               given=password + "\n")


def test_an_account_is_added_changed_and_deleted(file):
    add(file, "dwd", "-d", "in/dwd", "-r", "lrwm", "-o", "quota.files=9")
    assert file.stat().st_mode & 0o7777 == 0o640
    line = file.read_text()
    assert re.fullmatch(r"dwd:\$y\$[^:]+:in/dwd:lrwm:quota\.files=9\n", line)
    assert "correct" not in line
    run(file, "check", "dwd", "--stdin", given="correct horse\n")
    run(file, "check", "dwd", "--stdin", given="correct hors\n", status=1)
    # Rights alone leave the password as it is, and a password the rights.
    run(file, "change", "dwd", "-r", "-")
    assert file.read_text() == line.replace("lrwm", "-")
    run(file, "change", "dwd", "--stdin", *CHEAP, given="another one")
    run(file, "check", "dwd", "--stdin", given="another one")
    run(file, "check", "dwd", "--stdin", given="correct horse", status=1)
    assert run(file, "list").stdout == "dwd\topen\tin/dwd\t-\tquota.files=9\n"
    run(file, "delete", "dwd")
    assert file.read_text() == ""
    assert "no account" in run(file, "delete", "dwd", status=1).stderr


def test_every_other_byte_of_the_file_stays(file):
    first = b"# providers \t\r\n" + LINE.encode() + b"\n#end: x"
    file.write_bytes(first)
    add(file, "new")
    before, new = file.read_bytes().rsplit(b"\n", 2)[:2]
    assert before == first
    assert new.startswith(b"new:$y$")
    run(file, "delete", "old")
    assert file.read_bytes() == (b"# providers \t\r\n\n#end: x\n" + new +
                                 b"\n")


def test_owner_and_mode_stay(file):
    file.write_text(LINE)
    file.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(file, 12345, 23456)
    before = file.stat()
    add(file, "new")
    after = file.stat()
    assert after.st_ino != before.st_ino    # in one step
    assert (after.st_uid, after.st_gid, after.st_mode) == (
        before.st_uid, before.st_gid, before.st_mode)
    assert os.listdir(file.parent) == [file.name]


def test_a_link_stays_a_link(file, tmp_path):
    (tmp_path / "real").mkdir()
    target = tmp_path / "real/accounts"
    target.write_text(LINE)
    file.symlink_to(target)
    add(file, "new")
    assert file.is_symlink() and "new:" in target.read_text()


def test_many_at_once_lose_nothing(file):
    names = [f"u{i}" for i in range(24)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda name: run(file, "add", name, "--no-password"),
                      names))
    rows = run(file, "list").stdout.splitlines()
    assert sorted(row.split("\t")[0] for row in rows) == sorted(names)
    assert {row.split("\t")[1] for row in rows} == {"none"}


def test_a_lock_is_for_a_certificate_too(file):
    run(file, "add", "a", "--no-password", "-o", "certificate=cn")
    for verb, state in ((None, "certificate"), ("lock", "locked"),
                        ("unlock", "certificate")):
        assert verb is None or run(file, verb, "a").returncode == 0
        assert run(file, "list").stdout.split("\t")[1] == state


def test_a_lock_keeps_the_password(file):
    add(file, "a")
    line = file.read_text()
    run(file, "lock", "a")
    run(file, "lock", "a")
    assert file.read_text() == line.replace("a:$", "a:!$", 1)
    assert run(file, "list").stdout.split("\t")[1] == "locked"
    run(file, "check", "a", "--stdin", given="correct horse", status=1)
    run(file, "unlock", "a")
    assert file.read_text() == line
    assert "no password that was locked" in run(file, "unlock", "a",
                                                status=1).stderr


@pytest.mark.parametrize("wrong", [["-r", "rx"], ["-o", "quota=5M"],
                                   ["-d", "/srv"]])
def test_no_password_is_shown_for_an_account_that_cannot_be(file, wrong):
    done = run(file, "add", "a", "--generate", *wrong, status=1)
    assert done.stdout == "" and done.stderr


def test_a_password_is_made_and_told_once(file):
    done = run(file, "add", "a", "--generate", *CHEAP)
    assert re.fullmatch(r"[a-z2-9]{24}\n", done.stdout)
    run(file, "check", "a", "--stdin", given=done.stdout)


def test_hashes_of_other_programs_are_taken(file):
    made = subprocess.run(["openssl", "passwd", "-6", "-stdin"], text=True,
                          input="correct horse\n", capture_output=True,
                          check=True).stdout
    run(file, "add", "a", "--hashed", given=made)
    assert made.strip() in file.read_text()
    run(file, "check", "a", "--stdin", given="correct horse")
    assert "no hash that is taken" in run(
        file, "add", "b", "--hashed", given="correct horse", status=1).stderr


@pytest.mark.parametrize("args, said", [
    (["-d", "../x"], "without"), (["-d", "/x"], "accounts.root"),
    (["-r", "rx"], "rights are letters"), (["-o", "tls=off"], "value"),
    (["-d", "x\ny:*:y:r"], "no line"), (["-o", "tls=required\nroot"],
                                        "no line"),
])
def test_what_the_server_would_refuse_is_not_written(file, args, said):
    file.write_text(LINE)
    done = run(file, "add", "new", "--no-password", *args, status=1)
    assert said in done.stderr
    assert file.read_text() == LINE


@pytest.mark.parametrize("given", ["", "\n", "short\n", "x" * 512,
                                   "two lines\nare one too many\n",
                                   "nul \0 inside", "correct horse\r\n"])
def test_c05_passwords_that_are_none(file, given):
    file.write_text(LINE)
    run(file, "add", "new", "--stdin", *CHEAP, given=given, status=1)
    assert file.read_text() == LINE


def test_a_mistake_is_named_by_file_and_line(file):
    file.write_text(LINE + "\nnew:secret:.:r\n")
    for verb in (["check"], ["list"], ["add", "x", "--no-password"]):
        done = run(file, *verb, status=1)
        assert f"{file}:3: no hash" in done.stderr
        assert "secret" not in done.stderr
    assert file.read_text() == LINE + "\nnew:secret:.:r\n"


def test_a_file_that_everybody_reads_is_complained_of(file):
    file.write_text(LINE)
    file.chmod(0o644)
    assert "chmod" in run(file, "check", status=1).stderr
    file.chmod(0o640)
    assert run(file, "check").stdout == f"{file}: 1 account\n"


@pytest.mark.parametrize("args", [
    [], ["frob"], ["add"], ["add", "a", "b"], ["list", "a"],
    ["add", "anonymous"], ["add", "a b"], ["add", "a:b"],
    ["delete", "a", "--stdin"], ["list", "--root", "x"],
    ["add", "a", "--stdin", "--generate"], ["add", "a", "--cost", "12"],
    ["add", "a", "--cost", "0"]])
def test_wrong_usage_is_2(file, args):
    run(file, *args, status=2)
    assert not file.exists()


def test_a_failure_leaves_the_file_and_nothing_beside_it(file, tmp_path):
    file.write_text(LINE)
    subprocess.run(["prlimit", "--fsize=4", PROGRAM, "passwd", "-f", file,
                    "add", "a", "--no-password"], env=ENVIRONMENT,
                   stderr=subprocess.DEVNULL, check=False)
    assert file.read_text() == LINE
    run(file, "add", "a", "--no-password")


# ---- the terminal

class Terminal:
    """The program on a terminal of its own, as somebody types there."""

    def __init__(self, file, *args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(PROGRAM, [PROGRAM, "passwd", "-f", file, *args],
                      ENVIRONMENT)
        self.shown = ""

    def wait_for(self, text):
        while text not in self.shown:
            assert select.select([self.fd], [], [], 20)[0], self.shown
            self.shown += os.read(self.fd, 4096).decode()

    def type(self, prompt, text):
        self.wait_for(prompt)
        self.shown = self.shown.split(prompt, 1)[1]
        assert not termios.tcgetattr(self.fd)[3] & termios.ECHO
        os.write(self.fd, text.encode())

    def end(self):
        """(status, what else it said, whether the terminal shows again)"""
        asleep = True
        try:
            while select.select([self.fd], [], [], 20)[0]:
                self.shown += os.read(self.fd, 4096).decode()
        except OSError:
            asleep = False    # nobody is there any more
        if asleep:
            os.kill(self.pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        shows = bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)
        os.close(self.fd)
        return status, self.shown, shows


def test_a_terminal_does_not_show_it(file):
    t = Terminal(file, "add", "a", *CHEAP)
    t.type("New password for a: ", "correct horse\n")
    t.type("Once more for a: ", "correct horse\n")
    status, shown, shows = t.end()
    assert (status, shows) == (0, True)
    assert "correct" not in shown
    run(file, "check", "a", "--stdin", given="correct horse")
    t = Terminal(file, "check", "a")
    t.type("Password for a: ", "correct horse\n")
    status, shown, shows = t.end()
    assert status == 0 and "a: right" in shown and "correct" not in shown


def test_two_that_differ_change_nothing(file):
    add(file, "a")
    before = file.read_text()
    t = Terminal(file, "change", "a", *CHEAP)
    t.type("New password for a: ", "battery staple\n")
    t.type("Once more for a: ", "battery staples\n")
    status, shown, shows = t.end()
    assert (status, shows) == (1, True) and "not the same" in shown
    assert file.read_text() == before


def test_ctrl_c_ends_it_and_the_terminal_shows_again(file):
    add(file, "a")
    before = file.read_text()
    t = Terminal(file, "change", "a", *CHEAP)
    t.type("New password for a: ", "batt\x03")
    status, shown, shows = t.end()
    assert (status, shows) == (1, True) and "no password" in shown
    assert file.read_text() == before


def test_without_a_terminal_it_says_what_to_do(file):
    file.write_text(LINE)
    done = subprocess.run(["setsid", "-w", PROGRAM, "passwd", "-f", file,
                           "add", "a"], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, env=ENVIRONMENT, timeout=60)
    assert done.returncode == 1 and "--stdin" in done.stderr


@needs_root
def test_c05_an_ordinary_user_cannot_read_the_file(file):
    add(file, "a")
    for path in [file.parent, *file.parent.parents][:-2]:
        path.chmod(path.stat().st_mode | 0o11)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534",
                           "--clear-groups", "cat", file],
                          capture_output=True, check=False)
    assert done.returncode != 0 and b"ermission denied" in done.stderr
