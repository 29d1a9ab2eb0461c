# SPDX-License-Identifier: Apache-2.0
"""hearth-pull against registries: Debian's docker-registry, and one that misbehaves on request."""
import base64
import gzip
import json
import os
import pathlib
import random
import shutil
import ssl
import subprocess
import tempfile
import threading
import time

import pytest

from faulty_registry import FaultyRegistry
from oci import Image, Index, Layer, file, folder, push, static_image, symlink, whiteout
from puller import ImageStore, PullError

BASE = Layer([folder("etc"), file("etc/motd", b"hello\n"), folder("bin"), symlink("sh", "bin/busybox")])
MIDDLE = Layer([whiteout("etc/motd"), file("etc/issue", b"middle\n")], "zstd")
TOP = Layer([file("plain", b"not compressed\n")], "none")
IMAGE = Image([BASE, MIDDLE, TOP], config={"Env": ["A=b"], "Cmd": ["/bin/sh"], "Entrypoint": None, "WorkingDir": "/etc", "User": "1000",
                                           "Volumes": {"/data": {}}})


def big_layer(megabytes, seed=1):
    return Layer([file("big", random.Random(seed).randbytes(megabytes << 20))], "none")


@pytest.fixture
def faulty():
    registry = FaultyRegistry()
    registry.add("library/x", "1", IMAGE)
    yield registry
    registry.stop()


@pytest.fixture
def make_store(root):
    stores = []

    def make(*hosts, more=""):
        stores.append(ImageStore("\n".join(f"[registry {host}]\nplain_http = yes\n" for host in hosts) + more))
        return stores[-1]
    yield make
    for store in stores:
        store.destroy()


@pytest.fixture
def store(make_store, faulty):
    return make_store(faulty.host)


def refused(store, reference, code, *words, **more):
    with pytest.raises(PullError) as caught:
        store.pull(reference, **more)
    assert caught.value.code == code, caught.value
    for word in words:
        assert word in caught.value.text, caught.value
    return caught.value.text


# -- a real registry ------------------------------------------------------------------------------------

@pytest.mark.parametrize("docker", [False, True])
def test_pull_from_docker_registry(registry, make_store, docker):
    store = make_store(registry.host)
    image = Image([BASE, MIDDLE, TOP], config={"Env": ["A=b"], "Labels": {"x": "y"}}, docker=docker)
    push(image, "http://" + registry.host, "team/app", f"v{docker}")
    record = store.pull(f"{registry.host}/team/app:v{docker}")
    assert record == store.record(f"{registry.host}/team/app:v{docker}")
    assert record["digest"] == image.digest and record["architecture"] == "amd64" and record["local"] is False
    assert record["layers"] == [layer.diff_id[7:] for layer in image.layers]
    assert record["config"] == {"Env": ["A=b"], "Labels": {"x": "y"}}
    assert (store.layer(BASE.diff_id) / "etc/motd").read_text() == "hello\n"
    assert (store.layer(TOP.diff_id) / "plain").read_text() == "not compressed\n"
    assert (store.images / "used" / image.digest[7:]).exists()
    store.assert_clean(image.layers)
    by_digest = store.pull(f"{registry.host}/team/app@{image.digest}")
    assert by_digest["layers"] == record["layers"] and by_digest["reference"].endswith(image.digest)


def test_scratch_image_with_a_static_binary(registry, make_store):
    store = make_store(registry.host)
    image = static_image()
    push(image, "http://" + registry.host, "scratch")
    record = store.pull(f"{registry.host}/scratch")
    assert record["reference"] == f"{registry.host}/scratch:latest" and record["config"]["Entrypoint"] == ["/hello"]
    assert subprocess.run([store.layer(image.layers[0].diff_id) / "hello"], capture_output=True, text=True).stdout == "Hello from scratch\n"


@pytest.mark.parametrize("docker", [False, True])
def test_index_picks_the_platform(registry, make_store, docker):
    store = make_store(registry.host)
    images = [Image([Layer([file("arch", name.encode())])], architecture=name, docker=docker) for name in ("arm64", "amd64", "s390x")]
    index = Index(images, docker=docker, platforms={2: {"os": "unknown", "architecture": "unknown"}})
    push(index, "http://" + registry.host, f"multi{docker}".lower(), "1")
    reference = f"{registry.host}/multi{docker}:1".lower()
    record = store.pull(reference)
    assert record["digest"] == index.digest and record["manifest"] == images[1].digest
    assert (store.images / "layers" / record["layers"][0] / "arch").read_text() == "amd64"
    assert store.pull(reference, architecture="arm64")["manifest"] == images[0].digest
    refused(store, reference, "not found", "no variant for linux/riscv64", "linux/arm64, linux/amd64", architecture="riscv64")


def test_image_of_another_machine(faulty, store):
    faulty.add("arm", "1", Image([BASE], architecture="arm64"))
    refused(store, f"{faulty.host}/arm:1", "invalid", "linux/arm64", "linux/amd64")


def test_second_pull_costs_one_head(faulty, store):
    store.pull(f"{faulty.host}/library/x:1")
    faulty.requests.clear()
    before = store.record(f"{faulty.host}/library/x:1")["pulled_ms"]
    assert store.pull(f"{faulty.host}/library/x:1")["pulled_ms"] >= before
    assert [request[0] for request in faulty.requests] == ["HEAD"]


def test_head_is_only_a_short_cut(faulty, store):
    store.pull(f"{faulty.host}/library/x:1")
    faulty.fault = lambda request: request.command == "HEAD" and (request.error(405, "UNSUPPORTED", "no HEAD") or True)
    assert store.pull(f"{faulty.host}/library/x:1")["digest"] == IMAGE.digest
    faulty.stop()
    start = time.monotonic()
    refused(store, f"{faulty.host}/library/x:1", "unavailable", "cannot be reached")
    assert time.monotonic() - start < 2  # whoever has the image already is not kept waiting


def test_layers_are_shared_and_a_moved_tag_keeps_the_old_image(faulty, store):
    store.pull(f"{faulty.host}/library/x:1")
    new = Image([BASE, Layer([file("new")])])
    faulty.add("library/x", "1", new)
    faulty.requests.clear()
    record = store.pull(f"{faulty.host}/library/x:1")
    assert record["digest"] == new.digest and faulty.count(BASE.digest) == 0
    old = store.record(f"{faulty.host}/library/x@{IMAGE.digest}")
    assert old["layers"] == [layer.diff_id[7:] for layer in IMAGE.layers]


def test_repeated_and_empty_layers(faulty, store):
    empty = Layer([])
    faulty.add("library/x", "1", Image([empty, BASE, empty, TOP, BASE]))
    record = store.pull(f"{faulty.host}/library/x:1")
    assert record["layers"] == [empty.diff_id[7:], TOP.diff_id[7:], BASE.diff_id[7:]]  # overlayfs takes each once


def test_concurrent_pulls_fetch_each_layer_once(faulty, store):
    layers = [big_layer(2, seed) for seed in range(4)]
    faulty.add("a", "1", Image(layers))
    faulty.add("b", "1", Image(list(reversed(layers)) + [TOP]))

    def slowly(request):
        if "/blobs/" in request.path:
            time.sleep(0.3)
    faulty.fault = slowly
    pulls = [store.start("pull", reference=f"{faulty.host}/{name}:1", architecture="amd64") for name in "abab"]
    records = [pull.wait() for pull in pulls]
    assert all(faulty.count(layer.digest) == 1 for layer in layers)
    assert records[0]["layers"] == records[2]["layers"] and len(records[1]["layers"]) == 5
    store.assert_clean(layers + [TOP])


def test_progress(faulty, store):
    image = Image([big_layer(4, seed) for seed in range(3)])
    faulty.add("library/x", "1", image)
    faulty.fault = lambda request: "/blobs/" in request.path and time.sleep(0.3)
    pull = store.start("pull", reference=f"{faulty.host}/library/x:1", architecture="amd64")
    pull.wait()
    assert 2 <= len(pull.progress) <= 30
    for one, two in zip(pull.progress, pull.progress[1:]):
        assert one["bytes_done"] <= two["bytes_done"] <= two["bytes"] and one["layers_done"] <= two["layers_done"]
    assert pull.progress[-1]["layers"] == 3 and pull.progress[0]["bytes"] == sum(len(layer.blob) for layer in image.layers)


def test_closing_the_pair_cancels(faulty, store):
    release = threading.Event()
    faulty.fault = lambda request: "/blobs/" in request.path and BASE.digest in request.path and release.wait(20) and False
    pull = store.start("pull", reference=f"{faulty.host}/library/x:1", architecture="amd64")
    time.sleep(0.7)
    start = time.monotonic()
    pull.cancel()
    release.set()
    assert time.monotonic() - start < 5
    assert store.record(f"{faulty.host}/library/x:1") is None
    assert store.pull(f"{faulty.host}/library/x:1")


def test_killed_pull_leaves_nothing_that_matters(faulty, store):
    release = threading.Event()
    faulty.fault = lambda request: TOP.digest in request.path and release.wait(20) and False
    pull = store.start("pull", reference=f"{faulty.host}/library/x:1", architecture="amd64")
    time.sleep(0.7)
    pull.kill()
    release.set()
    assert store.layer(TOP.diff_id) is None
    faulty.fault = None
    store.pull(f"{faulty.host}/library/x:1")
    store.assert_clean(IMAGE.layers)


def test_killed_at_random_moments(faulty, store):
    layers = [Layer([file(f"d{i}/f{j}", os.urandom(3000)) for j in range(40)]) for i in range(6)]
    faulty.add("library/x", "1", Image(layers))
    for number in range(12):
        pull = store.start("pull", reference=f"{faulty.host}/library/x:1", architecture="amd64")
        time.sleep(random.uniform(0.02, 0.4))
        pull.kill()
        for path in (store.images / "layers").glob("*.json") if (store.images / "layers").exists() else ():
            assert sum(len(files) for _, _, files in os.walk(path.with_suffix(""))) == 40  # what exists is whole
        if number % 4 == 3 and store.record(f"{faulty.host}/library/x:1"):
            store.start("remove", reference=f"{faulty.host}/library/x:1").wait()
    store.pull(f"{faulty.host}/library/x:1")
    store.assert_clean(layers)


def test_who_speaks_to_the_registry_is_not_root(faulty, store):
    seen = []

    def look(request):
        theirs, ours = f":{request.client_address[1]:04X}", f":{request.server.server_address[1]:04X}"
        for line in open("/proc/net/tcp"):
            words = line.split()
            if words[1].endswith(theirs) and words[2].endswith(ours):
                seen.append(int(words[7]))
    faulty.fault = look
    store.pull(f"{faulty.host}/library/x:1")
    assert len(seen) >= 4 and 0 not in seen


# -- credentials ----------------------------------------------------------------------------------------

def with_credentials(store, host, **entry):
    path = store.state / "docker.json"
    path.write_text(json.dumps({"auths": {host: entry}}))
    path.chmod(0o600)
    store.configure(f"[registry {host}]\nplain_http = yes\n[images]\ndocker_config = {path}\n")


ALICE = base64.b64encode(b"alice:s3cret").decode()


def test_anonymous_token(faulty, store):
    faulty.bearer = "let.me-in"
    assert store.pull(f"{faulty.host}/library/x:1")["digest"] == IMAGE.digest
    assert faulty.count("/token?service=test&scope=repository%3Alibrary%2Fx%3Apull") == 1  # one token for all processes


@pytest.mark.parametrize("bearer", [None, "token-1"])
def test_credentials(faulty, store, bearer):
    faulty.credentials, faulty.bearer = ("alice", "s3cret"), bearer
    text = refused(store, f"{faulty.host}/library/x:1", "forbidden", "Image not allowed", "the registry said:")
    assert "images.docker_config" in text
    with_credentials(store, faulty.host, auth=ALICE)
    pull = store.start("pull", reference=f"{faulty.host}/library/x:1", architecture="amd64")
    assert pull.wait()["digest"] == IMAGE.digest
    assert b"s3cret" not in pull.log
    with_credentials(store, faulty.host, username="alice", password="wrong")
    refused(store, f"{faulty.host}/library/x:1", "forbidden", "give no right")


def test_identity_token(faulty, store):
    faulty.bearer = "token-2"
    forms = []

    def token(request):
        if request.path == "/token" and request.command == "POST":
            forms.append(request.form)
            request.answer(200, b'{"access_token":"token-2"}')
            return True
    faulty.fault = token
    with_credentials(store, faulty.host, auth=base64.b64encode(b"<token>:").decode(), identitytoken="refresh-me")
    store.pull(f"{faulty.host}/library/x:1")
    assert "grant_type=refresh_token" in forms[0] and "refresh_token=refresh-me" in forms[0]


def test_credential_helper_is_named(faulty, store):
    faulty.credentials = ("alice", "s3cret")
    path = store.state / "docker.json"
    path.write_text(json.dumps({"auths": {faulty.host: {}}, "credsStore": "desktop"}))
    store.configure(f"[registry {faulty.host}]\nplain_http = yes\n[images]\ndocker_config = {path}\n")
    refused(store, f"{faulty.host}/library/x:1", "forbidden", "helper")


def test_credentials_do_not_follow_a_redirect(faulty, make_store):
    other = FaultyRegistry("localhost")
    other.add("library/x", "1", IMAGE)
    store = make_store(faulty.host, other.host)
    faulty.credentials = ("alice", "s3cret")
    with_credentials(store, faulty.host, auth=ALICE)
    store.configure(store.config.read_text().split("\n", 3)[3] + f"\n[registry {other.host}]\nplain_http = yes\n")

    def away(request):
        if "/blobs/" in request.path:
            request.answer(307, Location=other.url + request.path)
            return True
    faulty.fault = away
    assert store.pull(f"{faulty.host}/library/x:1")["digest"] == IMAGE.digest
    assert len(other.requests) == 4 and all(authorization is None for _, _, authorization in other.requests)
    assert all(authorization for _, path, authorization in faulty.requests if "/blobs/" in path)
    other.stop()


def test_foreign_realm_gets_no_credentials(faulty, make_store):
    other = FaultyRegistry("localhost")
    store = make_store(faulty.host)
    faulty.bearer, faulty.credentials, faulty.realm = "t", ("alice", "s3cret"), other.url + "/token"
    with_credentials(store, faulty.host, auth=ALICE)
    refused(store, f"{faulty.host}/library/x:1", "forbidden", "without TLS; refused")
    assert other.requests == []
    other.stop()


def test_endless_401(faulty, store):
    with_credentials(store, faulty.host, auth=ALICE)
    faulty.fault = lambda request: request.error(401, "UNAUTHORIZED", "no", WWW_Authenticate="Basic realm=x") or True
    refused(store, f"{faulty.host}/library/x:1", "forbidden", "the registry said: no")
    assert len(faulty.requests) == 2


def test_unknown_login(faulty, store):
    faulty.fault = lambda request: request.error(401, "UNAUTHORIZED", "no", WWW_Authenticate="Negotiate") or True
    refused(store, f"{faulty.host}/library/x:1", "unavailable", "kind of login")


# -- SSRF (S21) -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "169.254.169.254", "[::ffff:127.0.0.1]"])
def test_hosts_of_users_must_not_be_local(make_store, host):
    store = make_store()
    start = time.monotonic()
    refused(store, f"{host}:9/x", "forbidden", "leads to an address of this machine", "[registry ")
    assert time.monotonic() - start < 3


def test_redirect_to_a_local_address(faulty, store):
    other = FaultyRegistry()
    faulty.fault = lambda request: "/blobs/" in request.path and (request.answer(302, Location=other.url + request.path) or True)
    refused(store, f"{faulty.host}/library/x:1", "forbidden", "leads to an address of this machine")
    assert other.requests == []
    other.stop()


@pytest.mark.parametrize("location", ["file:///etc/passwd", "gopher://127.0.0.1/x", "//[", "http://"])
def test_redirect_to_nonsense(faulty, store, location):
    faulty.fault = lambda request: request.answer(302, Location=location) or True
    refused(store, f"{faulty.host}/library/x:1", "unavailable", "damaged URL")


def test_redirects_in_circles(faulty, store):
    faulty.fault = lambda request: request.answer(302, Location=request.path) or True
    refused(store, f"{faulty.host}/library/x:1", "unavailable", "in circles")
    assert len(faulty.requests) <= 6


# -- TLS ------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    place = tmp_path_factory.mktemp("tls")
    place.chmod(0o755)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout",
                    place / "key", "-out", place / "cert", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
                   check=True, capture_output=True)
    public = pathlib.Path(tempfile.mkdtemp(dir="/var/tmp", prefix="hearth-ca."))
    public.chmod(0o755)
    shutil.copy(place / "cert", public / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place / "cert", place / "key")
    yield context, public / "ca.pem"
    shutil.rmtree(public)


@pytest.fixture
def secure(certificate):
    registry = FaultyRegistry(tls=certificate[0])
    registry.add("library/x", "1", IMAGE)
    yield registry
    registry.stop()


def test_tls_with_a_ca_file(secure, make_store, certificate):
    store = make_store(more=f"[registry {secure.host}]\nca_file = {certificate[1]}\n")
    assert store.pull(f"{secure.host}/library/x:1")["digest"] == IMAGE.digest
    store.configure(f"[registry {secure.host}]\nplain_http = no\n")
    refused(store, f"{secure.host}/library/x:1", "unavailable", "cannot be reached", "certificate")


def test_no_way_from_tls_to_plain(secure, faulty, make_store, certificate):
    store = make_store(more=f"[registry {secure.host}]\nca_file = {certificate[1]}\n")
    secure.fault = lambda request: "/blobs/" in request.path and (request.answer(302, Location=faulty.url + request.path) or True)
    refused(store, f"{secure.host}/library/x:1", "forbidden", "from https to plain http")
    secure.fault, secure.bearer, secure.realm = None, "x", faulty.url + "/token"
    refused(store, f"{secure.host}/library/x:1", "forbidden", "without TLS")
    assert faulty.requests == []


# -- mirrors --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mirror, path", [("{host}", "library/python"), ("{host}/proxy", "proxy/library/python"),
                                          ("http://{host}/hub/", "hub/library/python")])
def test_mirror(faulty, make_store, mirror, path):
    store = make_store(more=f"[registry docker.io]\nmirror = {mirror.format(host=faulty.host)}\nplain_http = yes\n")
    faulty.add(path, "3.12", IMAGE)
    record = store.pull("python:3.12")
    assert record["reference"] == "docker.io/library/python:3.12" and record["digest"] == IMAGE.digest


# -- faults ---------------------------------------------------------------------------------------------

def test_not_found(faulty, store):
    text = refused(store, f"{faulty.host}/library/foo:1", "not found")
    assert text == f"Image not found: {faulty.host}/library/foo:1; the registry said: manifest unknown"


def test_missing_layer(faulty, store):
    del faulty.blobs[TOP.digest]
    refused(store, f"{faulty.host}/library/x:1", "not found", "manifest unknown")
    assert store.record(f"{faulty.host}/library/x:1") is None


def test_passing_troubles(faulty, store):
    troubles = {"manifests": iter([503]), BASE.digest: iter([500, 429])}

    def trouble(request):
        for part, statuses in troubles.items():
            if part in request.path and (status := next(statuses, None)):
                request.error(status, "X", "later", Retry_After="0")
                return True
    faulty.fault = trouble
    assert store.pull(f"{faulty.host}/library/x:1")["digest"] == IMAGE.digest


@pytest.mark.parametrize("status, code, word", [(429, "busy", "request limit"), (500, "unavailable", "fails"), (418, "unavailable", "did not give")])
def test_lasting_troubles(faulty, store, status, code, word):
    faulty.fault = lambda request: request.error(status, "X", "so sorry", Retry_After="0") or True
    refused(store, f"{faulty.host}/library/x:1", code, word, "so sorry")
    assert len(faulty.requests) <= 4


def test_no_registry_there(make_store):
    store = make_store("127.0.0.1:9")
    refused(store, "127.0.0.1:9/x", "unavailable", "cannot be reached")
    refused(store, "no-such-host.invalid/x", "unavailable", "cannot be reached")


@pytest.mark.parametrize("ranges", [True, False])
def test_broken_connections_are_resumed(faulty, store, ranges):
    layer = big_layer(8)
    faulty.add("library/x", "1", Image([layer]))
    faulty.ranges = ranges
    cuts = iter([1 << 20, 3 << 20, 2 << 20])
    served = []

    def cut(request):
        if layer.digest not in request.path or (length := next(cuts, None)) is None:
            return False
        start = request.headers.get("Range", "bytes=0-")
        served.append(start)
        at = int(start[6:].rstrip("-")) if ranges else 0
        rest = layer.blob[at:]
        more = {"Content_Range": f"bytes {at}-{len(layer.blob) - 1}/{len(layer.blob)}"} if at else {}
        request.answer(206 if at else 200, rest[:length], length=len(rest), **more)
        return True
    faulty.fault = cut
    store.pull(f"{faulty.host}/library/x:1")
    assert served[0] == "bytes=0-" and served[1] == f"bytes={1 << 20}-"
    assert (store.layer(layer.diff_id) / "big").stat().st_size == 8 << 20


def test_truncated_for_ever(faulty, store):
    blob = BASE.blob
    faulty.fault = lambda request: BASE.digest in request.path and (request.answer(200, blob[:50]) or True)
    refused(store, f"{faulty.host}/library/x:1", "unavailable", "Truncated", f"50 of the {len(blob)} bytes")
    assert store.layer(BASE.diff_id) is None


def flipped(blob):
    return blob[:len(blob) // 2] + bytes([blob[len(blob) // 2] ^ 1]) + blob[len(blob) // 2 + 1:]


@pytest.mark.parametrize("evil", [flipped, lambda blob: gzip.compress(b"\0" * 1024, mtime=0).ljust(len(blob), b"\0")])
def test_wrong_digest_of_a_layer(faulty, store, evil):
    faulty.blobs[BASE.digest] = evil(BASE.blob)
    refused(store, f"{faulty.host}/library/x:1", "unavailable", "Wrong digest", BASE.digest[:19])
    assert store.layer(BASE.diff_id) is None and store.record(f"{faulty.host}/library/x:1") is None


def test_layer_longer_than_promised(faulty, store):
    faulty.blobs[BASE.digest] = BASE.blob + b"x"
    refused(store, f"{faulty.host}/library/x:1", "unavailable", "Wrong size")


def test_wrong_digest_of_config_and_manifest(faulty, store):
    faulty.blobs[IMAGE.config_digest] = flipped(IMAGE.config_blob)
    refused(store, f"{faulty.host}/library/x:1", "unavailable", "Wrong digest: the config")
    faulty.manifests["library/x", IMAGE.digest] = (IMAGE.media_type, IMAGE.manifest + b" ")
    refused(store, f"{faulty.host}/library/x@{IMAGE.digest}", "unavailable", "Wrong digest: the manifest")


def test_diff_id_of_another_layer(faulty, store):
    """A config that claims to have a well-known layer cannot put its own content in that place."""
    faulty.add("library/x", "1", Image([BASE], diff_ids=[TOP.diff_id]))
    refused(store, f"{faulty.host}/library/x:1", "invalid", "Wrong content")
    assert store.layer(TOP.diff_id) is None


def manifest(document):
    return lambda request: "/manifests/" in request.path and (request.answer(200, json.dumps(document).encode()) or True)


@pytest.mark.parametrize("document, words", [
    ({"schemaVersion": 1, "fsLayers": []}, "schema 1"),
    ({"schemaVersion": 2, "layers": [], "manifests": []}, "also a manifest"),
    ({"schemaVersion": 2}, "not an image manifest"),
    ([], "not an image manifest"),
    ({"schemaVersion": 2, "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}, "layers": []}, "helm"),
    ({"schemaVersion": 2, "config": {"digest": "sha256:../../x", "size": 1}, "layers": []}, "digest"),
    ({"schemaVersion": 2, "config": {"digest": "sha256:" + "0" * 64, "size": -1}, "layers": []}, "size"),
    ({"schemaVersion": 2, "config": {"digest": "sha256:" + "0" * 64, "size": 1 << 30}, "layers": []}, "larger than"),
    ({"schemaVersion": 2, "config": {"digest": "sha256:" + "0" * 64, "size": 9}, "layers": [{"mediaType": "x/encrypted"}]}, "x/encrypted"),
    ({"schemaVersion": 2, "manifests": []}, "no variant"),
])
def test_bad_manifests(faulty, store, document, words):
    faulty.fault = manifest(document)
    refused(store, f"{faulty.host}/library/x:1", *(("not found",) if words == "no variant" else ("too large",) if words == "larger than" else ("invalid",)), words)


def test_endless_manifest(faulty, store):
    faulty.fault = lambda request: "/manifests/" in request.path and (request.answer(200, b"[" * (5 << 20)) or True)
    refused(store, f"{faulty.host}/library/x:1", "too large")


@pytest.mark.parametrize("reference", ["--format", "-x", "", "Python", "a/../b", "x:", "http://x/y", "x@sha256:1", "x y", "a\nb"])
def test_bad_references(make_store, reference):
    refused(make_store(), reference, "invalid")


# -- the store ------------------------------------------------------------------------------------------

def test_remove_and_prune(faulty, store):
    other = Image([BASE, Layer([file("only-here", b"x" * 5000)])])
    faulty.add("other", "1", other)
    names = [f"{faulty.host}/library/x:1", f"{faulty.host}/other:1"]
    for name in names:
        store.pull(name)
    with pytest.raises(PullError, match="No such image"):
        store.start("remove", reference="nope").wait()
    answer = store.start("remove", reference=names[1]).wait()
    assert answer == {"type": "done", "freed_bytes": 5000, "removed": [names[1]]}
    store.assert_clean(IMAGE.layers)
    store.pull(names[1])
    os.utime(store.images / "used" / IMAGE.digest[7:], (1, 1))
    kept = store.start("prune", keep_bytes=0, in_use=[IMAGE.digest]).wait()
    assert kept["removed"] == [names[1]]
    store.pull(names[1])
    os.utime(store.images / "used" / IMAGE.digest[7:], (1, 1))
    assert store.start("prune", keep_bytes=5010, in_use=[]).wait()["removed"] == [names[0]]
    store.assert_clean(other.layers)
    store.start("prune", keep_bytes=0, in_use=[]).wait()
    store.assert_clean([])
    assert not list((store.images / "used").iterdir())


def test_disk_full(faulty, make_store):
    store = make_store(faulty.host)
    store.images.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", store.images], check=True)
    try:
        faulty.add("library/x", "1", Image([BASE, big_layer(6)]))
        refused(store, f"{faulty.host}/library/x:1", "unavailable", "The disk is full", "big")
        assert store.record(f"{faulty.host}/library/x:1") is None
        store.assert_clean([BASE] if store.layer(BASE.diff_id) else [])  # whichever of the two was quicker
    finally:
        subprocess.run(["umount", store.images], check=True)
