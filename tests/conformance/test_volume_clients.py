# SPDX-License-Identifier: Apache-2.0
"""Volumes by the unmodified `hf`: buckets and a local folder in a job, and the results back on the user's disk."""
import os
import tempfile

import pytest

import clients
from hub_server import Hub


@pytest.mark.parametrize("version", ["1.21", "newest"])
def test_results_come_back(server, version, tmp_path):
    name = "out-" + version.replace(".", "-")
    folder = tmp_path / "pdfs"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "one").write_text("input\n")

    def hf(*words):
        done = server.run(clients.hf(version), *words, timeout=100, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
    hf("buckets", "create", name)
    source = "./pdfs:/in"
    if version != "newest":  # a local folder as a volume is new
        hf("buckets", "sync", folder, f"hf://buckets/alice/{name}/pdfs")
        source = f"hf://buckets/alice/{name}/pdfs:/in:ro"
    said = hf("jobs", "run", "-v", f"hf://buckets/alice/{name}:/out", "-v", source, "busybox",
              "sh", "-c", "mkdir /out/r && cp /in/deep/one /out/r/copy && touch /in/x; ls -l /in; echo end")
    assert "Read-only file system" in said and "end" in said
    # In the same moment in which the job is over.
    hf("buckets", "sync", f"hf://buckets/alice/{name}/r", "./back")
    assert (tmp_path / "back" / "copy").read_text() == "input\n"
    assert os.listdir(server.state / "buckets" / "alice" / name / "r") == ["copy"]


def test_what_cannot_be_mounted_is_said(server):
    for volume, words in (("hf://buckets/alice/nix:/out", "no bucket alice/nix"), ("hf://acme/model:/m", "no Hub is configured")):
        done = server.run(clients.hf("1.13"), "jobs", "run", "-v", volume, "busybox", "true", timeout=60)
        assert done.returncode != 0 and words in done.stdout + done.stderr


@pytest.mark.parametrize("way", ["hub", "mirror"])
def test_files_of_repositories_are_copied_into_buckets(make_server, way):
    """A real Hub tells Xet hashes, by which a client would have the server copy what it cannot reach."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="hearth-hub.") as top:
        os.chmod(top, 0o755)
        files = {"config.json": b"{}", "weights.bin": os.urandom(700_000), "deep/more.bin": os.urandom(300_000)}
        for path, data in files.items():
            path = os.path.join(top, "models/org/m", path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)
        hub = Hub(top).start()
        try:
            server = make_server(f"[hub]\nendpoint = {hub.url}\n" if way == "hub" else f"[hub]\nmirror = {top}\n")
            assert server.call("POST", "/api/buckets/alice/copies").status_code == 200
            for source, target in (("hf://org/m", "hf://buckets/alice/copies/all/"), ("hf://org/m/weights.bin", "hf://buckets/alice/copies/one")):
                done = server.run(clients.hf("newest"), "buckets", "cp", source, target, timeout=100)
                assert done.returncode == 0, done.stdout + done.stderr
            folder = server.state / "buckets/alice/copies"
            found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
            assert found.pop("one") == files["weights.bin"]
            assert {path.removeprefix("all/").removeprefix("m/"): data for path, data in found.items()} == files
        finally:
            hub.stop()
