# SPDX-License-Identifier: Apache-2.0
"""The official clients, unmodified, from PyPI and npm, each in a folder of its own under .cache/clients."""
import fcntl
import os
import pathlib
import pty
import shutil
import struct
import subprocess
import termios

CACHE = pathlib.Path(__file__).resolve().parents[2] / ".cache" / "clients"
# "newest" is what PyPI gives today; the others are the oldest of each change that a server notices.
HF_VERSIONS = ["1.3", "1.5", "1.13", "1.21", "newest"]
# Of their time: old releases take any typer, and a later one no longer brings the click that they import.
OLD_CONSTRAINTS = "typer<0.22\ntyper-slim<0.22\n"


def hf(version, *more):
    """Path of the `hf` program of that version of huggingface_hub, with `more` packages ("hf-xet==1.5.2") as they are wanted."""
    folder = CACHE / "-".join(["hf", version, *(package.replace("==", "-") for package in more)])
    program = folder / "bin" / "hf"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run(["/usr/bin/python3", "-m", "venv", folder], check=True)
            newest = version == "newest"
            wish = "huggingface_hub" if newest else f"huggingface_hub=={version}.*"
            constraints = folder / "constraints.txt"
            constraints.write_text("" if newest else OLD_CONSTRAINTS)
            subprocess.run([folder / "bin" / "pip", "install", "-q", "--disable-pip-version-check", "-c", constraints, wish, *more], check=True)
            (folder / "complete").touch()
    return program


def on_terminal(command, environment, columns=200):
    """What a program prints on a terminal so and so wide; it has to succeed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 50, columns, 0, 0))
    process = subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    text = b""
    try:
        while chunk := os.read(ours, 65536):
            text += chunk
    except OSError:  # EIO: the last one closed it
        pass
    finally:
        os.close(ours)
    assert process.wait(60) == 0, text.decode(errors="replace")
    return text.decode(errors="replace")


def python(version):
    hf(version)
    return CACHE / f"hf-{version}" / "bin" / "python"


def javascript():
    """Folder with node_modules/@huggingface/hub, newest."""
    folder = CACHE / "js"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / "package.json").write_text('{"private":true}')
            subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "@huggingface/hub"], cwd=folder, check=True,
                           env={**os.environ, "npm_config_update_notifier": "false"})
            (folder / "complete").touch()
    return folder


def pydantic():
    """Folder with pydantic, which huggingface_hub's receiver of webhooks needs; beside the clients, which stay as they are."""
    folder = CACHE / "pydantic"
    program = python("newest")
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([program, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target", folder, "pydantic"], check=True)
            (folder / "complete").touch()
    return folder
