# tests/e2e/test_clients.py: the clients that people use, each as it comes.
# SPDX-License-Identifier: Apache-2.0
"""Every client fetches the same bytes, active and passive, IPv4 and IPv6.

What a client itself cannot do is in CANNOT with its reason, and the test
expects exactly that.  A client that is not installed is a failure: run
`script/bootstrap test`.
"""

import contextlib
import os
import pathlib
import subprocess
import sys

import pytest

from conftest import steady_bytes

BIG = steady_bytes(5_000_001, 2)
PART = 1_234_567


class Job:
    """One download: what a client must be told."""

    def __init__(self, server, remote, folder, active=False, resume=False):
        self.host, self.port = server.address
        self.v6 = ":" in self.host
        self.literal = f"[{self.host}]" if self.v6 else self.host
        self.remote = remote
        self.url = server.url(remote)
        self.folder = folder
        self.out = folder / pathlib.PurePath(remote).name
        self.active = active
        self.resume = resume
        self.patience = 60


def run(argv, job, stdin=""):
    """The client, with no configuration but its own."""
    env = {"PATH": os.environ["PATH"], "HOME": str(job.folder), "LANG":
           "C.UTF-8", "LC_ALL": "C.UTF-8"}
    return subprocess.run([str(word) for word in argv], cwd=job.folder,
                          env=env, input=stdin, capture_output=True,
                          text=True, errors="replace", timeout=job.patience)


# ---- how each is called

def curl(j):
    return run(["curl", "-sS", *(["-P", "-"] if j.active else []),
                *(["-C", "-"] if j.resume else []), "-o", j.out, j.url], j)


def wget(j):
    return run(["wget", "-nv", "--tries=1",
                *(["--no-passive-ftp"] if j.active else []),
                *(["-c"] if j.resume else []), "-P", j.folder, j.url], j)


def lftp(j):
    return run(["lftp", "-c", "set net:max-retries 1; set net:timeout 10;"
                f"set ftp:passive-mode {'no' if j.active else 'yes'};"
                f"open -p {j.port} ftp://{j.literal};"
                f"get {'-c' if j.resume else ''} {j.remote} -o {j.out}"], j)


def tnftp(j):
    return run(["tnftp", *(["-A"] if j.active else ["-p"]),
                *(["-R"] if j.resume else []), "-o", j.out, j.url], j)


def inetutils(j):
    verb = "reget" if j.resume else "get"
    return run(["inetutils-ftp", "-n", "-i", "-v",
                *([] if j.active else ["--passive"]), j.host, j.port], j,
               "user anonymous test@example.org\nbinary\n"
               f"{verb} {j.remote} {j.out}\nquit\n")


def ncftpget(j):
    return run(["ncftpget", "-V", "-r", "0", "-E" if j.active else "-F", "-P",
                j.port, j.host, j.folder, j.remote], j)


def aria2c(j):
    return run(["aria2c", "-q", "--no-conf", "--file-allocation=none", "-s1",
                f"--ftp-pasv={'false' if j.active else 'true'}",
                *(["-c"] if j.resume else []), "-d", j.folder, "-o",
                j.out.name, j.url], j)


def rclone(j):
    return run(["rclone", "--retries=1", "--ftp-host", j.literal,
                "--ftp-port", j.port, "--ftp-user", "anonymous",
                "--ftp-pass", obscured(j), "copyto", f":ftp:{j.remote}",
                j.out], j)


def obscured(j):
    """rclone takes a password in a disguise of its own only."""
    return run(["rclone", "obscure", "test@example.org"], j).stdout.strip()


def axel(j):
    return run(["axel", "-q", "-n", "2", "-o", j.out, j.url], j)


def yafc(j):
    return run(["yafc", "--norc",
                f"ftp://anonymous:test@{j.literal}:{j.port}"], j,
               f"get {j.remote}\nclose\nquit\n")


def php(j):
    return run(["php", "-r", r"""
        [, $host, $port, $remote, $out, $passive, $from] = $argv;
        $c = ftp_connect($host, (int)$port, 10) or exit(2);
        ftp_login($c, 'anonymous', 'test@example.org') or exit(3);
        ftp_pasv($c, (bool)$passive) or exit(4);
        exit(ftp_get($c, $out, $remote, FTP_BINARY, (int)$from) ? 0 : 5);
        """, "--", j.host, j.port, j.remote, j.out, int(not j.active),
                PART if j.resume else 0], j)


def php_stream(j):
    return run(["php", "-r", r"""
        [, $url, $out, $from] = $argv;
        $c = stream_context_create(['ftp' => ['resume_pos' => (int)$from]]);
        $in = fopen($url, 'r', false, $c) or exit(2);
        $to = fopen($out, 'a') or exit(3);
        exit(stream_copy_to_stream($in, $to) === false ? 4 : 0);
        """, "--", j.url, j.out, PART if j.resume else 0], j)


def ruby(j):
    return run(["ruby", "-rnet/ftp", "-e", r"""
        host, port, remote, out, passive, resume = ARGV
        ftp = Net::FTP.new
        ftp.passive = passive == '1'
        ftp.resume = resume == '1'
        ftp.connect(host, port.to_i)
        ftp.login
        ftp.getbinaryfile(remote, out)
        ftp.quit
        """, j.host, j.port, j.remote, j.out, int(not j.active),
                int(j.resume)], j)


def perl(j):
    return run(["perl", "-MNet::FTP", "-e", r"""
        my ($host, $port, $remote, $out, $passive, $from) = @ARGV;
        my $ftp = Net::FTP->new($host, Port => $port, Passive => $passive)
            or die $@;
        $ftp->login('anonymous', 'test@example.org') or die $ftp->message;
        $ftp->binary;
        $ftp->get($remote, $out, $from) or die $ftp->message;
        $ftp->quit;
        """, j.host, j.port, j.remote, j.out, int(not j.active),
                PART if j.resume else 0], j)


def ftplib(j):
    return run([sys.executable, "-c", r"""
import ftplib, sys
host, port, remote, out, passive, start = sys.argv[1:]
ftp = ftplib.FTP()
ftp.connect(host, int(port), timeout=10)
ftp.login()
ftp.set_pasv(passive == "1")
with open(out, "ab") as file:
    ftp.retrbinary("RETR " + remote, file.write, rest=int(start) or None)
ftp.quit()
""", j.host, j.port, j.remote, j.out, int(not j.active),
                PART if j.resume else 0], j)


CLIENTS = [curl, wget, lftp, tnftp, inetutils, ncftpget, aria2c, rclone, axel,
           yafc, php, php_stream, ruby, perl, ftplib]

PASSIVE_ONLY = {rclone, axel, php_stream, yafc}
CANNOT_RESUME = {rclone, axel, yafc}

# What the client gets wrong; the server is not to make up for it.
CANNOT = {
    # It sends EPRT |2|::|port|: an unspecified address, which is refused.
    (lftp, "active", "ipv6"),
    # It takes no IPv6 literal.
    (ncftpget, "active", "ipv6"), (ncftpget, "passive", "ipv6"),
    # It sends PASV over IPv6 too, is told 425, and tries for ever.
    (axel, "passive", "ipv6"),
}

ROWS = [(client, mode, family) for client in CLIENTS
        for family in ("ipv4", "ipv6") for mode in ("passive", "active")
        if mode == "passive" or client not in PASSIVE_ONLY]


def row_id(row):
    return "-".join(getattr(part, "__name__", part) for part in row)


def host_of(family):
    return "::1" if family == "ipv6" else "127.0.0.1"


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "got"
    path.mkdir()
    return path


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_a_file_arrives_whole(serve, folder, row):
    client, mode, family = row
    server = serve(host=host_of(family))
    job = Job(server, "pub/big.grib2", folder, active=mode == "active")
    if row in CANNOT:
        job.patience = 5
        with contextlib.suppress(subprocess.TimeoutExpired):
            client(job)
        assert not job.out.exists() or job.out.read_bytes() != BIG, \
            f"{row_id(row)} works now: take it out of CANNOT"
        assert not server.events("ftp_data", seconds=0)
        return
    done = client(job)
    assert done.returncode == 0, done
    assert job.out.read_bytes() == BIG, done
    sent = [e["ftp_data"] for e in server.events("ftp_data")
            if e["ftp_data"]["command"] == "RETR"]
    assert {e["mode"] for e in sent} == {mode}, sent


@pytest.mark.parametrize("remote", ["pub/README", "pub/zero"])
@pytest.mark.parametrize("client", CLIENTS, ids=lambda c: c.__name__)
def test_a_small_file_arrives_at_once(server, folder, client, remote):
    """aria2 takes 150 and 226 for one reply when they come together, and
    waits a minute for what it has read already."""
    job = Job(server, remote, folder)
    job.patience = 20
    done = client(job)
    if client is axel and remote == "pub/zero":
        assert done.returncode != 0  # it divides by the size
        return
    assert done.returncode == 0, done
    want = b"" if remote == "pub/zero" else b"One line.\nAnother.\n"
    assert job.out.read_bytes() == want, done


@pytest.mark.parametrize(
    "client", [c for c in CLIENTS if c not in CANNOT_RESUME],
    ids=lambda c: c.__name__)
def test_a_broken_download_goes_on_at_an_odd_offset(server, folder, client):
    job = Job(server, "pub/big.grib2", folder, resume=True)
    job.out.write_bytes(BIG[:PART])
    done = client(job)
    assert done.returncode == 0, done
    assert job.out.read_bytes() == BIG, done
    offsets = [e["ftp_data"]["offset"] for e in server.events("ftp_data")
               if e["ftp_data"]["command"] == "RETR"]
    # aria2 goes back to the beginning of a piece of its own.
    least = PART // 16384 * 16384 if client is aria2c else PART
    assert any(least <= offset <= PART for offset in offsets), done


# ---- whole trees

def tree_of(root, skip=()):
    """Every file below root that is no link out of it: name to bytes."""
    found = {}
    for base, dirs, files in os.walk(root, followlinks=True):
        for name in files + dirs:
            path = pathlib.Path(base, name)
            where = str(path.relative_to(root))
            if where in skip or not path.exists():
                continue
            found[where] = path.read_bytes() if path.is_file() else None
        dirs[:] = [name for name in dirs if str(pathlib.Path(
            base, name).relative_to(root)) not in skip]
    return found


ODD_NAMES = ["%41.nc", "#hash", "a  two blanks", "semi;colon", "back\\slash",
             "star*", "que?stion", "[brackets]", "日本.grib2", "~tilde", "+plus",
             "-dash", "apo'strophe", "amp&and", "dollar$HOME"]


@pytest.fixture
def tree(archive):
    """The archive's files and many a name that clients get wrong."""
    pub = archive / "pub"
    for name in ("outside", "above"):
        (pub / name).unlink()
    for i, name in enumerate(ODD_NAMES):
        (pub / "data" / name).write_bytes(steady_bytes(100 + i, i))
        (pub / "data" / name).chmod(0o644)
    return pub


@pytest.mark.parametrize("mode", ["passive", "active"])
@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_lftp_mirrors_the_tree(serve, tree, folder, family, mode):
    server = serve(host=host_of(family))
    job = Job(server, "pub", folder)
    if (lftp, mode, family) in CANNOT:
        return  # said once, above
    done = run(["lftp", "-c", "set net:max-retries 1; set net:timeout 10;"
                f"set ftp:passive-mode {'no' if mode == 'active' else 'yes'};"
                f"open -p {job.port} ftp://{job.literal};"
                f"mirror --parallel=3 pub {folder}/tree"], job)
    assert done.returncode == 0, done
    assert tree_of(folder / "tree") == tree_of(tree), done


@pytest.mark.parametrize("mode", ["passive", "active"])
@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_wget_mirrors_the_tree(serve, tree, folder, family, mode):
    server = serve(host=host_of(family))
    job = Job(server, "pub/", folder)
    done = run(["wget", "-nv", "--tries=2", "-r", "-nH", "--cut-dirs=1",
                "--restrict-file-names=nocontrol", "-P", folder / "tree",
                *(["--no-passive-ftp"] if mode == "active" else []),
                job.url], job)
    # It does not follow links to directories, makes no empty ones, and reads
    # a "%" in a name as the beginning of an escape.
    want = {name: data for name, data in
            tree_of(tree, skip={"latest"}).items() if data is not None}
    want["data/A.nc"] = want.pop("data/%41.nc")
    got = {name: data for name, data in
           tree_of(folder / "tree", skip={"latest"}).items()
           if data is not None}
    assert got == want, done
    assert done.returncode == 0, done


# ---- early close

def test_rclone_with_many_streams_never_leaves_a_corrupt_file(
        serve, archive, folder):
    """It closes three of four data connections early; told 425 for that, it
    took a preallocated file for a whole one and ended with success."""
    whole = steady_bytes(12_000_000, 7)
    (archive / "pub" / "twelve.nc").write_bytes(whole)
    (archive / "pub" / "twelve.nc").chmod(0o644)
    server = serve()
    job = Job(server, "pub/twelve.nc", folder)
    password = obscured(job)
    for _ in range(12):
        done = run(["rclone", "--ftp-host", job.host, "--ftp-port", job.port,
                    "--ftp-user", "anonymous", "--ftp-pass", password,
                    "--multi-thread-streams=4", "--multi-thread-cutoff=1M",
                    "copyto", f":ftp:{job.remote}", job.out], job)
        if done.returncode == 0:
            assert job.out.read_bytes() == whole, done
        job.out.unlink(missing_ok=True)
    codes = {code for e in server.events("ftp_data")
             for code in e["ftp_data"]["completion_code"]}
    assert codes <= {"226", "426"}, codes
