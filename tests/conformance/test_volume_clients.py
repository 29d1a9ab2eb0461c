# SPDX-License-Identifier: Apache-2.0
"""Volumes by the unmodified `hf`: buckets and a local folder in a job, and the results back on the user's disk."""
import os

import pytest

import clients


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
