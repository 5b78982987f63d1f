# tests/guest/guest.py: a machine of a test's own, with Debian's kernel.
# SPDX-License-Identifier: Apache-2.0
"""What the kernel below the tests has not (kTLS), or what would end it (a power
cut), is tried in a guest: QEMU boots the kernel of Debian's cloud images,
which script/bootstrap unpacks and never installs, with a file system that is
made here of the host's own programs and what they link.

    if guest.missing():
        pytest.skip(guest.missing())
    image = guest.Image()
    image.program(BUILD / "portcullisd", "/portcullis/portcullisd")
    image.python("ssl", "socket")
    image.file("/try.py", text)
    image.modules("tls", "virtio_pci", "virtio_blk")
    result = image.run("python3 -SI /try.py", work)
    assert result.status == 0, result

The command is a line of busybox's shell, as root, with /proc, /sys, /dev, /tmp
and a loopback that is up.  `result` has its status (None: the machine ended
without one), what it said, and the kernel's console.  More of QEMU's words
(drives) go to `run(..., more=[...])`; there is no network beside the loopback.

The machine is emulated, with all that QEMU's processor has: a boot takes 5
seconds, and asks nothing of the host.  Its clock counts instructions, two
nanoseconds each, and jumps when nobody has any to do: no pause takes time, and
a host that is busy with other things makes no time-out fire.  PORTCULLIS_GUEST_KVM=1 has KVM, for
measurements; /dev/kvm may be there and open, and yet no guest run (one in a
virtual machine hung).
"""

import dataclasses
import os
import pathlib
import platform
import re
import shutil
import stat
import subprocess

ROOT = pathlib.Path(__file__).parents[2] / "build-tools" / "guest"
PYTHON = "/usr/bin/python3"
QEMU = "qemu-system-x86_64"
# Found by the others' modules when the kernel asks for an algorithm.
CRYPTO = ("aesni-intel", "crypto_simd", "cryptd", "gcm", "ctr", "ccm",
          "ghash-generic", "ghash-clmulni-intel", "gf128mul", "seqiv",
          "chacha20poly1305", "chacha_generic", "chacha-x86_64",
          "poly1305-x86_64", "poly1305_generic", "libchacha", "libpoly1305")
# Whom the server becomes.
USERS = ("portcullis-gate", "portcullis-worker", "portcullis-keeper",
         "portcullis-signer", "nobody")

INIT = """#!/bin/busybox sh
export PATH=/bin:/usr/bin HOME=/ TZ=UTC
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm
mount -t tmpfs tmp /tmp
chmod 1777 /tmp
ip link set lo up
depmod
for module in $(cat /modules); do
	modprobe "$module" || echo "no module $module" >/dev/ttyS1
done
sh /command </dev/null >/dev/ttyS1 2>&1
echo "
guest status $?" >/dev/ttyS1
poweroff -f
"""


def missing():
    """Why there can be no guest here, or None."""
    if platform.machine() != "x86_64":
        return "the guest is an x86-64"
    if shutil.which(QEMU) is None:
        return f"no {QEMU}"
    if not (ROOT / ".done").exists():
        return "no kernel for a guest (script/bootstrap test)"
    return None


ACCELERATOR = (("-accel", "kvm", "-cpu", "host")
               if os.environ.get("PORTCULLIS_GUEST_KVM") == "1" else
               ("-accel", "tcg,thread=single", "-cpu", "max",
                "-icount", "shift=1,sleep=off", "-rtc", "clock=vm"))


@dataclasses.dataclass
class Result:
    status: int | None
    output: str
    console: str


def cpio_entry(name, mode, data=b"", number=0):
    """One of "newc", the form that the kernel unpacks (magic 070701)."""
    name = name.lstrip("/").encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return b"".join((head, bytes(-len(head) % 4), data,
                     bytes(-len(data) % 4)))


class Image:
    """Files of a guest, by their paths there."""

    def __init__(self):
        self.entries = {}
        self.names = []
        self.file("/init", INIT, 0o755)
        self.file("/bin/busybox", (ROOT / "bin" / "busybox").read_bytes(),
                  0o755)
        for path in ("/proc", "/sys", "/dev", "/tmp", "/sbin", "/var"):
            self.directory(path)
        self.link("/sbin/modprobe", "/bin/busybox")	# the kernel's own
        self.file("/etc/passwd", "root:x:0:0::/:/bin/sh\n" + "".join(
            f"{user}:x:{900 + i}:{900 + i}::/:/bin/false\n"
            for i, user in enumerate(USERS)))
        self.file("/etc/group", "root:x:0:\n" + "".join(
            f"{user}:x:{900 + i}:\n" for i, user in enumerate(USERS)))
        self.file("/etc/nsswitch.conf", "passwd: files\ngroup: files\n")

    def directory(self, path):
        path = pathlib.PurePosixPath(path)
        for each in (*reversed(path.parents), path):
            if str(each) != "/":
                self.entries.setdefault(
                    str(each), (stat.S_IFDIR | 0o755, b""))

    def file(self, path, data, mode=0o644):
        data = data.encode() if isinstance(data, str) else data
        self.directory(pathlib.PurePosixPath(path).parent)
        self.entries[str(path)] = (stat.S_IFREG | mode, data)

    def link(self, path, to):
        self.directory(pathlib.PurePosixPath(path).parent)
        self.entries[str(path)] = (stat.S_IFLNK | 0o777, to.encode())

    def copy(self, host, path=None):
        """A file of the host's with what it links, at its own path or
        another."""
        host = pathlib.Path(host)
        path = str(path or host)
        if path in self.entries:
            return
        data = host.read_bytes()
        self.file(path, data, 0o755 if os.access(host, os.X_OK) else 0o644)
        if not data.startswith(b"\x7fELF"):
            return
        told = subprocess.run(["ldd", host], capture_output=True, text=True)
        for library in re.findall(r"(/\S+) \(0x", told.stdout):
            self.copy(library)

    def program(self, host, path=None):
        found = shutil.which(str(host))
        assert found, host
        self.copy(found, path or f"/usr/bin/{pathlib.Path(found).name}")

    def python(self, *modules):
        """The interpreter, and the modules of its own library that these
        need; it has no site (python3 -SI)."""
        names = (*modules, "encodings.idna", "encodings.latin_1")
        told = subprocess.run(
            [PYTHON, "-SIc", f"import sys, {', '.join(names)}\n"
             "for m in list(sys.modules.values()):\n"
             "    print(getattr(m, '__file__', None) or '')\n"],
            check=True, capture_output=True, text=True).stdout
        self.program(PYTHON)
        for path in filter(None, told.splitlines()):
            self.copy(path)
        # By this the interpreter knows its library.
        for path in re.findall(r"^.*/os\.py$", told, re.M):
            self.directory(pathlib.Path(path).parent / "lib-dynload")

    def modules(self, *names, load=True):
        """Of the kernel's: there, with those they need, and loaded, or left
        to whoever asks the kernel for them."""
        self.names += names if load else ()
        self.add_modules((*names, *CRYPTO))

    def add_modules(self, names):
        at = {path.stem.replace("-", "_"): path
              for path in ROOT.glob("lib/modules/*/kernel/**/*.ko")}
        for name in names:
            path = at.get(name.replace("-", "_"))
            if path is None:		# built in
                continue
            inside = "/" + str(path.relative_to(ROOT))
            if inside in self.entries:
                continue
            data = path.read_bytes()
            self.file(inside, data)
            needed = re.search(rb"\0depends=([^\0]*)", data)
            self.add_modules(filter(None, needed[1].decode().split(",")))

    def write(self, path):
        with open(path, "wb") as out:
            for number, (name, (mode, data)) in enumerate(
                    sorted(self.entries.items()), 1):
                out.write(cpio_entry(name, mode, data, number))
            out.write(cpio_entry("TRAILER!!!", 0))

    def run(self, command, work, memory_mib=512, more=(), timeout=200):
        """Boots, runs the command and waits for the end; `work` is a
        directory for what that needs."""
        work = pathlib.Path(work)
        kernel, = ROOT.glob("boot/vmlinuz-*")
        self.file("/command", command + "\n")
        self.file("/modules", "\n".join(self.names))
        for name in ("builtin", "order"):
            for path in ROOT.glob(f"lib/modules/*/modules.{name}"):
                self.file("/" + str(path.relative_to(ROOT)),
                          path.read_bytes())
        self.write(work / "initramfs")
        console, said = work / "console", work / "said"
        for path in (console, said):
            path.write_bytes(b"")
        words = [
            QEMU, "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-machine", "pc", "-m", str(memory_mib),
            *ACCELERATOR,
            "-kernel", kernel, "-initrd", work / "initramfs",
            "-append", "console=ttyS0 quiet panic=-1 mitigations=off",
            "-serial", f"file:{console}", "-serial", f"file:{said}", *more]
        try:
            complaint = subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, text=True, timeout=timeout).stderr
        except subprocess.TimeoutExpired:
            complaint = f"ended after {timeout} seconds"
        (work / "initramfs").unlink()
        output = said.read_bytes().decode(errors="replace").replace(
            "\r\n", "\n")
        end = re.search(r"\nguest status (\d+)\n", output)
        return Result(int(end[1]) if end else None,
                      output[:end.start()] if end else output,
                      console.read_bytes().decode(errors="replace") +
                      complaint)
