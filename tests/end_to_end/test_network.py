# SPDX-License-Identifier: Apache-2.0
"""The jobs' network from inside of a job's namespace: what gets out, and all that must not.

    outside ---- host ---- bridge ---- jobs        three kinds of network namespaces; "host" runs no
    192.0.2.2    192.0.2.1   10.219.0.1            program of ours but the set-up and the relay
"""
import os
import subprocess
import textwrap

import pytest

from server import BUILD, wait_until

ALONE = BUILD / "tests/tools/network_alone"
PYTHON = "/usr/bin/python3"
OUTSIDE, HOST = "192.0.2.2", "192.0.2.1"

# Servers, started inside of a namespace: "tcp ADDRESS PORT" answers with the peer's address,
# "dns ADDRESS NAME" answers every query with its own NAME, over UDP and TCP.
SERVERS = textwrap.dedent('''
    import socket, struct, sys, threading
    def tcp(address, port):
        s = socket.create_server((address, int(port)), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        while True:
            c, peer = s.accept()
            c.sendall(peer[0].encode())
            c.close()
    def answer(query, name):
        return query[:2] + b"\\x81\\x80" + query[4:12] + query[12:] + name.encode()
    def dns_udp(address, name):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((address, 53))
        while True:
            query, peer = s.recvfrom(2000)
            if name != "silent":
                s.sendto(answer(query, name), peer)
    def dns_tcp(address, name):
        s = socket.create_server((address, 53))
        while True:
            c, _ = s.accept()
            head = c.recv(2)
            query = c.recv(struct.unpack("!H", head)[0]) if len(head) == 2 else b"\\0" * 12
            reply = answer(query, name)
            c.sendall(struct.pack("!H", len(reply)) + reply)
            c.close()
    for spec in sys.argv[1:]:
        kind, *rest = spec.split()
        for run in dict(tcp=[tcp], dns=[dns_udp, dns_tcp])[kind]:
            threading.Thread(target=run, args=rest, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
''')

# What the programs in jobs use. Each prints one word or line.
CLIENT = textwrap.dedent('''
    import os, socket, struct, subprocess, sys, time
    def connect(address, port, wait=1.5):
        try:
            with socket.create_connection((address, port), wait) as s:
                return s.recv(100).decode()
        except OSError as e:
            return "blocked"
    def ask_udp(server, wait=5, payload=b"query"):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(wait)
        query = os.urandom(2) + b"\\1\\0" + b"\\0" * 8 + payload
        s.sendto(query, (server, 53))
        try:
            reply = s.recv(10000)
        except socket.timeout:
            return "silence"
        return reply[12 + len(payload):].decode() if reply[:2] == query[:2] else "wrong id"
    def ask_tcp(server, payload=b"query"):
        with socket.create_connection((server, 53), 3) as s:
            query = b"ab" + b"\\1\\0" + b"\\0" * 8 + payload
            s.sendall(struct.pack("!H", len(query)) + query)
            reply = b""
            while True:
                piece = s.recv(65536)
                if not piece:
                    return reply[2 + 12 + len(payload):].decode()
                reply += piece
''')


class Net:
    def __init__(self, folder):
        self.folder = folder
        self.id = f"{os.getpid()}"
        self.host, self.outside = f"hth{self.id}", f"hto{self.id}"
        self.servers = []
        for name in (self.host, self.outside):
            self.sh(f"ip netns add {name} && ip -n {name} link set lo up")
        self.sh(f"ip -n {self.host} link add up0 type veth peer name up1 netns {self.outside}")
        self.sh(f"ip -n {self.host} addr add {HOST}/24 dev up0; ip -n {self.host} link set up0 up")
        self.sh(f"ip -n {self.outside} addr add {OUTSIDE}/24 dev up1; ip -n {self.outside} link set up1 up")
        # No way back to the jobs' addresses: only translated packets get an answer.
        self.sh(f"ip -n {self.host} route add default via {OUTSIDE}")
        for address in ("169.254.169.254", "198.51.100.7", "203.0.113.9"):
            self.sh(f"ip -n {self.outside} addr add {address}/32 dev lo")
        self.config = folder / "hearth.conf"
        self.configure()

    def sh(self, command):
        subprocess.run(command, shell=True, check=True)

    def configure(self, **settings):
        values = dict(bridge="hearthtest", subnet="10.219.0.0/16", deny="203.0.113.0/24", **settings)
        self.config.write_text("[network]\n" + "".join(f"{k} = {v}\n" for k, v in values.items()))

    def alone(self, *args, **kwargs):
        return subprocess.run(["ip", "netns", "exec", self.host, ALONE, *map(str, args)], text=True, **kwargs)

    def setup(self):
        self.alone("setup", self.config, check=True)

    def serve(self, where, *specs):
        p = subprocess.Popen(["ip", "netns", "exec", where, PYTHON, "-c", SERVERS, *specs], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
        assert p.stdout.readline() == "ready\n"
        self.servers.append(p)

    def start(self, slot, code, resolv="nameserver 192.0.2.2\n"):
        path = self.folder / f"resolv.{slot}"
        path.write_text(resolv)
        return subprocess.Popen(["ip", "netns", "exec", self.host, ALONE, "job", self.config, str(slot), path, PYTHON, "-c",
                                 CLIENT + textwrap.dedent(code)], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)

    def job(self, code, slot=0, resolv="nameserver 192.0.2.2\n"):
        p = self.start(slot, code, resolv)
        text, _ = p.communicate(timeout=60)
        assert p.returncode == 0, text
        return text.splitlines()

    def close(self):
        for p in self.servers:
            p.stdin.close()
            p.stdout.close()
            p.wait(10)
        self.alone("teardown", self.config)
        left = self.alone_output("nft", "list", "tables") + self.alone_output("ip", "-o", "link")
        for name in (self.host, self.outside):
            self.sh(f"ip netns del {name}")
        assert "hearthtest" not in left

    def alone_output(self, *command):
        return subprocess.run(["ip", "netns", "exec", self.host, *command], text=True, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def net(root, tmp_path_factory):
    n = Net(tmp_path_factory.mktemp("network"))
    n.setup()
    n.serve(n.outside, f"tcp {OUTSIDE} 80", "tcp 169.254.169.254 80", "tcp 198.51.100.7 80", "tcp 203.0.113.9 80",
            f"dns {OUTSIDE} outside")
    n.serve(n.host, "tcp 0.0.0.0 9999", "tcp ::1 9998", "dns 127.0.0.53 loopback", "dns 127.0.0.54 silent")
    yield n
    n.close()


def test_links_and_addresses(net):
    lines = net.job("print(subprocess.run('ip -o addr; ip route', shell=True, capture_output=True, text=True).stdout)")
    text = "\n".join(lines)
    assert "eth0    inet 10.219.0.2/16" in text and "default via 10.219.0.1 dev eth0" in text
    assert "lo    inet 127.0.0.1/8" in text
    assert [line for line in lines if "inet6" in line and "::1/128" not in line] == []


def test_outbound_is_translated(net):
    assert net.job(f"print(connect('{OUTSIDE}', 80)); print(connect('198.51.100.7', 80))")[-2:] == [HOST, HOST]


def test_no_host_services(net):
    code = f"""
    for address in ('10.219.0.1', '{HOST}', '127.0.0.1', '127.0.0.53', '255.255.255.255', '10.219.255.255', '224.0.0.1'):
        print(connect(address, 9999, 1))
    """
    assert net.job(code)[-7:] == ["blocked"] * 7


def test_no_published_ports_of_other_containers(net):
    """A port of the host that is translated to somewhere else is still a port of the host."""
    net.alone_output("nft", "add table ip other; add chain ip other pre { type nat hook prerouting priority dstnat; }; "
                            f"add rule ip other pre ip daddr {HOST} tcp dport 8080 dnat to 198.51.100.7:80")
    try:
        assert net.job(f"print(connect('{HOST}', 8080))")[-1] == "blocked"
    finally:
        net.alone_output("nft", "delete table ip other")


def test_no_metadata_no_denied_networks(net):
    assert net.job("print(connect('169.254.169.254', 80)); print(connect('203.0.113.9', 80))")[-2:] == ["blocked"] * 2


def test_no_ipv6(net):
    code = """
    subprocess.run('ip -6 addr add fd00::2/64 dev eth0; ip -6 route add default dev eth0', shell=True)
    print(connect('fd00::1', 9998, 1))
    links = subprocess.run('ip -6 -o addr show dev eth0', shell=True, capture_output=True, text=True).stdout
    print('fe80' in links)
    """
    assert net.job(code)[-2:] == ["blocked", "False"]
    assert "inet6" not in net.alone_output("ip", "-o", "addr", "show", "dev", "hearthtest")


def test_jobs_do_not_see_each_other(net):
    first = net.start(1, """
    s = socket.create_server(('0.0.0.0', 7000))
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('0.0.0.0', 7000))
    print('listening', flush=True)
    sys.stdin.read()
    s.settimeout(0); u.settimeout(0)
    for x in (s.accept, lambda: u.recv(10)):
        try:
            print('reached', x())
        except OSError:
            print('nothing')
    """)
    while first.stdout.readline() != "listening\n":
        pass
    code = """
    own = connect('10.219.0.3', 7000)
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('10.219.0.3', 7000))
    # With the neighbour known and by way of the gateway, too: more than a job may do.
    subprocess.run('ip neigh replace 10.219.0.3 lladdr 02:48:0a:db:00:03 dev eth0', shell=True, check=True)
    direct = connect('10.219.0.3', 7000)
    subprocess.run('ip route add 10.219.0.3/32 via 10.219.0.1', shell=True, check=True)
    print(own, direct, connect('10.219.0.3', 7000))
    """
    assert net.job(code, slot=2)[-1] == "blocked blocked blocked"
    text, _ = first.communicate()
    assert text.splitlines()[-2:] == ["nothing", "nothing"]


@pytest.mark.parametrize("change", [
    "ip addr add 10.219.0.77/16 dev eth0; ip route replace default via 10.219.0.1 src 10.219.0.77",
    "ip addr add 192.0.2.55/32 dev eth0; ip route replace default via 10.219.0.1 src 192.0.2.55",
    "ip link set eth0 address 02:48:0a:db:00:4d",
])
def test_foreign_addresses_get_nowhere(net, change):
    """Even somebody with rights in the namespace cannot take another address."""
    code = f"""
    before = connect('{OUTSIDE}', 80)
    subprocess.run('{change}', shell=True, check=True)
    print(before, connect('{OUTSIDE}', 80))
    """
    assert net.job(code)[-1] == f"{HOST} blocked"


def test_servers_are_passed_on(net):
    lines = net.job(f"print(ask_udp('{OUTSIDE}'), ask_tcp('{OUTSIDE}'))", resolv=f"search example.org\nnameserver {OUTSIDE}\n")
    assert lines == [f"# nameserver {OUTSIDE}", "# search example.org", "outside outside"]


@pytest.mark.parametrize("server", ["127.0.0.53", "::1", "169.254.169.254", HOST, "203.0.113.9", "fe80::1%up0"])
def test_unreachable_servers_are_relayed(net, server):
    assert net.job("", resolv=f"nameserver {server}\noptions ndots:2\n") == ["# nameserver 127.0.0.11", "# options ndots:2"]


def test_relay(net):
    lines = net.job("print(ask_udp('127.0.0.11'), ask_tcp('127.0.0.11'), ask_udp('127.0.0.11'))", resolv="nameserver 127.0.0.53\n")
    assert lines == ["# nameserver 127.0.0.11", "loopback loopback loopback"]


def test_relay_goes_on_to_the_next_server(net):
    resolv = "nameserver 127.0.0.54\nnameserver 127.0.0.55\nnameserver 127.0.0.53\n"
    assert net.job("print(ask_udp('127.0.0.11', 8))", resolv=resolv)[-1] == "loopback"


def test_relay_survives_nonsense(net):
    code = """
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(300):
        s.sendto(os.urandom(i * 7), ('127.0.0.11', 53))
    # More connections than are served, none of which says anything.
    idle = [socket.create_connection(('127.0.0.11', 53)) for i in range(40)]
    for c in idle:
        c.close()
    time.sleep(0.2)
    print(ask_udp('127.0.0.11'), ask_tcp('127.0.0.11'))
    """
    assert net.job(code, resolv="nameserver 127.0.0.53\n")[-1] == "loopback loopback"


def test_configured_servers(net):
    net.configure(dns=f"{OUTSIDE}, 198.51.100.7")
    try:
        assert net.job("", resolv="nameserver 1.1.1.1\n") == [f"# nameserver {OUTSIDE}", "# nameserver 198.51.100.7"]
    finally:
        net.configure()


def test_set_up_again_keeps_jobs_connected(net):
    job = net.start(3, f"""
    print(connect('{OUTSIDE}', 80), flush=True)
    sys.stdin.readline()
    print(connect('{OUTSIDE}', 80), flush=True)
    """)
    while job.stdout.readline() != f"{HOST}\n":
        pass
    net.setup()
    text, _ = job.communicate("\n")
    assert text.strip() == HOST


def test_slot_is_free_again_at_once(net):
    for i in range(5):
        assert net.job(f"print(connect('{OUTSIDE}', 80))", slot=4)[-1] == HOST


def test_links_vanish(net):
    wait_until(lambda: "h0x" not in net.alone_output("ip", "-o", "link"), 10, "no links of ended jobs")


def test_slot_out_of_range(net):
    assert net.alone("job", net.config, 9000, "/dev/null", "true", stderr=subprocess.PIPE).returncode == 2


@pytest.mark.parametrize("key,value", [("subnet", "10.0.0.1/8"), ("subnet", "x"), ("subnet", "10.0.0.0/30"), ("bridge", "a b"),
                                       ("deny", "10.0.0.0/33"), ("bridge", "sixteen-letters1")])
def test_bad_settings_name_the_field(net, key, value, tmp_path):
    config = tmp_path / "bad.conf"
    config.write_text(f"[network]\n{key} = {value}\n")
    p = net.alone("setup", config, stderr=subprocess.PIPE)
    assert p.returncode == 2 and key in p.stderr
