# SPDX-License-Identifier: Apache-2.0
"""The official Python clients ask Hearth for repositories: from a mirror folder, and passed on to a Hub."""
import json
import os
import pathlib
import random
import subprocess
import tempfile

import clients
import pytest
from hub_server import Hub

MIB = 1 << 20
BIG = random.Random(3).randbytes(3 * MIB + 77)
FILES = {"config.json": b'{"a": 1}\n', "README.md": b"# A model\n", "weights/model.safetensors": BIG, "weights/more/x.txt": b"x" * 5000,
         "name with space #1.txt": b"odd"}

DOWNLOADS = """
import hashlib, json, os, sys
import huggingface_hub as h
def digest(path): return hashlib.sha256(open(path, "rb").read()).hexdigest()
api = h.HfApi()
info = api.model_info("org/m", files_metadata=True)
out = {"sha": info.sha, "siblings": sorted(s.rfilename for s in info.siblings), "sizes": {s.rfilename: s.size for s in info.siblings}}
out["files"] = sorted(api.list_repo_files("org/m"))
out["tree"] = sorted(e.path for e in api.list_repo_tree("org/m", recursive=True))
out["top"] = sorted(e.path for e in api.list_repo_tree("org/m"))
out["expanded"] = sorted(e.path for e in api.list_repo_tree("org/m", "weights", expand=True))
out["paths"] = sorted(e.path for e in api.get_paths_info("org/m", ["config.json", "weights", "missing"]))
out["one"] = digest(h.hf_hub_download("org/m", "weights/model.safetensors"))
out["odd"] = digest(h.hf_hub_download("org/m", "name with space #1.txt"))
folder = h.snapshot_download("org/m")
out["snapshot"] = {os.path.relpath(os.path.join(d, n), folder): digest(os.path.join(d, n)) for d, _, ns in os.walk(folder) for n in ns}
out["commit"] = os.path.basename(folder)
out["v1"] = open(h.hf_hub_download("org/m", "only.txt", revision="v1")).read()
out["dataset"] = open(h.hf_hub_download("org/d", "data.csv", repo_type="dataset")).read()
out["exists"] = [h.file_exists("org/m", "config.json"), h.file_exists("org/m", "no.json"), h.repo_exists("org/none")]
def problem(call):
    try: call()
    except Exception as e: return [type(e).__name__]
out["errors"] = [problem(lambda: h.hf_hub_download("org/none", "x")), problem(lambda: h.hf_hub_download("org/m", "no.json")),
                 problem(lambda: h.hf_hub_download("org/m", "config.json", revision="no"))]
fs = h.HfFileSystem()
out["ls"] = sorted(e["name"] for e in fs.ls("org/m"))
with fs.open("org/m/weights/model.safetensors", "rb") as f:
    f.seek(1000000); out["range"] = f.read(10).hex()
out["glob"] = sorted(fs.glob("org/m/**/*.txt"))
print(json.dumps(out))
"""


def make(top):
    for name, data in FILES.items():
        (top / "models/org/m" / name).parent.mkdir(parents=True, exist_ok=True)
        (top / "models/org/m" / name).write_bytes(data)
    (top / "models/org/m@v1").mkdir()
    (top / "models/org/m@v1/only.txt").write_text("one")
    (top / "datasets/org/d").mkdir(parents=True)
    (top / "datasets/org/d/data.csv").write_text("a,b\n1,2\n")


def check(server, version, token, tmp_path):
    import hashlib
    program = clients.python(version)
    env = {**server.environment(home=tmp_path / "home"), "HF_TOKEN": token, "HF_HUB_DISABLE_XET": "1"}
    done = subprocess.run([program, "-c", DOWNLOADS], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    out = json.loads(done.stdout.splitlines()[-1])
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}
    assert out["siblings"] == out["files"] == sorted(FILES)
    assert out["sizes"] == {name: len(data) for name, data in FILES.items()}
    assert out["tree"] == sorted([*FILES, "weights", "weights/more"])
    assert out["top"] == sorted(["config.json", "README.md", "weights", "name with space #1.txt"])
    assert out["expanded"] == ["weights/model.safetensors", "weights/more"]
    assert out["paths"] == ["config.json", "weights"]
    assert out["one"] == hashes["weights/model.safetensors"] and out["odd"] == hashes["name with space #1.txt"]
    assert out["snapshot"] == hashes and out["commit"] == out["sha"]
    assert out["v1"] == "one" and out["dataset"] == "a,b\n1,2\n"
    assert out["exists"] == [True, False, False]
    assert [e[0].replace("Remote", "") for e in out["errors"]] == ["RepositoryNotFoundError", "EntryNotFoundError", "RevisionNotFoundError"]
    assert out["ls"] == ["org/m/" + n for n in sorted(["config.json", "README.md", "weights", "name with space #1.txt"])]
    assert out["range"] == BIG[1000000:1000010].hex()
    assert out["glob"] == ["org/m/name with space #1.txt", "org/m/weights/more/x.txt"]


@pytest.fixture(scope="module")
def mirror_server(make_server):
    # Not below pytest's own folder, which nobody but root may enter.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="hearth-mirror.") as top:
        os.chmod(top, 0o755)
        make(pathlib.Path(top))
        yield make_server(f"[hub]\nmirror = {top}\n")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    top = tmp_path_factory.mktemp("upstream") / "hub"
    make(top)
    hub = Hub(top).start()
    hub.tokens["hf_uma_on_the_hub"] = "uma"
    yield hub
    hub.stop()


@pytest.fixture(scope="module")
def upstream_server(make_server, hub):
    return make_server(f"[auth]\nupstream_url = {hub.url}\n")


@pytest.mark.parametrize("version", ["1.13", "newest"])
def test_from_a_mirror(mirror_server, version, tmp_path):
    check(mirror_server, version, mirror_server.token, tmp_path)


@pytest.mark.parametrize("version", ["1.13", "newest"])
def test_from_the_hub_with_a_token_of_its_own(upstream_server, hub, version, tmp_path):
    hub.clear()
    check(upstream_server, version, "hf_uma_on_the_hub", tmp_path)
    assert all(headers["Authorization"] == "Bearer hf_uma_on_the_hub" for _, _, headers in hub.requests)
    assert all("Authorization" not in headers for _, _, headers in hub.downloads)


def test_from_the_hub_with_a_token_of_ours(upstream_server, hub, tmp_path):
    hub.clear()
    check(upstream_server, "newest", upstream_server.token, tmp_path)
    assert hub.requests and all("Authorization" not in headers for _, _, headers in hub.requests)
