# SPDX-License-Identifier: Apache-2.0
"""What a job can and cannot do: S1–S10, S27 as seen from inside a real container."""
import os
import socket
import subprocess
import threading

import pytest

from server import wait_until


def inside(server, script, **fields):
    job = server.submit(["sh", "-c", script], **{"flavor": "small", **fields})
    shown = server.wait_job(job["id"])
    return "\n".join(server.log_lines(job["id"])), shown


def test_root_in_the_job_is_nobody_on_the_host(server):
    text, _ = inside(server, "cat /proc/self/uid_map /proc/self/gid_map; id -u")
    uid_map, gid_map, uid = text.splitlines()
    assert uid_map.split()[0] == "0" and int(uid_map.split()[1]) >= 1 << 30 and uid_map.split()[2] == "65536"
    assert gid_map.split() == uid_map.split() and uid == "0"


def test_two_jobs_never_share_ids(server):
    jobs = [server.submit(["sh", "-c", "cat /proc/self/uid_map; sleep 2"])["id"] for _ in range(2)]
    maps = []
    for job in jobs:
        server.wait_job(job)
        maps.append(int(server.log_lines(job)[0].split()[1]))
    assert abs(maps[0] - maps[1]) >= 65536


def test_descriptors_and_working_folder(server):
    text, _ = inside(server, "ls /proc/self/fd; pwd")
    words = text.split()
    assert [int(word) for word in words[:-1] if int(word) > 3] == [], words	# ls itself opens 3
    assert words[-1] == "/"


def test_capabilities_seccomp_and_no_new_privileges(server):
    text, _ = inside(server, "grep -E 'CapEff|CapBnd|Seccomp:|NoNewPrivs' /proc/self/status")
    facts = dict(line.split(":\t") for line in text.splitlines())
    for name in ("CapEff", "CapBnd"):
        bits = int(facts[name], 16)
        for number, capability in ((21, "SYS_ADMIN"), (12, "NET_ADMIN"), (13, "NET_RAW"), (16, "SYS_MODULE"), (19, "SYS_PTRACE")):
            assert not bits >> number & 1, capability
        assert bits & 1, "CHOWN is needed by package managers"
    assert facts["Seccomp"] == "2" and facts["NoNewPrivs"] == "1"


@pytest.mark.parametrize("script", [
    "mount -t tmpfs none /tmp", "unshare -r true", "mknod /tmp/d b 8 0 && cat /tmp/d", "echo c > /proc/sysrq-trigger",
    "echo x > /proc/sys/kernel/core_pattern", "ls /sys/firmware/* >/dev/null", "echo 1 > /sys/kernel/mm/ksm/run", "cat /proc/kcore",
    "dmesg", "hostname other", "chroot /proc/1/root /bin/true && ip link add d type dummy", "reboot -f",
])
def test_forbidden(server, script):
    _, shown = inside(server, script)
    assert shown["status"]["stage"] == "ERROR", script


def test_dev_is_fresh(server):
    text, _ = inside(server, "ls /dev; echo x > /dev/null; head -c 4 /dev/urandom | wc -c; grep ' /dev ' /proc/mounts; ls -ld /dev/shm")
    for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "shm"):
        assert name in text.split()
    assert "tmpfs /dev tmpfs" in text and "sda" not in text and "vda" not in text


def test_package_manager_work(python_server):
    """What apt-get does to files: owners, modes, set-uid, hard links."""
    text, shown = inside(python_server, "touch /usr/x && chown 33:33 /usr/x && chmod 4755 /usr/x && ln /usr/x /usr/y && stat -c '%u %g %a' /usr/y "
                         "&& rm -r /usr/share/python3 && mkdir /usr/share/python3 && ls -A /usr/share/python3 | wc -l", image="python:3.12")
    assert text.splitlines() == ["33 33 4755", "0"], shown


def test_the_image_is_not_changed_by_a_job(server):
    inside(server, "rm -rf /bin/ls; echo changed > /etc/passwd")
    text, _ = inside(server, "ls /bin/ls; head -1 /etc/passwd")
    assert text.splitlines() == ["/bin/ls", "root:x:0:0:root:/root:/bin/sh"]


def test_process_limit(make_server):
    server = make_server("[container]\npids_limit = 50\n")
    text, shown = inside(server, "i=0; while [ $i -lt 200 ]; do sleep 5 & i=$((i+1)); done; echo survived")
    assert "fork" in text or shown["status"]["stage"] == "ERROR"
    assert server.call("GET", "/healthz").status_code == 200


def test_cpu_limit(server):
    text, _ = inside(server, "cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null; nproc; "
                     "(timeout 2 sh -c 'while :; do :; done'); cat /proc/self/stat | cut -d' ' -f16,17")
    used = sum(int(word) for word in text.splitlines()[-1].split()) / os.sysconf("SC_CLK_TCK")
    assert used < 1.6, f"half a CPU for two seconds, used {used} s"


def test_storage_limit(server):
    _, shown = inside(server, "i=0; while [ $i -lt 40 ]; do head -c 50m /dev/zero > /big$i; i=$((i+1)); sleep 0.3; done; sleep 30")
    assert shown["status"]["stage"] == "ERROR" and "storage" in shown["status"]["message"], shown["status"]


def test_no_host_service_no_metadata_no_other_job(server):
    listener = socket.create_server(("0.0.0.0", 0))
    port = listener.getsockname()[1]
    threading.Thread(target=lambda: [listener.accept() for _ in range(3)], daemon=True).start()
    addresses = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    hosts = [a for a in addresses if ":" not in a]
    gateway = "$(ip route | sed -n 's/default via \\([0-9.]*\\).*/\\1/p')"
    for host in [*hosts, gateway, "169.254.169.254"]:
        wanted = 80 if host.startswith("169") else port
        text, _ = inside(server, f"nc -w 3 {host} {wanted} </dev/null && echo reached || echo blocked")
        assert text.splitlines()[-1] == "blocked", (host, text)
        own, _ = inside(server, f"nc -w 3 {host} {server.port} </dev/null && echo reached || echo blocked")
        assert own.splitlines()[-1] == "blocked", host
    listener.close()
    first = server.submit(["sh", "-c", "ip addr show eth0 | sed -n 's/.*inet \\([0-9.]*\\).*/\\1/p'; nc -l -p 9000 | head -1; sleep 1"],
                          flavor="small", timeoutSeconds=30)["id"]
    server.wait_job(first, ("RUNNING",))
    address = wait_until(lambda: server.log_lines_now(first), 10, "address")[0]
    text, _ = inside(server, f"nc -w 3 {address} 9000 </dev/null && echo reached || echo blocked")
    assert text.splitlines()[-1] == "blocked"
    server.call("POST", f"/api/jobs/alice/{first}/cancel")


def test_names_resolve_and_the_network_works(python_server):
    """Through whatever resolver the host has, to the package mirror that the host itself uses."""
    sites = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE)"], capture_output=True, text=True).stdout.split()
    plain = [site for site in sites if site.startswith("http://")]
    if not plain:
        pytest.skip("this machine's packages do not come by plain http")
    host = plain[0].split("/")[2]
    name, _, port = host.partition(":")
    code = f"import socket; print(len(socket.getaddrinfo('{name}', {port or 80})) > 0); " \
           f"s = socket.create_connection(('{name}', {port or 80}), 20); s.sendall(b'HEAD / HTTP/1.0\\r\\n\\r\\n'); print(s.recv(5))"
    job = python_server.submit(["python3", "-c", code], "python:3.12", flavor="small")["id"]
    python_server.wait_job(job)
    assert python_server.log_lines(job) == ["True", "b'HTTP/'"]


def test_host_name_and_hosts_file(server):
    text, _ = inside(server, "hostname; cat /etc/hosts")
    name = text.splitlines()[0]
    assert name and name in text.split("\n", 1)[1] and "127.0.0.1" in text


def test_a_memory_bomb_and_a_log_filler_leave_the_server_responsive(server):
    jobs = [server.submit(["sh", "-c", "yes | head -c 300m"], flavor="small")["id"],
            server.submit(["sh", "-c", "x=a; while :; do x=$x$x; done"])["id"]]
    for _ in range(20):
        assert server.call("GET", "/api/jobs/alice", timeout=5).status_code == 200
    for job in jobs:
        server.wait_job(job, seconds=120)
