# tests/e2e/test_house.py: what the tree promises about itself.
# SPDX-License-Identifier: Apache-2.0

import pathlib
import re
import subprocess

import pytest

from conftest import BUILD

TOP = pathlib.Path(__file__).parents[2]
SRC = TOP / "src"
# A folder includes only folders before it; programs never each other.
LAYERS = ["base", "proto", "policy", "tls", "conf", "accounts", "ipc",
          "storage", "guard"]
PROGRAMS = ["gate", "worker", "resolver", "signer", "keeper", "pam", "warden",
            "explain", "watch", "audit", "index", "passwd", "report", "cli"]


def includes():
    for path in [*SRC.glob("*/*.[ch]")]:
        for name in re.findall(r'#include "([a-z_]+)/', path.read_text()):
            yield path, path.parent.name, name


def test_a_folder_includes_only_folders_above_it():
    wrong = []
    for path, here, there in includes():
        if here == there or (here == "cli" and
                             there in ("explain", "watch", "audit", "index",
                                       "passwd", "report")):
            continue
        if there in PROGRAMS or (here in LAYERS and
                                 LAYERS.index(there) > LAYERS.index(here)):
            wrong.append(f"{path.relative_to(TOP)} includes {there}/")
    assert not wrong, wrong


def test_no_folder_is_outside_the_order():
    folders = {path.name for path in SRC.iterdir() if path.is_dir()}
    assert folders == {*LAYERS, *PROGRAMS}


def test_no_call_that_style_keeps_out():
    words = r"\b(strcpy|strcat|v?sprintf|strtok|atoi|atol|gets|alloca|system" \
            r"|popen)\s*\("
    found = [f"{path.relative_to(TOP)}: {line.strip()}"
             for path in SRC.glob("*/*.c")
             for line in path.read_text().splitlines()
             if re.search(words, line)]
    assert not found, found


def symbols(program):
    out = subprocess.run(["nm", BUILD / program], check=True,
                         capture_output=True, text=True).stdout
    return set(re.findall(r" [tT] (\w+)", out))


def test_warden_and_gate_contain_no_ftp_parser():
    """DESIGN's invariant 5; the worker shows that the names are right."""
    parsers = {"command_parse", "hostport_parse", "eprt_parse", "telnet_feed"}
    assert parsers <= symbols("portcullis-worker")
    for program in ("portcullisd", "portcullis-gate"):
        assert not symbols(program) & parsers
        libs = subprocess.run(["ldd", BUILD / program], check=True,
                              capture_output=True, text=True).stdout
        assert "ssl" not in libs and "crypto" not in libs


def test_the_gate_can_be_read_in_one_sitting():
    """docs/design/processes.md says how long it is, and why no longer."""
    lines = 0
    for path in (SRC / "gate").glob("*.[ch]"):
        code = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        lines += sum(1 for line in code.splitlines() if line.strip())
    assert 1000 < lines <= 2250, lines


def test_the_resolver_alone_resolves_names():
    def imported(program):
        out = subprocess.run(["nm", "-D", "-u", BUILD / program], check=True,
                             capture_output=True, text=True).stdout
        return set(re.findall(r" U (\w+)", out))

    lookups = {"getaddrinfo", "gethostbyname", "getnameinfo", "res_query"}
    assert imported("portcullis-resolver") & lookups
    for program in ("portcullisd", "portcullis-gate", "portcullis-worker"):
        assert not imported(program) & lookups


def test_the_attacks_without_a_test_are_known(capsys):
    """The list is printed and shrinks; nothing falls out of it unseen."""
    rows = re.findall(r"^\| ([A-F]\d\d) \|.*\| *(.*?) *\|$",
                      (TOP / "docs/design/attacks.md").read_text(), re.M)
    assert len(rows) >= 96
    covered = set()
    for path in (TOP / "tests").rglob("test_*"):
        if path.suffix in (".py", ".c"):
            names = re.findall(r"def test_(\w+)|test_(\w+)\(void",
                               path.read_text())
            for name in names:
                covered |= {i.upper() for i in
                            re.findall(r"(?<![a-z0-9])[a-f]\d\d(?!\d)",
                                       "_".join(name).lower())}
    missing = [row[0] for row in rows if row[0] not in covered]
    with capsys.disabled():
        print(f"\nattacks without a test named for them: {len(missing)}: "
              + " ".join(missing))
    assert {"A01", "A02", "A04", "A05", "A06", "A09", "A18"} <= covered


@pytest.mark.parametrize("patch", sorted((TOP / "tests/mutants").glob(
    "*.patch")), ids=lambda path: path.stem)
def test_a_mutant_still_fits_the_tree(patch):
    """One that does not would prove nothing, the next time it is needed."""
    done = subprocess.run(["patch", "-p1", "--dry-run", "--fuzz=2"],
                          cwd=TOP, stdin=patch.open(), capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stdout


# ---- what a package installs

def test_the_users_of_a_fresh_system_are_those_that_are_asked_for():
    asked = subprocess.run([BUILD / "portcullisd", "--print-config"],
                           check=True, capture_output=True, text=True).stdout
    users = set(re.findall(r"^#? ?(?:\w+\.)?user = (portcullis-\w+)", asked,
                           re.M))
    made = re.findall(r"^u (\S+)",
                      (TOP / "dist/portcullis.sysusers").read_text(), re.M)
    assert users == set(made) and len(made) == len(users) == 4
    bootstrap = (TOP / "script/bootstrap").read_text()
    assert all(user in bootstrap for user in users)
    place = re.search(r"^d (/\S+/quota) +0700 (\S+) \2$",
                      (TOP / "dist/portcullis.tmpfiles").read_text(), re.M)
    assert place[2] in users
    assert f"# accounts.quota = {place[1]}\n" in (
        TOP / "dist/portcullis.conf").read_text()


def test_the_service_may_write_what_its_configuration_names():
    """Of the examples of dist: all else is read-only for it."""
    unit = (TOP / "dist/portcullisd.service").read_text()
    conf = (TOP / "dist/portcullis.conf").read_text()
    assert "ProtectSystem=strict" in unit
    assert "\nStateDirectory=portcullis\n" in unit
    root = re.search(r"^# accounts\.root = (\S+)", conf, re.M)[1]
    assert f"\nReadWritePaths=-{root}\n" in unit
