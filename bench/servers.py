"""bench/servers.py: the servers, their commands and their settings, in clear.

SPDX-License-Identifier: Apache-2.0

All of them: anonymous, no limits, no logs, no reverse DNS, sendfile where it
exists.  Passive ports are left to each peer's own default, which is never
slower than a range.
"""
from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

# The names of Portcullis's own settings live here and nowhere else.
PORTCULLIS_CONF = """\
sessions.max = 20000
sessions.per_address = 20000
solo.per_address = 0
"""

VSFTPD_CONF = """\
listen=YES
listen_ipv6=NO
listen_address=127.0.0.1
background=NO
anonymous_enable=YES
local_enable=NO
anon_root={archive}
ftp_username=ftp
nopriv_user=nobody
secure_chroot_dir={empty}
one_process_model={one_process}
use_sendfile=YES
xferlog_enable=NO
max_clients=0
max_per_ip=0
idle_session_timeout=3600
"""

PROFTPD_CONF = """\
ServerName "bench"
ServerType standalone
DefaultAddress 127.0.0.1
SocketBindTight on
Port 21
UseIPv6 off
User nobody
Group nogroup
MaxInstances none
UseReverseDNS off
UseSendfile on
TimeoutIdle 0
TimeoutNoTransfer 0
TimeoutLogin 0
TransferLog none
SystemLog none
WtmpLog off
PidFile {work}/proftpd.pid
ScoreboardFile {work}/proftpd.scoreboard
<IfModule mod_auth_pam.c>
  AuthPAM off
</IfModule>
<IfModule mod_delay.c>
  DelayEngine off
</IfModule>
<IfModule mod_ident.c>
  IdentLookups off
</IfModule>
<Anonymous "{archive}">
  User ftp
  Group nogroup
  UserAlias anonymous ftp
  RequireValidShell off
  MaxClients none
</Anonymous>
"""


@dataclass
class Place:
    """Where the files of a run are."""
    build: Path
    work: Path
    archive: Path
    big: Path
    small: Path
    listing: Path
    passwd: Path
    uploads: Path                       # on a disk, not in memory

    def listing_of(self, entries: int) -> Path:
        return self.listing.with_name(f"{self.listing.name}-{entries}")

    @property
    def peers(self) -> Path:
        return self.build / "bench" / "peers"


@dataclass
class Server:
    name: str
    kind: str                           # portcullis, peer or limit
    program: Callable[[Place], Optional[Path]]
    command: Callable[[Place, Path], list[str]]
    says_ready: bool = False
    ftp_user: bool = True               # wants an account named ftp
    mlsd: bool = True
    group: str = "clear"                # of variants that it is for
    client: tuple[str, ...] = ()        # what its client is told besides
    https: bool = False

    def argv(self, place: Place) -> list[str]:
        program = self.program(place)
        assert program is not None
        argv = self.command(place, program)
        if not self.ftp_user:
            return argv
        # a namespace's mounts are its own: nobody else sees this account
        return ["sh", "-c", 'mount --bind "$1" /etc/passwd && shift && '
                'exec "$@"', "sh", str(place.passwd), *argv]


def installed(name: str) -> Callable[[Place], Optional[Path]]:
    def find(place: Place) -> Optional[Path]:
        own = place.peers / "usr" / "sbin" / name
        if own.exists():
            return own
        path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        found = shutil.which(name, path=path)
        return Path(found) if found else None
    return find


def built(name: str) -> Callable[[Place], Optional[Path]]:
    def find(place: Place) -> Optional[Path]:
        path = place.build / name
        return path if path.exists() else None
    return find


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _portcullis(place: Place, program: Path) -> list[str]:
    conf = write(place.work / "portcullis.conf", PORTCULLIS_CONF)
    return [str(program), "--archive", str(place.archive),
            "--listen", "127.0.0.1:21", "--passive-ports", "20000-59999",
            "-c", str(conf)]


def _vsftpd(one_process: str) -> Callable[[Place, Path], list[str]]:
    def command(place: Place, program: Path) -> list[str]:
        empty = place.work / "empty"
        empty.mkdir(exist_ok=True)
        conf = write(place.work / f"vsftpd-{one_process}.conf",
                      VSFTPD_CONF.format(archive=place.archive, empty=empty,
                                         one_process=one_process))
        return [str(program), str(conf)]
    return command


def _proftpd(place: Place, program: Path) -> list[str]:
    conf = write(place.work / "proftpd.conf",
                  PROFTPD_CONF.format(work=place.work, archive=place.archive))
    return [str(program), "-n", "-q", "-c", str(conf)]


def _pure_ftpd(place: Place, program: Path) -> list[str]:
    return [str(program), "-4", "-e", "-H", "-S", "127.0.0.1,21",
            "-c", "20000", "-f", "none", "-I", "60", "-L", "2000000:10",
            "-g", str(place.work / "pure-ftpd.pid")]


def _pyftpdlib_found(place: Place) -> Optional[Path]:
    for base in (place.peers / "usr/lib/python3/dist-packages",
                 Path("/usr/lib/python3/dist-packages")):
        if (base / "pyftpdlib").exists():
            return base
    return None


def _pyftpdlib(place: Place, modules: Path) -> list[str]:
    script = Path(__file__).resolve().parent / "pyftpdlib_server.py"
    return ["env", f"PYTHONPATH={modules}", "/usr/bin/python3", str(script),
            str(place.archive)]


def _limit(threads: int) -> Callable[[Place, Path], list[str]]:
    def command(place: Place, program: Path) -> list[str]:
        return [str(program), "21", str(threads), str(place.big),
                str(place.small), str(place.listing)]
    return command


def all_servers() -> list[Server]:
    cpus = len(os.sched_getaffinity(0))
    limit = built("bench/limit")
    vsftpd = installed("vsftpd")
    return [
        Server("portcullis", "portcullis", built("portcullisd"),
               _portcullis, says_ready=True, ftp_user=False),
        Server("vsftpd", "peer", vsftpd, _vsftpd("YES"), mlsd=False),
        Server("vsftpd-2proc", "peer", vsftpd, _vsftpd("NO"), mlsd=False),
        Server("proftpd", "peer", installed("proftpd"), _proftpd),
        Server("pure-ftpd", "peer", installed("pure-ftpd"), _pure_ftpd),
        Server("pyftpdlib", "peer", _pyftpdlib_found, _pyftpdlib),
        Server("limit", "limit", limit, _limit(1), ftp_user=False,
               mlsd=False),
        Server(f"limit-{cpus}t", "limit", limit, _limit(cpus),
               ftp_user=False, mlsd=False),
    ]
