# tests/e2e/test_watch_mutants.py: damaged captures end the sensor nowhere.
# SPDX-License-Identifier: Apache-2.0
"""The captures of tests/captures with bytes and packets flipped, cut, moved
and mixed.  Of whatever comes out, the sensor says what it can: exit status 0
or 1, JSON, no sanitizer's report, within two seconds and 200 MB.

A mutant is made from its number alone.  The test goes through the numbers
for PORTCULLIS_MUTANT_SECONDS (40); one number alone, with its capture kept:

    PORTCULLIS_MUTANT=1234 script/test mutants
"""

import atexit
import concurrent.futures
import functools
import itertools
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

from conftest import BUILD, ENVIRONMENT, SANITIZED

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from captures import rows  # noqa: E402

TOP = pathlib.Path(__file__).parents[2]
SECONDS = float(os.environ.get("PORTCULLIS_MUTANT_SECONDS", "40"))
ONLY = os.environ.get("PORTCULLIS_MUTANT")
CPU_SECONDS = 2
# A sanitizer keeps a shadow of the memory, and what was freed.
MEMORY_KIB = (800 if SANITIZED else 200) << 10
HEAD, RECORD = 24, 16
REPORTS = (b"AddressSanitizer", b"LeakSanitizer", b"runtime error:",
           b"Assertion")


class Capture:
    """A pcap file in pieces; another format is one piece."""

    def __init__(self, data):
        self.head, self.packets = data, []
        magic = data[:4]
        if magic in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"):
            self.order = "<"
        elif magic == b"\xa1\xb2\xc3\xd4":
            self.order = ">"
        else:
            return
        self.head, at = data[:HEAD], HEAD
        while at + RECORD <= len(data):
            length = struct.unpack_from(self.order + "I", data, at + 8)[0]
            self.packets.append(data[at:at + RECORD + length])
            at += RECORD + length

    def bytes(self):
        return self.head + b"".join(self.packets)


def flip(rng, data, first=0):
    """A few bytes become others: any, or ones that mean something."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        if len(data) <= first:
            break
        at = rng.randrange(first, len(data))
        data[at] = rng.choice((
            rng.randrange(256), data[at] ^ 1 << rng.randrange(8),
            *b"\x00\xff\r\n ,|0\x7f\x80"))
    return bytes(data)


def cut(rng, packet, order):
    """What was captured gets shorter, and its record may say so or not."""
    keep = rng.randrange(RECORD, len(packet) + 1)
    packet = bytearray(packet[:keep])
    if rng.random() < 0.8:
        struct.pack_into(order + "I", packet, 8, keep - RECORD)
    return bytes(packet)


def shift_time(rng, packet, order):
    seconds, fraction = struct.unpack_from(order + "II", packet)
    seconds = rng.choice((seconds + rng.randrange(-90, 90), 0, 2**32 - 1))
    fraction = rng.choice((fraction, rng.randrange(2**32)))
    return struct.pack(order + "II", seconds % 2**32, fraction) + packet[8:]


def insert_bytes(rng, packet, order):
    at = rng.randrange(RECORD, len(packet) + 1)
    more = rng.choice((b"PORT 203,0,113,99,0,22\r\n", b"\r\n", b"\xff\xfb\x01",
                       b"227 Entering Passive Mode (10,0,0,1,0,22)\r\n",
                       bytes(rng.randrange(1, 40)), b"0" * 1500))
    packet = bytearray(packet[:at] + more + packet[at:])
    struct.pack_into(order + "II", packet, 8, *[len(packet) - RECORD] * 2)
    return bytes(packet)


def change_packets(rng, c, others):
    """One step on the list of packets."""
    p = c.packets
    i, j = rng.randrange(len(p)), rng.randrange(len(p))
    step = rng.randrange(10)
    if step <= 2:
        p[i] = flip(rng, p[i], rng.choice((RECORD, RECORD, RECORD + 14,
                                           RECORD + 34, RECORD + 54, 0)))
    elif step == 3:
        p[i] = cut(rng, p[i], c.order)
    elif step == 4:
        p[i] = shift_time(rng, p[i], c.order)
    elif step == 5:
        p[i] = insert_bytes(rng, p[i], c.order)
    elif step == 6:
        p[i:i] = p[j:j + rng.randrange(1, 9)]
    elif step == 7 and len(p) > 1:
        del p[i:i + rng.randrange(1, 4)]
    elif step == 8:
        p[i], p[j] = p[j], p[i]
    else:
        other = Capture(rng.choice(others))
        if other.packets and other.order == c.order:
            k = rng.randrange(len(other.packets))
            p[i:i] = other.packets[k:k + rng.randrange(1, 20)]


def mutant(number, originals):
    rng = random.Random(number)
    c = Capture(rng.choice(originals))
    for _ in range(rng.choice((1, 2, 3, 5, 8, 20))):
        if c.packets:
            change_packets(rng, c, originals)
    data = c.bytes()
    if rng.random() < 0.1 or not c.packets:
        data = flip(rng, data)
    if rng.random() < 0.05:
        data = data[:rng.randrange(len(data))]
    return data


@functools.cache
def peak():
    """bench/peak.c: measured from here, a child has our own peak of memory."""
    program = pathlib.Path(tempfile.mkdtemp(prefix="peak-")) / "peak"
    atexit.register(shutil.rmtree, program.parent, True)
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-D_GNU_SOURCE", "-o",
                    program, TOP / "bench/peak.c"], check=True)
    return str(program)


def run(path):
    """Exit status, output, complaints, CPU seconds, KiB."""
    with open(f"{path}.out", "w+b") as out, open(f"{path}.err", "w+b") as err:
        # A loop has an end.
        child = subprocess.run(
            ["prlimit", f"--cpu={5 * CPU_SECONDS}", peak(), f"{path}.took",
             str(BUILD / "portcullis"), "watch", "--json", "-r", path],
            stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            env=ENVIRONMENT)
        out.seek(0)
        err.seek(0)
        took = pathlib.Path(f"{path}.took").read_text().split()
        return (child.returncode, out.read(), err.read(),
                float(took[1]) + float(took[2]), int(took[3]))


def without_doubles(pairs):
    """JSON may have a key twice; then readers differ on which one counts."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError(f"a key twice: {[key for key, _ in pairs]}")
    return dict(pairs)


def trouble(status, out, err, seconds, kib):
    """What is wrong with a run, or None."""
    if status not in (0, 1):
        return f"exit status {status}"
    if any(report in err for report in REPORTS):
        return "a sanitizer's report"
    if seconds > CPU_SECONDS:
        return f"{seconds:.1f} s of CPU"
    if kib > MEMORY_KIB:
        return f"{kib} KiB"
    try:
        last = [json.loads(line, object_pairs_hook=without_doubles)
                for line in out.decode().splitlines()][-1]
    except (ValueError, IndexError) as error:
        return f"not JSON lines: {error!r}"
    if last["event_type"] != "stats":
        return "the last line is not stats"
    return None


def check(number, originals, directory):
    path = directory / f"{number}.pcap"
    path.write_bytes(mutant(number, originals))
    result = run(path)
    wrong = trouble(*result)
    if wrong is None and ONLY is None:
        for name in (path, f"{path}.out", f"{path}.err", f"{path}.took"):
            os.unlink(name)
    return wrong and f"mutant {number}: {wrong} ({path})\n" + \
        result[2].decode(errors="replace")[:2000]


def test_mutants_of_all_captures_end_the_sensor_nowhere(tmp_path):
    originals = [c.make() for c in rows.CAPTURES if not c.slow]
    if ONLY is not None:
        wrong = check(int(ONLY), originals, tmp_path)
        assert wrong is None, wrong
        return
    end = time.monotonic() + SECONDS
    numbers = itertools.count(int(os.environ.get("PORTCULLIS_MUTANT_FROM",
                                                 "0")))
    done, wrong = 0, []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        while time.monotonic() < end and len(wrong) < 5:
            results = list(pool.map(
                lambda n: check(n, originals, tmp_path),
                itertools.islice(numbers, 64)))
            done += len(results)
            wrong += filter(None, results)
    assert not wrong, "\n".join(wrong)
    assert done > 0
    print(f"{done} mutants")
