# tests/e2e/clients.py: how the FTP clients that people use are told what to do.
# SPDX-License-Identifier: Apache-2.0
"""A class for each client.  What it has no function for is absent here, with
the reason in `lacks`; what it tries and gets wrong is in `fails`, with what
is then seen.  test_interop.py does the looking.

Names are bytes: an archive may hold any, and every client gets the same ones.
"""

import os
import shutil
import subprocess
import urllib.parse

# What every cell of the matrix asks for.
ACTIONS = {
    "get": "g", "resume": "r", "list": "l", "tree": "t", "names": "n",
    "early": "c", "empty": "e", "big": "b", "missing": "m", "ascii": "a"}
# ... and within TLS, where names and types are no others.
TLS_ACTIONS = {name: ACTIONS[name] for name in (
    "get", "resume", "list", "tree", "early", "empty", "big")}
# Of an account.
UPLOADS = {
    "put": "p", "over": "o", "append": "r", "nothing": "e", "text": "a",
    "many": "f", "grow": "t", "make": "d", "move": "n", "drop": "x",
    "date": "s", "back": "g", "look": "l"}


class Job:
    """One client against the server, in one mode, over one family; within
    TLS ("explicit", "implicit") of one version, by an account or nobody."""

    def __init__(self, server, cell, active, v6, folder, tls=None,
                 version=None, authority=None, account=None):
        self.host = "::1" if v6 else "127.0.0.1"
        self.port = server.implicit if tls == "implicit" else server.port
        self.literal = f"[{self.host}]" if v6 else self.host
        self.base = cell.encode()
        self.active = active
        self.passive = not active
        self.v6 = v6
        self.folder = folder
        self.patience = 20
        self.tls, self.version, self.authority = tls, version, authority
        self.user, self.password = account or ("anonymous",
                                               "test@example.org")
        self.scheme = "ftp"
        self.there = 0		# bytes of an upload, to go on behind

    def path(self, name):
        return self.base + b"/" + name

    def url(self, name, more=""):
        who = "" if self.user == "anonymous" else \
            f"{self.user}:{self.password}@"
        return (f"{self.scheme}://{who}{self.literal}:{self.port}/"
                f"{urllib.parse.quote(self.path(name))}{more}")


def libraries(j, home):
    """Whom their TLS libraries trust, and the one version that they speak.
    Go's has a flag of rclone's."""
    if not j.tls:
        return {}
    (home / "openssl.cnf").write_text(
        "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\n"
        "system_default = tls\n[tls]\n"
        f"MinProtocol = TLSv{j.version}\nMaxProtocol = TLSv{j.version}\n")
    # Where 1.3 is known it is chosen; without 1.2, GnuTLS offers 1.1.
    (home / "gnutls.cnf").write_text("[overrides]\n" + (
        "disabled-version = tls1.3\n" if j.version == "1.2" else ""))
    return {"OPENSSL_CONF": str(home / "openssl.cnf"),
            "GNUTLS_SYSTEM_PRIORITY_FILE": str(home / "gnutls.cnf"),
            "SSL_CERT_FILE": j.authority, "TLS_VERSION": j.version}


def run(argv, j, stdin=b""):
    """The client, with no configuration but its own."""
    home = j.folder / "home"
    home.mkdir(exist_ok=True)
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8",
           "LC_ALL": "C.UTF-8", **libraries(j, home)}
    return subprocess.run(
        [w if isinstance(w, bytes) else os.fsencode(str(w)) for w in argv],
        cwd=j.folder, env=env, input=stdin, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=j.patience)


def into_head(argv, j):
    """Its standard output is closed after a little of what it would say."""
    return run(["bash", "-c", '"$@" 2>&3 | head -c 1000 | wc -c', "bash",
                *argv], j)


LINKS = ("latest/t2m.grib2", "sub/link.nc")
# Without reading RFC 854: 0xff is a byte of Telnet's.
TELNET = {b"\xff\xfe.nc": "does not double 0xff on the control connection"}


class Client:
    families = ("ipv4", "ipv6")
    modes = ("passive", "active")
    lacks = {}		# action: the reason
    fails = {}		# action: (the reason, what is seen)
    no_cell = {}	# (mode, family): the reason
    names_fail = TELNET	# name: the reason
    resumes_at_blocks = False	# goes back to the beginning of its own piece
    exits_well = False	# ... whatever the server said
    tree_lacks = ()	# what a mirror leaves out
    tree_renames = {}
    after_early = None	# "shown", "after": the next file; "pieces": the whole
    tls = ()		# "explicit", "implicit"
    tls_versions = ("1.2", "1.3")
    tls_without = None	# why there is none
    tls_scheme = "ftp"	# of URLs for explicit
    tls_lacks = {}	# action: the reason, beside `lacks`
    tls_fails = {}
    tls_no_cell = {}	# (mode, way, version): the reason
    uploads = None	# why it has none
    cannot = {}		# what it has no command for
    missteps = {}	# what it tries and gets wrong, as in fails
    grown_lacks = ()	# what it leaves out of a tree that it stores

    def __init__(self):
        self.name = type(self).__name__

    # fetch(j, pairs, resume, ascii): each remote name into its own file
    # put(j, pairs, resume, ascii): each local file under its remote name
    # make(j, name), move(j, name, other), drop(j, name)
    # date(j, file, name, when): so that name has that time, if need be by
    #	storing file, which has it
    # put_tree(j, folder, name)


class curl(Client):
    lacks = {"tree": "fetches files, not trees"}
    tls = ("explicit", "implicit")
    tls_no_cell = {("active", way, version): "does not come to its handshake "
                   "for data" for way in tls for version in ("1.2", "1.3")}
    cannot = {"grow": "stores files, not trees"}

    def start(self, j):
        return ["curl", "-sS", *(["-P", "-"] if j.active else []),
                *(["--ssl-reqd", "--cacert", j.authority, "--tls-max",
                   j.version] if j.tls else [])]

    def put(self, j, pairs, resume=False, ascii=False):
        each = [word for file, name in pairs
                for word in ("-T", file, j.url(name))]
        return run([*self.start(j), *(["-C", "-"] if resume else []),
                    *(["-B"] if ascii else []), *each], j)

    def make(self, j, name):
        return run([*self.start(j), "--ftp-create-dirs", "-T", "-",
                    j.url(name + b"/in")], j)

    def quote(self, j, *lines):
        return run([*self.start(j), "-I", *(
            word for line in lines for word in (b"-Q", line)), j.url(b"")], j)

    def move(self, j, name, other):
        return self.quote(j, b"RNFR " + j.path(name),
                          b"RNTO " + j.path(other))

    def drop(self, j, name):
        return self.quote(j, b"DELE " + j.path(name))

    def date(self, j, file, name, when):
        return self.quote(j, b"MFMT " + when + b" " + j.path(name))

    def fetch(self, j, pairs, resume=False, ascii=False):
        each = [word for name, out in pairs
                for word in ("-o", out, j.url(name))]
        return run([*self.start(j), *(["-C", "-"] if resume else []),
                    *(["-B"] if ascii else []), *each], j)

    def list(self, j, name):
        return run([*self.start(j), j.url(name + b"/")], j)

    def early(self, j, name):
        return into_head([*self.start(j), j.url(name)], j)


class wget(Client):
    tree_lacks = ("latest/t2m.grib2", "odd/ leading blank")
    tree_renames = {"odd/%41.nc": "odd/A.nc"}
    names_fail = TELNET | {b"%41.nc": "decodes it"}
    fails = {"ascii": ("leaves CR LF as they come", "lines is 53890 bytes")}
    tls = ("explicit", "implicit")
    tls_scheme = "ftps"
    uploads = "fetches only"

    def start(self, j):
        return ["wget", "-nv", "--tries=1", "-T10",
                *(["--no-passive-ftp"] if j.active else []),
                *(["--ca-certificate", j.authority] if j.tls else []),
                *(["--ftps-implicit"] if j.tls == "implicit" else [])]

    def fetch(self, j, pairs, resume=False, ascii=False):
        kind = ";type=a" if ascii else ""
        if len(pairs) == 1:
            (name, out), = pairs
            if resume:
                os.rename(out, out.parent / os.fsdecode(name))
            done = run([*self.start(j), *(["-c"] if resume else []),
                        *(["-P", out.parent] if resume else ["-O", out]),
                        j.url(name, kind)], j)
            if resume:
                os.rename(out.parent / os.fsdecode(name), out)
            return done
        return run([*self.start(j), "-nH", "--restrict-file-names=nocontrol",
                    "-nd", "-P", os.path.dirname(pairs[0][1]), "-i", "-"], j,
                   "".join(j.url(n) + "\n" for n, _ in pairs).encode())

    def list(self, j, name):
        return run([*self.start(j), "-O", "-", j.url(name + b"/")], j)

    def tree(self, j, name, out):
        return run([*self.start(j), "-r", "-nH", "--cut-dirs=2",
                    "--restrict-file-names=nocontrol", "-P", out,
                    j.url(name + b"/")], j)

    def early(self, j, name):
        return into_head([*self.start(j), "-O", "-", j.url(name)], j)


class lftp(Client):
    after_early = "shown"
    names_fail = {}
    no_cell = {("active", "ipv6"): "names its own address as ::, which is "
                                   "refused"}
    tls = ("explicit", "implicit")
    missteps = {"text": ("sends no TYPE A: by RFC 959 a session begins with "
                         "it, and ours with TYPE I",
                         "lines.txt is 53890 bytes")}

    def script(self, j, *lines):
        words = [b"set net:max-retries 1; set net:timeout 10;"
                 b"set net:reconnect-interval-base 1;"
                 b"set ftp:passive-mode " +
                 (b"no" if j.active else b"yes"),
                 *([b"set ftp:ssl-force yes; set ftp:ssl-protect-data yes;"
                    b"set ftp:ssl-allow-anonymous yes;"
                    b"set ssl:ca-file " + os.fsencode(j.authority)]
                   if j.tls else [b"set ftp:ssl-allow no"]),
                 f"open -u {j.user},{j.password} -p {j.port} "
                 f"{j.scheme}://{j.literal}".encode(), *lines]
        return run(["lftp", "-c", b";\n".join(words)], j)

    @staticmethod
    def quoted(name):
        name = os.fsencode(name)
        for byte in (b"\\", b'"'):
            name = name.replace(byte, b"\\" + byte)
        return b'"' + name + b'"'

    def fetch(self, j, pairs, resume=False, ascii=False):
        flags = b"-c " if resume else b"-a " if ascii else b""
        return self.script(j, *(
            b"get " + flags + self.quoted(j.path(name)) + b" -o " +
            self.quoted(out) for name, out in pairs))

    def put(self, j, pairs, resume=False, ascii=False):
        flags = b"-c " if resume else b"-a " if ascii else b""
        return self.script(j, *(
            b"put " + flags + self.quoted(file) + b" -o " +
            self.quoted(j.path(name)) for file, name in pairs))

    def make(self, j, name):
        return self.script(j, b"mkdir " + j.path(name))

    def move(self, j, name, other):
        return self.script(j, b"mv " + j.path(name) + b" " + j.path(other))

    def drop(self, j, name):
        return self.script(j, b"rm " + j.path(name))

    def date(self, j, file, name, when):
        return self.put(j, [(file, name)])	# by itself

    def put_tree(self, j, folder, name):
        return self.script(j, b"mirror -R --parallel=3 " +
                           os.fsencode(folder) + b" " + j.path(name))

    def list(self, j, name):
        return self.script(j, b"ls " + j.path(name))

    def tree(self, j, name, out):
        return self.script(j, b"mirror --parallel=3 " + j.path(name) +
                           b" " + os.fsencode(out))

    def early(self, j, name):
        return self.script(j, b"cat " + j.path(name) + b" | head -c 1000 | "
                           b"wc -c", b"cat " + j.path(b"README"))


class Prompt(Client):
    """BSD's ftp, as two of them came down from it."""
    after_early = "shown"
    cannot = {"grow": "stores files, not trees"}

    @staticmethod
    def quoted(name):
        return b'"' + os.fsencode(name) + b'"'

    def put(self, j, pairs, resume=False, ascii=False):
        lines = [b"ascii"] if ascii else []
        for file, name in pairs:
            if resume:
                lines.append(b"restart %d" % j.there)
            lines.append(b"put " + self.quoted(file) + b" " +
                         self.quoted(j.path(name)))
        return self.script(j, *lines)

    def make(self, j, name):
        return self.script(j, b"mkdir " + j.path(name))

    def move(self, j, name, other):
        return self.script(j, b"rename " + j.path(name) + b" " +
                           j.path(other))

    def drop(self, j, name):
        return self.script(j, b"delete " + j.path(name))

    def date(self, j, file, name, when):
        return self.script(j, b"quote MFMT " + when + b" " + j.path(name))


class tnftp(Prompt):
    tls_without = "has none for FTP"
    names_fail = TELNET | dict.fromkeys((b"star*", b"que?n", b"[brackets]"),
                                        "takes it for a pattern")
    lacks = {"tree": "fetches files, not trees"}

    def fetch(self, j, pairs, resume=False, ascii=False):
        mode = "-A" if j.active else "-p"
        done = None
        for name, out in pairs:
            done = run(["tnftp", mode, "-V", *(["-R"] if resume else []),
                        "-o", out, j.url(name, ";type=a" if ascii else "")],
                       j)
        return done

    def script(self, j, *lines):
        return run(["tnftp", "-A" if j.active else "-p", "-n", j.host,
                    j.port], j, b"\n".join([
                        f"user {j.user} {j.password}".encode(), b"binary",
                        *lines, b"quit\n"]))

    def list(self, j, name):
        return self.script(j, b"ls " + j.path(name))

    def early(self, j, name):
        return self.script(
            j, b"get " + j.path(name) + b' "| head -c 1000 | wc -c"',
            b"get " + j.path(b"README") + b" -")


class inetutils(Prompt):
    exits_well = True
    tls_without = "has none"
    lacks = {"tree": "fetches files, not trees"}
    names_fail = TELNET | {
        b'a "quoted" name': "has no way to write a double quote"}

    def script(self, j, *lines):
        return run(["inetutils-ftp", "-n", "-i", "-v",
                    *([] if j.active else ["--passive"]), j.host, j.port], j,
                   b"\n".join([f"user {j.user} {j.password}".encode(),
                               b"binary", *lines, b"quit\n"]))

    def fetch(self, j, pairs, resume=False, ascii=False):
        verb = b"reget " if resume else b"get "
        return self.script(j, *([b"ascii"] if ascii else []), *(
            verb + self.quoted(j.path(name)) + b" " + self.quoted(out)
            for name, out in pairs))

    def list(self, j, name):
        return self.script(j, b"ls " + j.path(name))

    def early(self, j, name):
        return self.script(
            j, b"get " + j.path(name) + b' "| head -c 1000 | wc -c"',
            b"get " + j.path(b"README") + b" -")


class ncftp(Client):
    """ncftpget and ncftpls."""
    no_cell = dict.fromkeys((("passive", "ipv6"), ("active", "ipv6")),
                            "has no IPv6")
    tls_without = "has none"
    missteps = {"append": ("sends all of it behind its REST",
                           "resumed.nc is 6234568 bytes"),
                "text": lftp.missteps["text"]}

    def start(self, j, program):
        return [program, "-t10", *([] if program == "ncftpls" else ["-r0"]),
                "-E" if j.active else "-F", "-P", j.port,
                "-u", j.user, "-p", j.password]

    def put(self, j, pairs, resume=False, ascii=False):
        start = [*self.start(j, "ncftpput"), "-V", *(["-a"] if ascii else []),
                 "-z" if resume else "-Z"]
        if len(pairs) == 1:
            (file, name), = pairs
            return run([*start, "-C", j.host, file, j.path(name)], j)
        return run([*start, j.host, j.path(os.path.dirname(pairs[0][1])),
                    *(file for file, _ in pairs)], j)

    def script(self, j, *lines):
        """The program with a prompt."""
        return run(["ncftp", "-u", j.user, "-p", j.password, "-P", j.port,
                    j.host], j, b"\n".join([
                        *([b"set passive off"] if j.active else []), *lines,
                        b"quit\n"]))

    make, move, drop = lftp.make, Prompt.move, lftp.drop

    def date(self, j, file, name, when):
        return run([*self.start(j, "ncftpput"), "-V", "-y", "-C", j.host,
                    file, j.path(name)], j)

    def put_tree(self, j, folder, name):
        done = run([*self.start(j, "ncftpput"), "-V", "-R", j.host,
                    j.base, folder], j)
        return done

    def fetch(self, j, pairs, resume=False, ascii=False):
        start = [*self.start(j, "ncftpget"), "-V", *(["-a"] if ascii else [])]
        if len(pairs) == 1:
            (name, out), = pairs
            return run([*start, "-C", j.host, j.path(name), out], j)
        return run([*start, j.host, os.path.dirname(pairs[0][1]),
                    *(j.path(name) for name, _ in pairs)], j)

    def list(self, j, name):
        return run([*self.start(j, "ncftpls"), "-l",
                    j.url(name + b"/")], j)

    def tree(self, j, name, out):
        out.mkdir()
        done = run([*self.start(j, "ncftpget"), "-V", "-R", "-T", j.host, out,
                    j.path(name)], j)
        (out / os.fsdecode(name)).rename(out.parent / "renamed")
        out.rmdir()
        (out.parent / "renamed").rename(out)
        return done

    def early(self, j, name):
        return into_head([*self.start(j, "ncftpget"), "-V", "-c", j.host,
                          j.path(name)], j)


class aria2(Client):
    tls_without = "has none for FTP"
    uploads = "fetches only"
    after_early = "pieces"
    resumes_at_blocks = True
    names_fail = TELNET | {b" leading blank": "leaves the blank out"}
    fails = {"ascii": ("leaves CR LF as they come", "lines is 53890 bytes")}
    lacks = {"list": "has no listing", "tree": "fetches files, not trees"}

    def start(self, j):
        return ["aria2c", "--no-conf", "--file-allocation=none",
                f"--ftp-pasv={str(j.passive).lower()}"]

    def fetch(self, j, pairs, resume=False, ascii=False):
        lines = b"".join(
            f"{j.url(name)}\n".encode() + b" dir=" +
            os.path.dirname(os.fsencode(out)) + b"\n out=" +
            os.path.basename(os.fsencode(out)) + b"\n"
            for name, out in pairs)
        return run([*self.start(j), "-s1", "-j4",
                    *(["-c"] if resume else []),
                    *(["--ftp-type=ascii"] if ascii else []), "-i", "-"], j,
                   lines)

    def early(self, j, name):
        """In pieces: it leaves each before its end."""
        return run([*self.start(j), "-s4", "-x4", "-k1M", "-d", j.folder,
                    "-o", "pieces", j.url(name)], j)


class rclone(Client):
    modes = ("passive",)
    lacks = {"ascii": "binary only"}
    tls = ("explicit", "implicit")
    cannot = {"text": "binary only", "append": "begins anew"}

    def __init__(self):
        super().__init__()
        self.disguised = {}

    def start(self, j):
        if j.password not in self.disguised:	# it takes it no other way
            self.disguised[j.password] = run(
                ["rclone", "obscure", j.password], j).stdout.decode().strip()
        return ["rclone", "--config", "", "--retries=1", "--ftp-host",
                j.literal, "--ftp-port", j.port, "--ftp-user", j.user,
                "--ftp-pass", self.disguised[j.password],
                *({"explicit": ["--ftp-explicit-tls"],
                   "implicit": ["--ftp-tls"]}.get(j.tls, [])),
                # Its connections share sessions: those of one are offered
                # by another, which tls.data_resume = learn must refuse.
                *(["--ftp-tls-cache-size=0"] if j.tls else []),
                *(["--ftp-disable-tls13"] if j.version == "1.2" else [])]

    def put(self, j, pairs, resume=False, ascii=False):
        if len(pairs) == 1:
            (file, name), = pairs
            return run([*self.start(j), "copyto", file,
                        b":ftp:" + j.path(name)], j)
        return run([*self.start(j), "copy", os.path.dirname(pairs[0][0]),
                    b":ftp:" + j.path(os.path.dirname(pairs[0][1]))], j)

    def make(self, j, name):
        return run([*self.start(j), "mkdir", b":ftp:" + j.path(name)], j)

    def move(self, j, name, other):
        return run([*self.start(j), "moveto", b":ftp:" + j.path(name),
                    b":ftp:" + j.path(other)], j)

    def drop(self, j, name):
        return run([*self.start(j), "deletefile", b":ftp:" + j.path(name)], j)

    def date(self, j, file, name, when):
        return self.put(j, [(file, name)])	# by itself

    def put_tree(self, j, folder, name):
        return run([*self.start(j), "sync", "--create-empty-src-dirs", folder,
                    b":ftp:" + j.path(name)], j)

    def fetch(self, j, pairs, resume=False, ascii=False):
        if len(pairs) == 1:
            (name, out), = pairs
            if resume:	# of a file it cannot, of a stream it can
                at = out.stat().st_size
                done = run([*self.start(j), "cat", "--offset", at,
                            b":ftp:" + j.path(name)], j)
                with out.open("ab") as file:
                    file.write(done.stdout)
                return done
            return run([*self.start(j), "copyto", b":ftp:" + j.path(name),
                        out], j)
        return run([*self.start(j), "copy",
                    b":ftp:" + j.path(os.path.dirname(pairs[0][0])),
                    os.path.dirname(pairs[0][1])], j)

    def list(self, j, name):
        return run([*self.start(j), "lsf", b":ftp:" + j.path(name)], j)

    def tree(self, j, name, out):
        return run([*self.start(j), "sync", "--create-empty-src-dirs",
                    b":ftp:" + j.path(name), out], j)

    def early(self, j, name):
        return run([*self.start(j), "cat", "--count", "1000",
                    b":ftp:" + j.path(name)], j)


class axel(Client):
    after_early = "pieces"
    modes = ("passive",)
    no_cell = {("passive", "ipv6"): "sends PASV there too, is told 425, and "
                                    "tries for ever"}
    lacks = {"list": "has no listing", "tree": "fetches files, not trees",
             "resume": "goes on from a file of its own alone",
             "big": "goes on from a file of its own alone",
             "ascii": "binary only"}
    fails = {"empty": ("divides by the size", "exit status -8|status 1")}
    tls = ("implicit",)
    trust = ("--insecure",)	# it compares names alone, and ours is an address
    tls_no_cell = {("passive", "implicit", version):
                   "begins TLS for data before it has sent RETR, and waits"
                   for version in ("1.2", "1.3")}
    uploads = "fetches only"

    def fetch(self, j, pairs, resume=False, ascii=False):
        done = None
        for name, out in pairs:
            # It decodes nothing.
            done = run(["axel", *self.trust, "-q", "-n1", "-o", out,
                        j.url(b"").encode() + name], j)
        return done

    def early(self, j, name):
        return run(["axel", *self.trust, "-q", "-n3", "-o", j.folder / "pieces",
                    j.url(name)], j)


class yafc(Client):
    after_early = "shown"
    modes = ("passive",)
    exits_well = True
    names_fail = TELNET | {b"caf\xe9.nc": "wants UTF-8"}
    grown_lacks = ("empty dir",)
    tls_without = "has none"

    def put(self, j, pairs, resume=False, ascii=False):
        flags = b"-R " if resume else b"-f "
        if ascii:
            flags += b"--type=ascii "
        return self.script(j, *(
            b"put " + flags + b"-o " + j.path(name) + b" " +
            os.fsencode(file) for file, name in pairs))	# no quotes here

    make, move, drop = lftp.make, lftp.move, lftp.drop
    date = Prompt.date

    def put_tree(self, j, folder, name):
        return self.script(j, b"cd " + j.base, b"put -r -f " +
                           os.fsencode(folder))

    def script(self, j, *lines):
        return run(["yafc", "--norc",
                    *(["--anon"] if j.user == "anonymous" else []),
                    f"ftp://{j.user}:{j.password.partition('@')[0]}@"
                    f"{j.literal}:{j.port}"], j,
                   b"\n".join([*lines, b"close", b"quit\n"]))

    def fetch(self, j, pairs, resume=False, ascii=False):
        flags = b"-R " if resume else b"-f "
        if ascii:
            flags += b"--type=ascii "
        return self.script(j, *(
            b"get " + flags + b"-o " + lftp.quoted(out) + b" " +
            lftp.quoted(j.path(name)) for name, out in pairs))

    def list(self, j, name):
        return self.script(j, b"ls -l " + j.path(name))

    def tree(self, j, name, out):
        return self.script(j, b"cd " + j.base, b"get -r -f " + name)

    def early(self, j, name):
        return self.script(
            j, b"cat " + j.path(name) + b" | head -c 1000 | wc -c",
            b"cat " + j.path(b"README"))


# ---- libraries: scripts that take words of five: what, remote, local,
# offset, type

class Library(Client):
    start = ()
    after_early = "after"
    cannot = {"grow": "has no function for it"}

    def script(self, j, *steps):
        words = [word for step in steps for word in step]
        return run([*self.start, j.host, j.port, int(j.passive), j.tls or "",
                    j.user, j.password, *words], j)

    def put(self, j, pairs, resume=False, ascii=False):
        return self.script(j, *(
            ("put", j.path(name), file, j.there if resume else 0,
             "a" if ascii else "i") for file, name in pairs))

    def make(self, j, name):
        return self.script(j, ("make", j.path(name), "", 0, "i"))

    def move(self, j, name, other):
        return self.script(j, ("move", j.path(name), j.path(other), 0, "i"))

    def drop(self, j, name):
        return self.script(j, ("drop", j.path(name), "", 0, "i"))

    def date(self, j, file, name, when):
        return self.script(j, ("date", j.path(name), when, 0, "i"))

    def fetch(self, j, pairs, resume=False, ascii=False):
        return self.script(j, *(
            ("get", j.path(name), out,
             os.stat(out).st_size if resume else 0, "a" if ascii else "i")
            for name, out in pairs))

    def list(self, j, name):
        return self.script(j, ("list", j.path(name), "", 0, "a"))

    def tree(self, j, name, out):
        return self.script(j, ("tree", j.path(name), out, 0, "i"))

    def early(self, j, name):
        return self.script(
            j, ("early", j.path(name), "", 0, "i"),
            ("get", j.path(b"README"), j.folder / "after", 0, "i"))


class ftplib(Library):
    tls = ("explicit",)
    start = ("/usr/bin/python3", "-c", r"""
import ftplib, os, ssl, sys
host, port, passive, tls, user, password = sys.argv[1:7]
words = [os.fsencode(word).decode("latin-1") for word in sys.argv[7:]]
ftp = ftplib.FTP_TLS(encoding="latin-1",
    context=ssl.create_default_context()) if tls else \
    ftplib.FTP(encoding="latin-1")
ftp.connect(host, int(port), timeout=10)
ftp.login(user, password)
if tls:
    ftp.prot_p()
ftp.set_pasv(passive == "1")
status = 0

def put(remote, file, offset, kind):
    with open(local(file), "rb") as data:
        if kind == "a":
            ftp.storlines("STOR " + remote, data)
            return
        data.seek(int(offset))
        ftp.storbinary("STOR " + remote, data, rest=int(offset) or None)

def local(name):
    return name.encode("latin-1")

def get(remote, out, offset="0", kind="i"):
    if kind == "a":
        with open(local(out), "wb") as file:
            ftp.retrlines("RETR " + remote, lambda line: file.write(
                line.encode("latin-1") + b"\n"))
        return
    with open(local(out), "ab") as file:
        ftp.retrbinary("RETR " + remote, file.write, rest=int(offset) or None)

def tree(remote, out):
    os.mkdir(local(out))
    for name, facts in list(ftp.mlsd(remote)):
        if facts["type"] == "dir":
            tree(remote + "/" + name, out + "/" + name)
        elif facts["type"] == "file":
            get(remote + "/" + name, out + "/" + name)

def early(remote):
    data = ftp.transfercmd("RETR " + remote)
    data.recv(1000)
    data.close()
    try:
        print(ftp.voidresp())
    except ftplib.Error as error:
        print(error)

for i in range(0, len(words), 5):
    what, remote, out, offset, kind = words[i:i + 5]
    try:
        if what == "get":
            get(remote, out, offset, kind)
        elif what == "list":
            ftp.dir(remote)
        elif what == "tree":
            tree(remote, out)
        elif what == "put":
            put(remote, out, offset, kind)
        elif what == "make":
            ftp.mkd(remote)
        elif what == "move":
            ftp.rename(remote, out)
        elif what == "drop":
            ftp.delete(remote)
        elif what == "date":
            ftp.voidcmd("MFMT " + out + " " + remote)
        else:
            early(remote)
    except ftplib.Error as error:
        print(what, remote, error)
        status = 5
ftp.quit()
sys.exit(status)
""")


class net_ftp(Library):
    """Perl's Net::FTP."""
    tree_lacks = LINKS	# a walk by LIST
    tls = ("explicit", "implicit")
    tls_fails = {"early": ("sends Telnet's bytes beside TLS before its ABOR",
                           "Connection closed")}
    start = ("perl", "-MNet::FTP", "-e", r"""
        my ($host, $port, $passive, $tls, $user, $password) =
            splice @ARGV, 0, 6;
        my $ftp = Net::FTP->new($host, Port => $port, Passive => $passive,
            Timeout => 10, $tls ? (SSL => $tls eq 'implicit',
            SSL_ca_file => $ENV{SSL_CERT_FILE}) : ()) or die $@;
        my $status = 0;
        $tls ne 'explicit' or $ftp->starttls or die $ftp->message;
        $ftp->login($user, $password) or die $ftp->message;
        !$tls or $ftp->prot('P') or die $ftp->message;
        $ftp->binary;
        sub tree {
            my ($remote, $out) = @_;
            mkdir $out;
            for my $line ($ftp->dir($remote)) {
                my ($mode, $name) =
                    $line =~ /^(\S+)(?:\s+\S+){7} (.*)$/ or next;
                $name =~ s/ -> .*// if $mode =~ /^l/;
                if ($mode =~ /^-/) {
                    $ftp->get("$remote/$name", "$out/$name")
                        or die $ftp->message;
                } elsif ($mode =~ /^d/) {
                    tree("$remote/$name", "$out/$name");
                }
            }
        }
        while (my ($what, $remote, $out, $offset, $type) =
            splice @ARGV, 0, 5) {
            my $good = 1;
            if ($what eq 'get') {
                $ftp->ascii if $type eq 'a';
                $good = $ftp->get($remote, $out, $offset || undef);
                $ftp->binary if $type eq 'a';
            } elsif ($what eq 'list') {
                print "$_\n" for $ftp->dir($remote);
            } elsif ($what eq 'tree') {
                tree($remote, $out);
            } elsif ($what eq 'put') {
                $ftp->ascii if $type eq 'a';
                if ($offset) {
                    open my $file, '<', $out or die;
                    seek $file, $offset, 0;
                    $ftp->restart($offset);
                    $good = $ftp->put($file, $remote);
                } else {
                    $good = $ftp->put($out, $remote);
                }
                $ftp->binary if $type eq 'a';
            } elsif ($what eq 'make') {
                $good = $ftp->mkdir($remote);
            } elsif ($what eq 'move') {
                $good = $ftp->rename($remote, $out);
            } elsif ($what eq 'drop') {
                $good = $ftp->delete($remote);
            } elsif ($what eq 'date') {
                $good = $ftp->quot('MFMT', $out, $remote) == 2;
            } else {
                my $data = $ftp->retr($remote) or die $ftp->message;
                $data->read(my $bytes, 1000);
                $data->close;	# it sends ABOR
                print $ftp->code, ' ', $ftp->message;
            }
            print("$what $remote: ", $ftp->message), $status = 5 if !$good;
        }
        $ftp->quit;
        exit $status;
        """)


class ruby(Library):
    tls = ("explicit",)
    start = ("ruby", "-rnet/ftp", "-e", r"""
        host, port, passive, tls, user, password, *words = ARGV.map(&:b)
        ftp = Net::FTP.new(nil, ssl: tls != '' &&
          { ca_file: ENV['SSL_CERT_FILE'],
            max_version: ENV['TLS_VERSION'] == '1.2' ? :TLS1_2 : :TLS1_3 })
        ftp.passive = passive == '1'
        ftp.connect(host, port.to_i)
        ftp.login(user, password)
        status = 0
        tree = lambda do |remote, out|
          Dir.mkdir(out)
          ftp.mlsd(remote).each do |entry|
            name = entry.pathname.b
            if entry.directory? && !%w[. ..].include?(name)
              tree.call("#{remote}/#{name}", "#{out}/#{name}")
            elsif entry.file?
              ftp.getbinaryfile("#{remote}/#{name}", "#{out}/#{name}")
            end
          end
        end
        words.each_slice(5) do |what, remote, out, offset, type|
          case what
          when 'get'
            ftp.resume = offset != '0'
            type == 'a' ? ftp.gettextfile(remote, out)
                        : ftp.getbinaryfile(remote, out)
            ftp.resume = false
          when 'list' then puts ftp.list(remote)
          when 'tree' then tree.call(remote, out)
          when 'put'
            ftp.resume = offset != '0'
            type == 'a' ? ftp.puttextfile(out, remote)
                        : ftp.putbinaryfile(out, remote)
            ftp.resume = false
          when 'make' then ftp.mkdir(remote)
          when 'move' then ftp.rename(remote, out)
          when 'drop' then ftp.delete(remote)
          when 'date' then ftp.sendcmd("MFMT #{out} #{remote}")
          else
            catch(:enough) do
              ftp.retrbinary("RETR #{remote}", 1000) { throw :enough }
            end
            puts(begin ftp.send(:voidresp) rescue $!.message end)
          end
        rescue Net::FTPError => error
          puts "#{what} #{remote}: #{error.message}"
          status = 5
        end
        ftp.quit
        exit status
        """)


class php(Library):
    """PHP's ext/ftp."""
    tls = ("explicit",)
    start = ("php", "-r", r"""
        [, $host, $port, $passive, $tls, $user, $password] = $argv;
        $words = array_slice($argv, 7);
        function login() {
            global $host, $port, $passive, $tls, $user, $password;
            $c = $tls ? ftp_ssl_connect($host, (int)$port, 10)
                      : ftp_connect($host, (int)$port, 10);
            $c or exit(2);
            ftp_login($c, $user, $password) or exit(3);
            ftp_pasv($c, (bool)$passive) or exit(4);
            return $c;
        }
        $c = login();
        $status = 0;
        function tree($c, $remote, $out) {
            mkdir($out);
            foreach (ftp_mlsd($c, $remote) as $e) {
                $from = "$remote/{$e['name']}";
                $to = "$out/{$e['name']}";
                if ($e['type'] === 'dir')
                    tree($c, $from, $to);
                elseif ($e['type'] === 'file')
                    ftp_get($c, $to, $from, FTP_BINARY) or exit(6);
            }
        }
        foreach (array_chunk($words, 5) as [$what, $remote, $out, $from,
            $type]) {
            $good = true;
            if ($what === 'get')
                $good = ftp_get($c, $out, $remote,
                    $type === 'a' ? FTP_ASCII : FTP_BINARY, (int)$from);
            elseif ($what === 'list')
                print implode("\n", ftp_rawlist($c, $remote));
            elseif ($what === 'tree')
                tree($c, $remote, $out);
            elseif ($what === 'put')
                $good = ftp_put($c, $remote, $out,
                    $type === 'a' ? FTP_ASCII : FTP_BINARY, (int)$from);
            elseif ($what === 'make')
                $good = ftp_mkdir($c, $remote) !== false;
            elseif ($what === 'move')
                $good = ftp_rename($c, $remote, $out);
            elseif ($what === 'drop')
                $good = ftp_delete($c, $remote);
            elseif ($what === 'date')
                $good = ftp_raw($c, "MFMT $out $remote")[0][0] === '2';
            else {
                ftp_nb_get($c, '/dev/null', $remote, FTP_BINARY);
                $c = null;	// the one way out of a transfer
                $c = login();
            }
            if (!$good)
                $status = 5;
        }
        ftp_close($c);
        exit($status);
        """, "--")


class php_stream(Library):
    """PHP's ftp:// wrapper."""
    tls_scheme = "ftps"
    tls_versions = ("1.2",)	# at most
    modes = ("passive",)
    lacks = {"ascii": "binary only"}
    tree_lacks = ("odd/#hash", "odd/que?n")
    names_fail = TELNET | dict.fromkeys((b"#hash", b"que?n"),
                                        "takes it for a part of the URL")
    tls = ("explicit",)
    cannot = Library.cannot | {"text": "binary only", "append": "begins anew",
                               "date": "has no function for it"}
    start = ("php", "-r", r"""
        [, $host, $port, , $tls, $user, $password] = $argv;
        $words = array_slice($argv, 7);
        $host = strpos($host, ':') === false ? $host : "[$host]";
        $status = 0;
        function url($path) {
            global $host, $port, $tls, $user, $password;
            $scheme = $tls ? 'ftps' : 'ftp';
            $who = $user === 'anonymous' ? '' : "$user:$password@";
            return "$scheme://$who$host:$port/$path";	// it decodes nothing
        }
        function get($remote, $out, $from) {
            $c = stream_context_create(['ftp' => ['resume_pos' => $from]]);
            $in = fopen(url($remote), 'r', false, $c);
            if (!$in)
                return false;
            $to = fopen($out, 'a') or exit(3);
            return stream_copy_to_stream($in, $to) !== false;
        }
        function tree($remote, $out) {
            mkdir($out);
            foreach (scandir(url($remote)) as $name) {
                if (strpbrk($name, '#?'))
                    continue;	// that would be the directory again
                if (is_dir(url("$remote/$name")))
                    tree("$remote/$name", "$out/$name");
                else
                    get("$remote/$name", "$out/$name", 0) or exit(6);
            }
        }
        foreach (array_chunk($words, 5) as [$what, $remote, $out, $from,
            $type]) {
            $good = true;
            if ($what === 'get')
                $good = get($remote, $out, (int)$from);
            elseif ($what === 'list')
                print implode("\n", scandir(url($remote)));
            elseif ($what === 'tree')
                tree($remote, $out);
            elseif ($what === 'put')
                $good = file_put_contents(url($remote), fopen($out, 'r'), 0,
                    stream_context_create(['ftp' => ['overwrite' => true]]))
                    === filesize($out);
            elseif ($what === 'make')
                $good = mkdir(url($remote));
            elseif ($what === 'move')
                $good = rename(url($remote), url($out));
            elseif ($what === 'drop')
                $good = unlink(url($remote));
            else {
                $in = fopen(url($remote), 'r');
                fread($in, 1000);
                fclose($in);
            }
            if (!$good)
                $status = 5;
        }
        exit($status);
        """, "--")


class wput(Client):
    """It uploads, and nothing else."""
    tls = ("explicit",)
    tls_no_cell = {(mode, "explicit", version):
                   "ends an upload without close_notify: 426"
                   for mode in ("passive", "active")
                   for version in ("1.2", "1.3")}
    cannot = dict.fromkeys(("move", "drop", "date", "back", "look"),
                           "stores only")
    missteps = {"text": ("sends CR twice where its buffer ends between CR "
                         "and LF", "lines.txt is 48891 bytes")}
    grown_lacks = ("empty dir",)

    def start(self, j):
        return ["wput", "-nv", "-t1", "-T100",
                "--force-tls" if j.tls else "--disable-tls",
                *(["-p"] if j.active else [])]

    def put(self, j, pairs, resume=False, ascii=False):
        each = [word for file, name in pairs for word in (file, j.url(name))]
        return run([*self.start(j), "-A" if ascii else "-B",
                    *([] if resume else ["-u", "-nc"]), *each], j)

    def make(self, j, name):
        file = j.folder / "in"
        file.touch()
        return self.put(j, [(file, name + b"/in")])

    def put_tree(self, j, folder, name):
        return run([*self.start(j), "-B", f"--basename={folder}/", folder,
                    j.url(name + b"/")], j)


CLIENTS = [c() for c in (curl, wget, lftp, tnftp, inetutils, ncftp, aria2,
                         rclone, axel, yafc, ftplib, net_ftp, ruby, php,
                         php_stream)]
UPLOADERS = [c for c in CLIENTS if not c.uploads] + [wput()]

# Those that people use and that are not run here.
ABSENT = {"nmap": "it probes; two tests of its own",
          "basic-ftp": "not in Debian 12",
          "FileZilla": "a window program only",
          "Windows ftp.exe": "not for Linux"}


def installed(client):
    programs = {"inetutils": "inetutils-ftp", "ncftp": "ncftpget",
                "aria2": "aria2c", "ftplib": "/usr/bin/python3",
                "net_ftp": "perl", "php_stream": "php"}
    return shutil.which(programs.get(client.name, client.name))
