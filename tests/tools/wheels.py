# SPDX-License-Identifier: Apache-2.0
"""Python packages made on the spot, so that tests of uv need no index."""
import base64
import hashlib
import os
import zipfile


def make(folder, name, version="1.0", requires=(), size=0):
    """A pure wheel with the module `name`, whose VERSION is `version`; `size`: bytes of data that do not compress."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(f"Requires-Dist: {other}\n" for other in requires)
    files = {f"{name}/__init__.py": f"VERSION = {version!r}\n".encode(),
             f"{info}/METADATA": metadata.encode(),
             f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    if size:
        files[f"{name}/data.bin"] = os.urandom(size)
    record = ""
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(data)}\n"
    files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    target = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as wheel:
        for path, data in files.items():
            wheel.writestr(path, data)
    target.chmod(0o644)
    return target


def script(*requires, body=""):
    """A script with inline metadata that needs these packages."""
    wanted = ", ".join(f'"{name}"' for name in requires)
    return f"# /// script\n# dependencies = [{wanted}]\n# ///\n{body}\n"
