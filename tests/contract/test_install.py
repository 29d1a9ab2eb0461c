# SPDX-License-Identifier: Apache-2.0
"""What `make install` puts where."""
import os
import subprocess

import pytest

from server import BUILD


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    top = tmp_path_factory.mktemp("destdir")
    done = subprocess.run(["meson", "install", "--no-rebuild", "--quiet", "-C", BUILD], env={**os.environ, "DESTDIR": str(top)},
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return top


def test_everything_is_there_and_the_unit_names_the_program(tree):
    names = {path.name: path for path in tree.rglob("*") if path.is_file()}
    prefix = names["hearthd"].parents[1]
    for name in ("bin/hearthd", "bin/hearth", "libexec/hearth/hearth-monitor", "libexec/hearth/hearth-pull",
                 "libexec/hearth/hearth-devices", "libexec/hearth/hearth-files", "libexec/hearth/hearth-mount",
                 "lib/systemd/system/hearthd.service", "share/man/man1/hearth.1", "share/man/man5/hearth.conf.5",
                 "share/man/man8/hearthd.8", "share/bash-completion/completions/hearth.bash",
                 "share/zsh/site-functions/_hearth", "share/fish/vendor_completions.d/hearth.fish", "share/doc/hearth/hearth.conf"):
        assert (prefix / name).stat().st_size > 0, name
    unit = names["hearthd.service"].read_text()
    assert f"ExecStart=/{names['hearthd'].relative_to(tree)}\n" in unit and "@" not in unit
    assert "KillMode=process" in unit


def test_what_is_installed_runs_and_takes_its_example(tree):
    names = {path.name: path for path in tree.rglob("*") if path.is_file()}
    done = subprocess.run([names["hearthd"], "--config", names["hearth.conf"], "--show-config"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # And with every line of the example in force.
    lines = names["hearth.conf"].read_text().splitlines()
    keys = [line[2:] for line in lines if line.startswith("; ") and (" = " in line or line.startswith("; ["))]
    every = names["hearth.conf"].with_name("every.conf")
    every.write_text("[scheduler]\ncpus = 64\nmemory = 256G\n" + "\n".join(
        line[2:] if line.startswith("; ") and line[2:] in keys else line for line in lines) + "\n")
    done = subprocess.run([names["hearthd"], "--config", every, "--show-config"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "mirror = mirror.lab.example:5000" in done.stdout
