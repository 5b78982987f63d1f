# tests/e2e/test_smoke.py: the shortest way through everything.
# SPDX-License-Identifier: Apache-2.0

from conftest import needs_root, steady_bytes


def test_a_file_is_downloaded_passive_and_active(server):
    with server.login() as c:
        assert c.cmd("TYPE I").code == 200
        assert c.fetch("RETR pub/small.nc") == steady_bytes(1024)
        listener = c.active()
        c.send("RETR pub/big.grib2\r\n")
        data, _ = listener.accept()
        body = b"".join(iter(lambda: data.recv(1 << 16), b""))
        assert body == steady_bytes(5_000_001, 2)
        assert c.read().code == 150
        assert c.read().code == 226


@needs_root
def test_hosts_reach_each_other(net, serve):
    net.count("victim")
    server = serve(host=net.V4["server"], prefix=net.inside("server"),
                   port=21)
    with net.on("client"):
        control = server.login()
    with control, net.on("client"):
        assert control.fetch("RETR pub/README") == b"One line.\nAnother.\n"
    assert net.packets("victim") == 0


def test_d16_wildcards_choose_names_in_the_last_component(server):
    with server.login() as c:
        assert c.fetch("NLST pub/*.nc").decode().split("\r\n")[:-1] == [
            "pub/a name with blanks.nc", "pub/link.nc", "pub/small.nc",
            "pub/été.nc"]
        lines = c.fetch("LIST -la pub/data/202?").decode()
        assert lines.count("\r\n") == 1 and lines.startswith("d")
        assert c.fetch("NLST pub/*.none") == b""
        with c.data():
            assert c.cmd("NLST nowhere/*").code == 550
        with c.data():
            assert c.cmd("MLSD pub/*").code == 550
