# SPDX-License-Identifier: Apache-2.0
"""Unpacking: what layers may hold, what hostile ones try (S16–S18), and imports of archives."""
import bz2
import gzip
import json
import os
import pathlib
import stat
import struct
import subprocess
import tarfile

import pytest

from oci import (Image, Layer, compress_zstd, device, digest_of, entry, fifo, file, folder, hardlink, opaque, static_image, symlink, tar,
                 whiteout)
from puller import ImageStore, PullError


@pytest.fixture
def store(root):
    store = ImageStore("[images]\nlayer_limit = 64M\n")
    (store.state / "outside").write_text("untouched")
    yield store
    assert (store.state / "outside").read_text() == "untouched"
    assert sorted(path.name for path in store.state.iterdir()) == ["archive", "effective.ini", "images", "outside"]
    store.destroy()


def bring(store, *layers, name="test:1", **more):
    """Import the layers as an image; returns the folder of the uppermost one."""
    image = Image(list(layers), **more)
    image.write_layout(store.state / "archive")
    record = store.start("import", archive=store.state / "archive", reference=name).wait()
    store.assert_clean({layer.diff_id: layer for layer in layers}.values())
    return store.images / "layers" / record["layers"][-1]


def unpack(store, *entries):
    return bring(store, Layer(list(entries)))


def refused(store, words, *entries, code="invalid"):
    with pytest.raises(PullError) as caught:
        unpack(store, *entries)
    assert caught.value.code == code and words in caught.value.text, caught.value
    store.assert_clean([])


def is_whiteout(path):
    info = path.lstat()
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0


def is_opaque(path):
    return "user.overlay.opaque" in os.listxattr(path) and os.getxattr(path, "user.overlay.opaque") == b"y"


# -- what layers may hold -------------------------------------------------------------------------------

def test_owners_modes_times(store):
    place = unpack(store, folder("d", 0o2750, uid=7, gid=8, mtime=1000), file("d/f", b"x", 0o4711, uid=65535, gid=65534, mtime=2000),
                   file("none", b"", 0o000), symlink("l", "/nowhere", uid=5, gid=6, mtime=3000), folder("sticky", 0o1777),
                   file("d/plain", b"y", 0o644, uid=0, gid=0), fifo("pipe", mode=0o622), file("old", mtime=-5))
    info = (place / "d").stat()
    assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode), info.st_mtime) == (7, 8, 0o2750, 1000)
    info = (place / "d/f").stat()
    assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode), info.st_mtime) == (65535, 65534, 0o4711, 2000)
    info = (place / "l").lstat()
    assert (info.st_uid, info.st_gid, os.readlink(place / "l"), info.st_mtime) == (5, 6, "/nowhere", 3000)
    assert (place / "d/plain").stat().st_gid == 0  # not inherited from the set-group-id folder
    assert stat.S_IMODE((place / "none").stat().st_mode) == 0 and stat.S_IMODE((place / "sticky").stat().st_mode) == 0o1777
    assert stat.S_ISFIFO((place / "pipe").stat().st_mode)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700  # nobody but root may look into layers


def test_names_and_links(store):
    long = "/".join(["x" * 200] * 15) + "/" + "y" * 255
    place = unpack(store, file(long, b"long"), file("ünï✓", b"utf"), file(" sp ace\n", b"odd"), file("a", b"linked"), hardlink("b", "a"),
                   hardlink("c", "./b"), symlink("s", "a"), hardlink("h", "s"), file("/abs/file", b"abs"), file("./dot/./f", b"dot"),
                   file("up/../here", b"here"))
    assert (place / long).read_text() == "long" and (place / "ünï✓").read_text() == "utf" and (place / " sp ace\n").read_text() == "odd"
    assert (place / "a").stat().st_nlink == 3 and (place / "c").read_text() == "linked"
    assert (place / "h").is_symlink() and (place / "h").lstat().st_nlink == 2
    assert (place / "abs/file").read_text() == "abs" and (place / "dot/f").exists() and (place / "here").exists()


def test_latin1_names_are_kept_byte_by_byte(store):
    with tarfile.open(store.state / "archive", "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        archive.addfile(tarfile.TarInfo("caf\xe9"))
    record = store.start("import", archive=store.state / "archive", reference="x").wait()
    assert os.listdir(os.fsencode(store.images / "layers" / record["layers"][0])) == [b"caf\xe9"]


def test_xattrs(store):
    capability = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)  # cap_net_bind_service=ep
    place = unpack(store, file("ping", b"#!", 0o755, xattrs={
        "security.capability": capability, "user.note": "hi", "user.overlay.opaque": "y", "trusted.overlay.opaque": "y",
        "security.selinux": "x", "system.posix_acl_access": "z"}), folder("dir", xattrs={"user.overlay.opaque": "y", "user.a": "b"}))
    assert sorted(os.listxattr(place / "ping")) == ["security.capability", "user.note"]
    assert os.getxattr(place / "ping", "security.capability")[4:8] == struct.pack("<I", 1 << 10)
    assert os.listxattr(place / "dir") == ["user.a"]


def test_devices_are_left_out(store):
    place = unpack(store, folder("dev"), device("dev/null"), device("dev/sda", 8, 0, tarfile.BLKTYPE), device("dev/white", 0, 0), file("f"))
    assert list((place / "dev").iterdir()) == [] and (place / "f").exists()


def test_sparse_files(store):
    source = store.state / "archive"
    with open(source.with_name("sparse"), "wb") as hole:
        hole.truncate(8 << 20)
        hole.seek(4 << 20)
        hole.write(b"middle")
    for kind in ("gnu", "pax"):
        subprocess.run(["tar", "-S", f"--format={kind}", "-C", store.state, "-cf", source, "sparse"], check=True)
        record = store.start("import", archive=source, reference=kind).wait()
        target = store.images / "layers" / record["layers"][0] / "sparse"
        assert target.read_bytes() == source.with_name("sparse").read_bytes() and target.stat().st_blocks * 512 < 1 << 20
    source.with_name("sparse").unlink()


def test_replacing_inside_a_layer(store):
    place = unpack(store, symlink("lib", "usr/lib"), folder("usr"), folder("usr/lib"), folder("lib"), file("lib/x", b"1"), folder("d"),
                   file("d/f"), file("d", b"file now"), file("f"), folder("f"), file("f/g"), file("twice", b"1"), file("twice", b"22"),
                   symlink("s", "a"), symlink("s", "b"), folder("keep", 0o700), file("keep/f"), folder("keep", 0o755))
    assert not (place / "lib").is_symlink() and (place / "lib/x").exists() and not (place / "usr/lib/x").exists()
    assert (place / "d").read_text() == "file now" and (place / "f/g").exists() and (place / "twice").read_text() == "22"
    assert os.readlink(place / "s") == "b" and (place / "keep/f").exists() and stat.S_IMODE((place / "keep").stat().st_mode) == 0o755


def test_whiteouts(store):
    place = unpack(store, whiteout("gone"), whiteout("deep/er/gone"), opaque("op"), file("op/new"), whiteout("again"), folder("again"),
                   file("again/f"), file("own"), whiteout("own"), folder("mine"), whiteout("mine"), whiteout("implied"),
                   file("implied/f"), file(".wh..wh.plnk", b"aufs"), file(".wh..wh..opq.not", b""))
    assert is_whiteout(place / "gone") and is_whiteout(place / "deep/er/gone")
    assert is_opaque(place / "op") and (place / "op/new").exists()
    assert is_opaque(place / "again") and (place / "again/f").exists()
    assert (place / "own").is_file() and is_opaque(place / "mine") and is_opaque(place / "implied")
    assert not [name for name in os.listdir(place) if name.startswith(".wh.")]


def test_opaque_root_hides_all_lower_layers(store):
    base, clear = Layer([file("old")]), Layer([file(".wh..wh..opq"), file("new")])
    bring(store, base, clear, base.__class__([file("top")]))
    record = store.record("docker.io/library/test:1")
    assert len(record["layers"]) == 2 and record["layers"][0] == clear.diff_id[7:]


def test_the_merged_view(store, tmp_path):
    """The layers under overlayfs, as the monitor mounts them."""
    lower = Layer([folder("etc"), file("etc/a", b"1"), file("etc/b", b"1"), folder("var"), file("var/x"), folder("opt"), file("opt/old"),
                   symlink("link", "etc"), file("solid", b"1")])
    upper = Layer([whiteout("etc/a"), opaque("var"), file("var/y"), whiteout("opt"), folder("opt"), file("opt/new"), folder("link"),
                   file("link/inside"), folder("solid"), file("solid/f")], "zstd")
    bring(store, lower, upper)
    places = ":".join(str(store.images / "layers" / layer.diff_id[7:]) for layer in (upper, lower))
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"ro,userxattr,lowerdir={places}", tmp_path], check=True)
    try:
        found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
        assert found == ["etc", "etc/b", "link", "link/inside", "opt", "opt/new", "solid", "solid/f", "var", "var/y"]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_files_below_links(store):
    place = unpack(store, folder("usr"), folder("usr/lib"), symlink("lib", "usr/lib"), file("lib/a", b"1"), symlink("run", "/var/run"),
                   file("run/pid", b"2"), symlink("self", "/"), file("self/root", b"3"))
    assert (place / "usr/lib/a").exists() and (place / "lib").is_symlink()
    assert (place / "var/run/pid").read_text() == "2" and (place / "root").read_text() == "3"


# -- hostile layers -------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["../outside", "../../../../outside", "a/../../outside", "..", "/../outside"])
def test_dot_dot(store, name):
    refused(store, "outside of its root", file(name, b"evil"))


@pytest.mark.parametrize("target", ["../../../outside", "/", "{state}", "../../..", "/proc/self/root", "/proc/1/cwd"])
def test_links_do_not_lead_out(store, target):
    """A link to somewhere, and a file below it: it lands inside the layer or is refused."""
    try:
        place = unpack(store, symlink("l", target.format(state=store.state)), file("l/outside", b"evil"), whiteout("l/effective.ini"),
                       file("l/images/evil", b"evil"))
    except PullError as error:
        assert error.code == "invalid"
        return
    inside = [path for path in place.rglob("outside")]
    assert inside and (store.state / "effective.ini").exists() and not (store.images / "evil").exists()


def test_absolute_name_stays_inside(store):
    place = unpack(store, file(str(store.state / "outside"), b"evil"))
    assert (place / str(store.state)[1:] / "outside").read_text() == "evil"


@pytest.mark.parametrize("target", ["../outside", "/etc/passwd", "etc/nothing", ".", "d", "/proc/self/exe"])
def test_hard_links_to_elsewhere(store, target):
    with pytest.raises(PullError) as caught:
        unpack(store, folder("d"), hardlink("h", target))
    assert caught.value.code == "invalid"
    store.assert_clean([])


def test_hard_link_through_a_link(store):
    with pytest.raises(PullError, match="no file of this layer"):
        unpack(store, symlink("l", str(store.state)), hardlink("h", "l/outside"))
    place = unpack(store, symlink("l", "../../../outside"), hardlink("h", "l"), file("h", b"evil"))
    assert (place / "h").read_text() == "evil" and (place / "l").is_symlink()


def test_write_through_a_link(store):
    place = unpack(store, symlink("f", str(store.state / "outside")), file("f", b"evil"), symlink("d", str(store.state)), folder("d"),
                   symlink("g", "../../../../outside"), fifo("g"))
    assert not (place / "f").is_symlink() and not (place / "d").is_symlink()


def test_whiteout_through_a_link(store):
    place = unpack(store, symlink("l", str(store.state)), whiteout("l/outside"), opaque("l"))
    assert is_whiteout(place / str(store.state)[1:] / "outside")


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "a/.wh..."])
def test_bad_whiteouts(store, name):
    refused(store, "bad whiteout", file(name))


def test_owner_out_of_range(store):
    refused(store, "ids above 65535", file("f", uid=65536))
    refused(store, "ids above 65535", folder("f", gid=1 << 31))


def test_below_a_file(store):
    refused(store, "used as a folder", file("f", b"x"), file("f/g", b"y"))


def test_link_circle(store):
    refused(store, "'a", symlink("a", "b"), symlink("b", "a"), file("a/f"))


def test_names_too_long(store):
    refused(store, "too long", file("x" * 256))
    refused(store, "too long", file("/".join(["x" * 200] * 30)))


def test_deep_tree(store):
    """Through links, deeper than a path is long: refused, and no rest remains."""
    deep = "/".join(["d"] * 900)
    assert (unpack(store, file(deep + "/f")) / deep / "f").exists()
    store.start("prune", keep_bytes=0, in_use=[]).wait()
    refused(store, "nests folders too deeply", *[part for i in range(6) for part in (
        file(f"l{i - 1}/{deep}/f" if i else deep + "/f"), symlink(f"l{i}", f"l{i - 1}/{deep}" if i else deep))])
    refused(store, "too long", file("/".join(["d"] * 1500)))


def test_size_limit(store):
    refused(store, "images.layer_limit", file("a", bytes(40 << 20)), file("b", bytes(40 << 20)), code="too large")


def test_size_that_lies(store):
    info, _ = entry("f", size="9000000000000000000")
    archive = tar([(info, b"")])
    with pytest.raises(PullError) as caught:
        bring(store, Layer(archive))
    assert caught.value.code in ("invalid", "too large")
    # a sparse map that ends far behind the file
    archive = tar([entry("f", data=b"1\n0\n9\n".ljust(512, b"\0") + b"123456789", **{
        "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "f", "GNU.sparse.realsize": str(1 << 50)})])
    with pytest.raises(PullError) as caught:
        bring(store, Layer(archive))
    assert caught.value.code in ("invalid", "too large")


@pytest.mark.slow
@pytest.mark.parametrize("packed", ["gzip", "zstd"])
def test_decompression_bomb(store, packed):
    store.configure("[images]\nlayer_limit = 100G\n")
    info, _ = entry("zeros")
    info.size = 20 << 30
    piece = bytes(64 << 20)
    one = gzip.compress(piece, 9, mtime=0) if packed == "gzip" else compress_zstd(piece)
    head = info.tobuf(format=tarfile.GNU_FORMAT)
    blob = (gzip.compress(head, mtime=0) if packed == "gzip" else compress_zstd(head)) + one * 320
    with pytest.raises(PullError, match="decompression bomb|used|Unpacking"):
        bring(store, Layer(head, packed, blob=blob))
    store.assert_clean([])


@pytest.mark.parametrize("change", ["cut", "garbage", "checksum"])
def test_damaged_archives(store, change):
    good = tar([file("a", b"x" * 5000)])
    bad = {"cut": good[:3000], "garbage": b"garbage" * 1000, "checksum": good[:150] + b"777" + good[153:]}[change]
    with pytest.raises(PullError) as caught:
        bring(store, Layer(bad))
    assert caught.value.code == "invalid"
    store.assert_clean([])


def test_many_small_things(store):
    entries = [folder(f"d{i}") for i in range(100)] + [file(f"d{i % 100}/f{i}", b"x" * (i % 50)) for i in range(5000)]
    place = unpack(store, *entries)
    assert sum(len(files) for _, _, files in os.walk(place)) == 5000


# -- imports --------------------------------------------------------------------------------------------

ROOT = tar([folder("./"), folder("bin"), file("bin/sh", b"#!", 0o755), folder("etc"), file("etc/passwd", b"root:x:0:0::/:/bin/sh\n")])


def run_import(store, name="busybox", **more):
    return store.start("import", archive=store.state / "archive", reference=name, **more).wait()


@pytest.mark.parametrize("packed", [lambda data: data, lambda data: gzip.compress(data, mtime=0), compress_zstd])
def test_import_of_a_root_file_system(store, packed):
    (store.state / "archive").write_bytes(packed(ROOT))
    record = run_import(store)
    assert record["reference"] == "docker.io/library/busybox:latest" and record["local"] is True
    assert record["layers"] == [digest_of(ROOT)[7:]] and record["config"] == {"Cmd": ["/bin/sh"]} and record["architecture"] == "amd64"
    assert (store.images / "layers" / record["layers"][0] / "bin/sh").exists()
    assert record["digest"] == run_import(store)["digest"]  # the same again is the same image


@pytest.mark.parametrize("packed", [lambda data: data, lambda data: gzip.compress(data, mtime=0), compress_zstd])
@pytest.mark.parametrize("kind", ["layout", "saved"])
def test_import_of_images(store, kind, packed):
    image = Image([Layer([file("a")]), Layer([whiteout("a")], "zstd")], config={"Env": ["X=1"]})
    (image.write_layout if kind == "layout" else image.write_saved)(store.state / "archive", "app:2", compress=packed)
    record = run_import(store, "app:2")
    assert record["layers"] == [layer.diff_id[7:] for layer in image.layers] and record["config"] == {"Env": ["X=1"]}
    assert record["digest"] == (image.digest if kind == "layout" else image.config_digest)
    store.assert_clean(image.layers)


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
def test_import_of_what_skopeo_writes(store, registry, kind):
    from oci import push
    image = static_image()
    push(image, "http://" + registry.host, "skopeo")
    archive = store.state / "archive"
    subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false", f"docker://{registry.host}/skopeo",
                    f"{kind}:{archive}:skopeo:latest"], check=True)
    record = run_import(store, "skopeo")
    assert record["config"]["Entrypoint"] == ["/hello"] and record["layers"] == [image.layers[0].diff_id[7:]]


def test_import_faults(store):
    archive = store.state / "archive"
    for data, code, words in [(b"", "invalid", "empty"), (b"not an archive", "invalid", "tar"), (bz2.compress(ROOT), "invalid", "tar"),
                              (tar([symlink("index.json", "/etc/passwd"), symlink("manifest.json", "../../../effective.ini")]), None, None),
                              (tar([file("manifest.json", json.dumps([{"Config": "../../../effective.ini", "Layers": []}]).encode())]),
                               "not found", "no file"),
                              (tar([file("manifest.json", json.dumps([{"Config": "c", "Layers": ["l"]}]).encode()), fifo("l"),
                                    file("c", b"{}")]), "invalid", "not a regular file")]:
        archive.write_bytes(data)
        if code is None:
            run_import(store)
            continue
        with pytest.raises(PullError) as caught:
            run_import(store)
        assert caught.value.code == code and words in caught.value.text, (data[:50], caught.value)
    with pytest.raises(PullError, match="no digest"):
        run_import(store, "x@sha256:" + "0" * 64)
    with pytest.raises(PullError, match="no archive"):
        store.start("import", reference="x").wait()
    archive.write_bytes(b"")


def test_wrong_digest_inside_a_layout(store):
    image = Image([Layer([file("a")])])
    image.blobs[image.layers[0].digest] = gzip.compress(tar([file("b")]), mtime=0)
    image.write_layout(store.state / "archive")
    with pytest.raises(PullError, match="Wrong digest"):
        run_import(store)
    store.assert_clean([])
