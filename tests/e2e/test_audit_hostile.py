# tests/e2e/test_audit_hostile.py: what is no FTP server, or means harm.
# SPDX-License-Identifier: Apache-2.0
"""An audit ends, soon and with an answer, whatever it is sent."""

import json
import resource
import subprocess
import time

import pytest

import defective
from conftest import BUILD, ENVIRONMENT, SANITIZED
from test_defective import certificate  # noqa: F401

TIMEOUT_S = 2
MEMORY = 256 << 20


def bounded():
    if not SANITIZED:	# which reserve terabytes
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def audit(server, *args):
    begun = time.monotonic()
    done = subprocess.run(
        [str(BUILD / "portcullis"), "audit", "--json", "--rate", "1000",
         "--timeout", str(TIMEOUT_S), "--listen-address", "127.0.0.2", *args,
         f"ftp://127.0.0.1:{server.port}"], env=ENVIRONMENT,
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=120, preexec_fn=bounded)
    for trouble in ("Sanitizer", "runtime error"):
        assert trouble not in done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1, done
    return done, json.loads(lines[0]), time.monotonic() - begun


@pytest.mark.parametrize("mode", sorted(
    set(defective.HOSTILE) - {"redirect227"}))
def test_the_audit_of_no_ftp_server_is_inconclusive(mode,
                                                    certificate):  # noqa: F811
    with defective.Defective(hostile=mode, tls=certificate) as server:
        done, report, seconds = audit(server)
    assert done.returncode == 3
    assert report["verdict"] == "inconclusive"
    if mode == "half":	# it is one, so far; and then it is none
        answered = {q["id"] for q in report["questions"] if q["verdict"]
                    not in ("inconclusive", "not_asked")}
        assert answered <= {		# those before USER
            "before_login", "starttls_injection", "tls_alpn", "tls_sni",
            "tls_versions"}
    else:
        assert report["error"] and report["questions"] == []
    assert seconds < 10 * TIMEOUT_S
    assert len(done.stdout) < 1 << 20


def test_no_other_host_is_connected_to_because_a_227_names_it():
    with defective.Defective(hostile="redirect227") as server:
        done, report, _ = audit(server)
        assert server.traps and not server.lured
    found = {q["id"] for q in report["questions"]
             if q["verdict"] in ("vulnerable", "accepts")}
    assert found == {"passive_address"}
    assert done.returncode == 1
