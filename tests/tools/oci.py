# SPDX-License-Identifier: Apache-2.0
"""Container images made from lists of tar entries, for tests; no Docker needed.

    layer = Layer([file("etc/motd", b"hi\\n"), folder("tmp", 0o1777), symlink("sh", "busybox"), whiteout("old")])
    image = Image([layer, Layer([...], compression="zstd")], config={"Cmd": ["/bin/sh"]})
    push(image, "http://127.0.0.1:5000", "library/python", "3.12")
    image.write_layout("a.tar"); image.write_saved("b.tar", "python:3.12")

`Image(..., docker=True)` has Docker's media types; `Index([image, ...])` is an image for several platforms.
`static_image(source)` is a one-file image of a static C program.
"""
import ctypes
import ctypes.util
import gzip
import hashlib
import io
import json
import pathlib
import subprocess
import tarfile
import tempfile

import requests

MTIME = 1700000000


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


# -- entries: (TarInfo, content) ------------------------------------------------------------------------

def entry(name, kind=tarfile.REGTYPE, data=b"", mode=0o644, uid=0, gid=0, target="", xattrs=None, mtime=MTIME, **pax):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode, info.uid, info.gid = kind, len(data), mode, uid, gid
    info.linkname, info.mtime = target, mtime
    info.pax_headers = dict(pax)
    for key, value in (xattrs or {}).items():
        info.pax_headers["SCHILY.xattr." + key] = value.decode("latin-1") if isinstance(value, bytes) else value
    return info, data


def file(name, data=b"", mode=0o644, **more):
    return entry(name, tarfile.REGTYPE, data, mode, **more)


def folder(name, mode=0o755, **more):
    return entry(name, tarfile.DIRTYPE, mode=mode, **more)


def symlink(name, target, **more):
    return entry(name, tarfile.SYMTYPE, mode=0o777, target=target, **more)


def hardlink(name, target, **more):
    return entry(name, tarfile.LNKTYPE, target=target, **more)


def device(name, major=1, minor=3, kind=tarfile.CHRTYPE, **more):
    info, data = entry(name, kind, **more)
    info.devmajor, info.devminor = major, minor
    return info, data


def fifo(name, **more):
    return entry(name, tarfile.FIFOTYPE, **more)


def whiteout(name):
    head, _, base = name.rpartition("/")
    return file((head + "/" if head else "") + ".wh." + base)


def opaque(name):
    return file(name + "/.wh..wh..opq")


def tar(entries):
    """The entries as a pax archive. Names are taken as they are, also '..' and '/etc/passwd'."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


# -- layers, images, indexes ----------------------------------------------------------------------------

def compress_zstd(data):
    lib = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    lib.ZSTD_compressBound.restype = lib.ZSTD_compress.restype = ctypes.c_size_t
    lib.ZSTD_compressBound.argtypes = [ctypes.c_size_t]
    lib.ZSTD_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    room = lib.ZSTD_compressBound(len(data))
    out = ctypes.create_string_buffer(room)
    length = lib.ZSTD_compress(out, room, data, len(data), 3)
    return out.raw[:length]


class Layer:
    """`content`: entries, or the bytes of a tar. `blob` replaces what is served (for faults)."""
    SUFFIX = {"gzip": "+gzip", "zstd": "+zstd", "none": ""}

    def __init__(self, content, compression="gzip", blob=None):
        self.tar = content if isinstance(content, bytes) else tar(content)
        self.compression = compression
        self.diff_id = digest_of(self.tar)
        packed = {"gzip": lambda: gzip.compress(self.tar, 1, mtime=0), "zstd": lambda: compress_zstd(self.tar), "none": lambda: self.tar}
        self.blob = packed[compression]() if blob is None else blob
        self.digest = digest_of(self.blob)

    def descriptor(self, docker):
        kind = "application/vnd.docker.image.rootfs.diff.tar" + {"gzip": ".gzip", "zstd": ".zstd", "none": ""}[self.compression] \
            if docker else "application/vnd.oci.image.layer.v1.tar" + self.SUFFIX[self.compression]
        return {"mediaType": kind, "digest": self.digest, "size": len(self.blob)}


class Image:
    """Attributes: `manifest` (bytes), `digest`, `media_type`, `config_blob`, `layers`, `blobs` {digest: bytes}."""

    def __init__(self, layers, config=None, architecture="amd64", docker=False, variant=None, diff_ids=None):
        self.layers, self.architecture, self.variant = layers, architecture, variant
        document = {"architecture": architecture, "os": "linux", "config": config or {},
                    "rootfs": {"type": "layers", "diff_ids": diff_ids or [layer.diff_id for layer in layers]}}
        self.config_blob = json.dumps(document).encode()
        self.config_digest = digest_of(self.config_blob)
        self.media_type = "application/vnd.docker.distribution.manifest.v2+json" if docker else "application/vnd.oci.image.manifest.v1+json"
        config_type = "application/vnd.docker.container.image.v1+json" if docker else "application/vnd.oci.image.config.v1+json"
        self.manifest = json.dumps({
            "schemaVersion": 2, "mediaType": self.media_type,
            "config": {"mediaType": config_type, "digest": self.config_digest, "size": len(self.config_blob)},
            "layers": [layer.descriptor(docker) for layer in layers]}).encode()
        self.digest = digest_of(self.manifest)
        self.blobs = {layer.digest: layer.blob for layer in layers} | {self.config_digest: self.config_blob}
        self.manifests = {self.digest: (self.media_type, self.manifest)}

    def platform(self):
        return {"os": "linux", "architecture": self.architecture} | ({"variant": self.variant} if self.variant else {})

    def write_layout(self, path, name="latest", compress=lambda data: data):
        """An OCI layout as a tar archive."""
        entries = [file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), folder("blobs"), folder("blobs/sha256")]
        blobs = self.blobs | {digest: data for digest, (_, data) in self.manifests.items()}
        entries += [file("blobs/sha256/" + digest[7:], data) for digest, data in blobs.items()]
        index = {"schemaVersion": 2, "manifests": [{"mediaType": self.media_type, "digest": self.digest, "size": len(self.manifest),
                                                    "annotations": {"org.opencontainers.image.ref.name": name}}]}
        pathlib.Path(path).write_bytes(compress(tar(entries + [file("index.json", json.dumps(index).encode())])))

    def write_saved(self, path, name, compress=lambda data: data):
        """What `docker save` writes."""
        entries = [file(self.config_digest[7:] + ".json", self.config_blob)]
        names = []
        for number, layer in enumerate(self.layers):
            names.append(f"{number:064x}/layer.tar")
            entries += [folder(f"{number:064x}"), file(names[-1], layer.tar)]
        document = [{"Config": self.config_digest[7:] + ".json", "RepoTags": [name], "Layers": names}]
        pathlib.Path(path).write_bytes(compress(tar(entries + [file("manifest.json", json.dumps(document).encode())])))


class Index:
    """An image index (docker=True: a manifest list) over images; it can be pushed like an image."""

    def __init__(self, images, docker=False, platforms=None):
        self.media_type = "application/vnd.docker.distribution.manifest.list.v2+json" if docker else "application/vnd.oci.image.index.v1+json"
        self.manifest = json.dumps({"schemaVersion": 2, "mediaType": self.media_type, "manifests": [
            {"mediaType": image.media_type, "digest": image.digest, "size": len(image.manifest),
             "platform": (platforms or {}).get(number, image.platform())} for number, image in enumerate(images)]}).encode()
        self.digest = digest_of(self.manifest)
        self.blobs, self.manifests = {}, {}
        for image in images:
            self.blobs |= image.blobs
            self.manifests |= image.manifests
        self.manifests[self.digest] = (self.media_type, self.manifest)


def push(image, registry, name, tag="latest", auth=None):
    """Through the registry's HTTP API; `registry` is a URL. Returns the image's digest."""
    session = requests.Session()
    session.auth = auth
    base = f"{registry}/v2/{name}"
    for digest, blob in image.blobs.items():
        if session.head(f"{base}/blobs/{digest}").status_code == 200:
            continue
        start = session.post(f"{base}/blobs/uploads/")
        start.raise_for_status()
        where = requests.compat.urljoin(registry, start.headers["Location"])
        done = session.put(where, params={"digest": digest}, data=blob, headers={"Content-Type": "application/octet-stream"})
        assert done.status_code == 201, done.text
    for digest, (kind, data) in image.manifests.items():
        target = tag if digest == image.digest else digest
        done = session.put(f"{base}/manifests/{target}", data=data, headers={"Content-Type": kind})
        assert done.status_code == 201, done.text
    return image.digest


# -- static programs ------------------------------------------------------------------------------------

def static_program(source):
    """The bytes of a static executable from C source (compiled here, stripped)."""
    with tempfile.TemporaryDirectory() as place:
        target = pathlib.Path(place) / "program"
        subprocess.run(["cc", "-static", "-Os", "-s", "-x", "c", "-o", target, "-"], input=source.encode(), check=True)
        return target.read_bytes()


def static_image(source='#include <stdio.h>\nint main(void) { puts("Hello from scratch"); return 0; }\n', name="hello", **more):
    """A `FROM scratch` image: one file, one layer."""
    return Image([Layer([file(name, static_program(source), 0o755)])], config={"Entrypoint": ["/" + name]}, **more)


def push_image(host, name, tag, tars, config=None, **more):
    """Gzip layers from the bytes of plain tars, pushed to http://`host`."""
    return push(Image([Layer(content) for content in tars], config=config, **more), f"http://{host}", name, tag)
