# tests/e2e/test_ktls.py: encryption in the kernel, with a kernel that has it.
# SPDX-License-Identifier: Apache-2.0
"""In a guest (tests/guest/guest.py), since the kernel below may have none."""

import json
import pathlib
import subprocess
import sys

import pytest

from conftest import BUILD

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
data.timeout = 5
stop.timeout = 2
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
    result = image.run(
        "/portcullis/portcullisd --version\n"
        f"python3 -SI /ktls.py /portcullis/portcullisd /portcullis.conf {PORT}",
        work)
    assert result.status == 0, print(result.output, result.console)
    version, *rows = result.output.partition("{")
    found = {}
    for line in "".join(rows).splitlines():
        row = json.loads(line)
        found.setdefault(row.pop("name"), row)
    found["version"] = {"text": version}
    print(json.dumps(found, indent=1))
    return found


def test_it(seen):
    assert 0
