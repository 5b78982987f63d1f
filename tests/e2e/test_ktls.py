# tests/e2e/test_ktls.py: encryption in the kernel, with a kernel that has it.
# SPDX-License-Identifier: Apache-2.0
"""In a guest (tests/guest/guest.py), since the kernel below may have none; once
for all tests here, which look at what tests/guest/ktls.py saw."""

import json
import pathlib
import subprocess
import sys

import pytest

from conftest import BUILD, ENVIRONMENT

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "guest"))
import guest				# noqa: E402

PROGRAMS = ("portcullisd", "portcullis-gate", "portcullis-worker",
            "portcullis-solo", "portcullis-signer", "portcullis-resolver",
            "portcullis-keeper")
PORT = 2121
CONF = f"""\
archive = /archive
listen = 127.0.0.1:{PORT}
passive.ports = 40000-40099
tls.certificate = /both.pem
sessions.per_address = 100
data.timeout = 10
stop.timeout = 1
"""


def make_image(work):
    pair = [work / "key.pem", work / "cert.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         "/CN=ftp.example.org", "-addext", "subjectAltName=DNS:ftp.example.org",
         "-keyout", pair[0], "-out", pair[1]], check=True,
        capture_output=True)
    image = guest.Image()
    for name in PROGRAMS:
        image.copy(BUILD / name, f"/portcullis/{name}")
    for name in ("curl", "lftp"):
        image.program(name)
    image.python("hashlib", "json", "os", "re", "signal", "socket", "ssl",
                 "subprocess", "sys", "time")
    image.file("/both.pem", b"".join(path.read_bytes() for path in pair),
               0o600)
    image.file("/portcullis.conf", CONF)
    image.file("/archive/none", b"")
    image.copy(pathlib.Path(guest.__file__).with_name("ktls.py"), "/ktls.py")
    return image


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What the script in the guest has seen, by its steps' names."""
    if guest.missing():
        pytest.skip(guest.missing())
    work = tmp_path_factory.mktemp("guest")
    image = make_image(work)
    image.modules("tls", load=False)
    image.modules("aesni-intel")		# as a boot does with udev
    # As on a real network, not more than a window is on its way.
    result = image.run(
        f"export ASAN_OPTIONS={ENVIRONMENT['ASAN_OPTIONS']}\n"
        "ip link set lo mtu 1500\n/portcullis/portcullisd --version\n"
        f"python3 -SI /ktls.py /portcullis/portcullisd /portcullis.conf {PORT}",
        work)
    assert result.status == 0, f"{result.output}\n{result.console}"
    version, _, rows = result.output.partition("{")
    found = {"version": {"text": version}}
    for line in ("{" + rows).splitlines():
        row = json.loads(line)
        found.setdefault(row.pop("name"), row)
    return found


WHOLE = {"same": True, "end": "close_notify", "reply": "226"}
CUT = "truncated"


def test_it_is_said_who_encrypts(seen):
    """And the kernel's module is loaded by who may, before any worker."""
    assert "TLS: files are encrypted by the kernel" in seen["version"]["text"]
    assert seen["start"]["text"].endswith(
        "files are encrypted by the kernel (kTLS)")
    assert seen["modules"]["text"].startswith("tls ")


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_files_are_encrypted_by_the_kernel_and_whole(seen, version):
    """With close_notify, resumed or not, from the middle, and to a client so
    slow that the kernel holds bytes back at the end."""
    for name in ("whole", "resumed", "REST", "slow"):
        row = dict(seen[f"{version} {name}"])
        row.pop("cipher", None)
        assert row == {**WHOLE, "by_kernel": 1}, name
    many = seen[f"{version} many"]
    assert many == {"seen": [[True, "close_notify", "226"]]}
    for name in ("small", "TYPE A"):
        assert seen[f"{version} {name}"] == {**WHOLE, "by_kernel": 0}, name


def test_each_cipher_that_is_offered_is_one_of_the_kernels(seen):
    for name in ("ECDHE-ECDSA-AES256-GCM-SHA384",
                 "ECDHE-ECDSA-CHACHA20-POLY1305"):
        assert seen[name] == {**WHOLE, "by_kernel": 1, "cipher": name}


def test_other_clients_and_libraries(seen):
    for name in ("curl", "lftp"):
        assert seen[name] == {"status": 0, "same": True, "by_kernel": 1}


def test_what_is_not_whole_does_not_end_as_if_it_were(seen):
    assert seen["ABOR"] == {"replies": ["426", "226"], "end": CUT,
                            "after": "200"}
    assert seen["shrinks"] == {"end": CUT, "reply": "451"}
    assert seen["changes"] == {"end": CUT, "reply": "451"}


def test_a_client_that_stands_still_is_ended(seen):
    """Sends have no limit of their own: the loop's clock ends them."""
    assert seen["stalls"] == {"end": CUT, "reply": "426"}
    assert seen["stop"] == {"status": 0, "end": CUT}
    assert seen["end"] == {"status": 0, "text": ""}


def test_nothing_is_left_in_the_kernel_and_nothing_is_received_by_it(seen):
    row = seen["counters"]
    assert row["TlsCurrTxSw"] == row["TlsCurrRxSw"] == row["TlsRxSw"] == 0
    assert row["TlsTxSw"] > 12
