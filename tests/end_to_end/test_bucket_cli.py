# SPDX-License-Identifier: Apache-2.0
"""`hearth bucket` against a real server, and beside `hf buckets` doing the same."""
import json
import os
import re
import shutil

import pytest

import clients
from server import wait_until


# Loading `hf` takes longer than all it does here: it is loaded once, and each command runs in a fork.
MANY = """
import importlib.metadata, json, os, sys, tempfile
main = next(e for e in importlib.metadata.entry_points(group="console_scripts") if e.name == "hf").load()
results = []
for words in json.load(sys.stdin):
    with tempfile.TemporaryFile() as out:
        pid = os.fork()
        if pid == 0:
            os.dup2(out.fileno(), 1)
            sys.argv = ["hf", "buckets", *words]
            status = 1
            try:
                main()
                status = 0
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else end.code is not None
            finally:
                sys.stdout.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        out.seek(0)
        results.append([status, out.read().decode()])
json.dump(results, sys.stdout)
"""


@pytest.fixture(scope="module")
def server(make_server):
    return make_server()


@pytest.fixture
def hearth(server, tmp_path):
    def run(*words, status=0, **more):
        done = server.hearth("bucket", *words, cwd=tmp_path, **more)
        assert done.returncode == status, (words, done.stdout, done.stderr)
        return done
    return run


@pytest.fixture
def bucket(server):
    """The name of a bucket that is there and empty."""
    name = f"b{os.urandom(4).hex()}"
    assert server.call("POST", f"/api/buckets/alice/{name}", json={}).status_code == 200
    yield f"alice/{name}"
    server.call("DELETE", f"/api/buckets/alice/{name}")


@pytest.fixture
def tree(tmp_path):
    """A folder with names that are not simple, a link, and a large file."""
    folder = tmp_path / "tree"
    (folder / "a" / "b c").mkdir(parents=True)
    (folder / "plain.txt").write_text("plain")
    (folder / "a" / "é %2F #?.txt").write_text("odd")
    (folder / "a" / "b c" / "empty").write_bytes(b"")
    (folder / "a" / "b c" / "large").write_bytes(os.urandom(3_000_000))
    (folder / "link.txt").symlink_to("plain.txt")
    for number, path in enumerate(sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())):
        os.utime(path, (1_700_000_000 + number, 1_700_000_000.25 + number))
    return folder


def contents(folder):
    return {str(path.relative_to(folder)): (path.read_bytes(), int(path.stat().st_mtime * 1000)) for path in folder.rglob("*") if path.is_file()}


def on_server(server, bucket):
    return contents(server.state / "buckets" / bucket)


def test_up_and_down_again(server, hearth, bucket, tree, tmp_path):
    hearth("sync", tree, f"hf://buckets/{bucket}/sub")
    assert on_server(server, bucket) == {f"sub/{path}": value for path, value in contents(tree).items()}
    assert "Nothing to sync." in hearth("sync", tree, f"hf://buckets/{bucket}/sub").stdout
    hearth("sync", f"hf://buckets/{bucket}/sub", "back")
    assert contents(tmp_path / "back") == contents(tree)
    assert "Nothing to sync." in hearth("sync", f"hf://buckets/{bucket}/sub", "back").stdout


def test_sync_changes_what_changed(server, hearth, bucket, tree):
    target = f"hf://buckets/{bucket}"
    hearth("sync", tree, target)
    (tree / "plain.txt").write_text("longer than before")
    (tree / "a" / "b c" / "empty").unlink()
    (tree / "new").write_text("new")
    done = hearth("sync", tree, target, "-v")
    assert "  Uploading: plain.txt (size differs)" in done.stdout and "  Uploading: new (new file)" in done.stdout
    assert "  Skipping: a/b c/large (identical)" in done.stdout
    assert "a/b c/empty" in on_server(server, bucket)
    hearth("sync", tree, target, "--delete")
    assert on_server(server, bucket) == contents(tree)


def test_sync_down_deletes_and_filters(server, hearth, bucket, tree, tmp_path):
    target = f"hf://buckets/{bucket}"
    hearth("sync", tree, target)
    back = tmp_path / "back"
    (back / "old" / "deep").mkdir(parents=True)
    (back / "old" / "deep" / "file").write_text("x")
    (back / "kept.md").write_text("kept")
    hearth("sync", target, "back", "--delete", "--exclude", "*.md", "--exclude", "a/b c/*")
    assert sorted(contents(back)) == ["a/é %2F #?.txt", "kept.md", "link.txt", "plain.txt"]
    assert not (back / "old").exists()
    (tmp_path / "rules").write_text("# comment\n- *large\n+ a/*\n- *\n")
    hearth("sync", target, "ruled", "--filter-from", "rules")
    assert sorted(contents(tmp_path / "ruled")) == ["a/b c/empty", "a/é %2F #?.txt"]


def test_plans_are_those_of_hf(server, hearth, bucket, tree, tmp_path):
    target = f"hf://buckets/{bucket}"
    (tree / "changed").write_text("one")
    hearth("sync", tree, target)
    (tree / "changed").write_text("three")
    (tree / "plain.txt").unlink()
    (tree / "added").write_text("added")
    commands = [["sync", str(tree), target, "--dry-run", *options] for options in (
        [], ["--delete"], ["--existing"], ["--ignore-existing"], ["--ignore-times"], ["--ignore-sizes"], ["--include", "*e*"])]
    done = server.run(clients.python("newest"), "-c", MANY, input=json.dumps(commands), cwd=tmp_path)
    for words, (_, theirs) in zip(commands, json.loads(done.stdout), strict=True):
        read = [[json.loads(line) for line in text.splitlines()] for text in (hearth(*words).stdout, theirs)]
        for lines in read:
            lines[0].pop("timestamp")
            for line in lines[1:]:
                for key in ("local_mtime", "remote_mtime"):  # theirs has microseconds, the API has milliseconds
                    line[key] = line[key][:23] if key in line else None
        assert read[0] == read[1], words
    hearth("sync", tree, target, "--delete", "--plan", "plan.jsonl")
    assert "plain.txt" in on_server(server, bucket)
    hearth("sync", "--apply", "plan.jsonl")
    assert on_server(server, bucket) == contents(tree)


def test_hf_sees_what_hearth_sent_and_the_other_way(server, hearth, bucket, tree, tmp_path):
    target = f"hf://buckets/{bucket}"
    hearth("sync", tree, target)
    done = server.run(clients.hf("newest"), "buckets", "sync", str(tree), target, cwd=tmp_path)
    assert "Nothing to sync." in done.stdout, done.stdout + done.stderr
    done = server.run(clients.hf("newest"), "buckets", "sync", target, "theirs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path: data for path, (data, _) in contents(tmp_path / "theirs").items()} == {path: data for path, (data, _) in contents(tree).items()}
    (tree / "theirs").write_text("by hf")
    server.run(clients.hf("newest"), "buckets", "sync", str(tree), target, cwd=tmp_path)
    assert "Nothing to sync." in hearth("sync", tree, target).stdout


COMMANDS = [["ls", "BUCKET", "-R"], ["ls", "BUCKET"], ["ls", "BUCKET/a", "-R", "-h"], ["ls", "BUCKET", "-R", "--tree"],
            ["ls", "BUCKET", "--json", "-R"], ["ls", "BUCKET", "-q"], ["ls", "BUCKET/none"], ["info", "BUCKET", "--json"],
            ["rm", "BUCKET/a", "-R", "--dry-run"], ["rm", "BUCKET/plain.txt", "--dry-run"], ["ls", "alice/none"], ["rm", "BUCKET"], ["ls", "-R"],
            ["cp", "URI", "."], ["cp", "x", "y"], ["cp", "URI/plain.txt", "-"], ["sync", "x", "y"], ["sync", "nowhere", "URI"],
            ["delete", "name"], ["mv", "BUCKET/a", "alice/x"], ["settings", "BUCKET"]]


def test_prints_what_hf_prints(server, hearth, bucket, tree, tmp_path):
    hearth("sync", tree, f"hf://buckets/{bucket}")
    commands = [[word.replace("URI", f"hf://buckets/{bucket}").replace("BUCKET", bucket) for word in words] for words in COMMANDS]
    done = server.run(clients.python("newest"), "-c", MANY, input=json.dumps(commands), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for words, (status, theirs) in zip(commands, json.loads(done.stdout), strict=True):
        ours = server.hearth("bucket", *words, cwd=tmp_path)
        if "--json" in words:
            def without_times(text):
                return re.sub(r'"(\w*_at|mtime)": "[^"]*"', r'"\1": "…"', json.dumps(json.loads(text), sort_keys=True))
            assert without_times(ours.stdout) == without_times(theirs), words
        else:
            assert ours.stdout == theirs, words
        assert (ours.returncode == 0) == (status == 0), (words, ours, theirs)
        assert bool(ours.stderr) or ours.returncode == 0


def test_single_files(server, hearth, bucket, tmp_path):
    uri = f"hf://buckets/{bucket}"
    (tmp_path / "one").write_text("one")
    hearth("cp", "one", f"{uri}/")
    hearth("cp", "one", f"{uri}/folder/")
    hearth("cp", "one", f"{uri}/folder/two")
    hearth("cp", "-", f"{uri}/piped", input="from a pipe")
    assert {path: data for path, (data, _) in on_server(server, bucket).items()} == {
        "one": b"one", "folder/one": b"one", "folder/two": b"one", "piped": b"from a pipe"}
    assert hearth("cp", f"{uri}/piped", "-").stdout == "from a pipe"
    hearth("cp", f"{uri}/piped")
    assert (tmp_path / "piped").read_text() == "from a pipe"
    (tmp_path / "into").mkdir()
    hearth("cp", f"{uri}/folder/two", "into")
    assert (tmp_path / "into" / "two").read_text() == "one"
    hearth("cp", f"{uri}/folder", f"{uri}/copied")
    assert {"copied/one", "copied/two"} <= set(on_server(server, bucket))
    hearth("cp", f"{uri}/missing", "-", status=1)
    assert "SIZE" in hearth("du", bucket).stdout


def test_a_download_that_fails_leaves_the_old_file(hearth, bucket, tmp_path):
    (tmp_path / "kept").write_text("old")
    hearth("cp", f"hf://buckets/{bucket}/missing", "kept", status=1)
    assert (tmp_path / "kept").read_text() == "old" and os.listdir(tmp_path) == ["kept"]


def test_whole_buckets(server, hearth):
    name = f"w{os.urandom(4).hex()}"
    assert f"hf://buckets/alice/{name}" in hearth("create", name, "--private").stdout
    assert "already" in hearth("create", name, status=1).stderr
    hearth("create", f"alice/{name}", "--exist-ok")
    assert json.loads(hearth("info", f"alice/{name}", "--json").stdout)["private"] is True
    hearth("settings", f"alice/{name}", "--public")
    assert json.loads(hearth("info", f"alice/{name}", "--json").stdout)["private"] is False
    assert name in hearth("ls").stdout and name in hearth("ls", "alice", "--search", name[:6]).stdout
    hearth("mv", f"alice/{name}", f"alice/{name}x")
    assert hearth("delete", f"alice/{name}x", status=1, input="n\n").returncode == 1
    hearth("delete", f"alice/{name}x", input="y\n")
    hearth("delete", f"alice/{name}x", "--yes", status=1)
    hearth("delete", f"alice/{name}x", "--yes", "--missing-ok")


@pytest.mark.parametrize("words", [["ls", "NAME"], ["info", "NAME"], ["du", "NAME"], ["delete", "NAME", "-y"], ["mv", "alice/x", "NAME"],
                                   ["settings", "NAME", "--private"], ["cp", "hf://buckets/NAME/a/file", "."]])
def test_a_bare_name_is_completed(hearth, bucket, words):
    name = bucket.split("/")[1]
    said = hearth(*[word.replace("NAME", name) for word in words], status=1).stderr
    assert "Did you mean" in said and bucket in said, said


def test_what_is_missing_is_named(server, hearth, bucket):
    assert "alice/none" in hearth("ls", "alice/none", status=1).stderr
    assert "no file none.txt" in hearth("cp", f"hf://buckets/{bucket}/none.txt", "-", status=1).stderr
    # Another user learns nothing about buckets that are not theirs.
    assert server.call("POST", f"/api/buckets/{bucket}x", json={"private": True}).status_code == 200
    answer = server.call("GET", f"/api/buckets/{bucket}x", token="")
    assert answer.status_code == 401 and bucket not in answer.text
    server.call("DELETE", f"/api/buckets/{bucket}x")


def test_volumes_of_buckets_that_are_named_wrongly(server, bucket):
    owner, name = bucket.split("/")
    for volume, expected in ((f"hf://{bucket}:/o", "hf://buckets/ in front"), (f"hf://buckets/{name}:/o", "OWNER/NAME"),
                             (f"hf://buckets/{bucket}:/o:rx", "':rx' behind the mount path"), (f"hf://buckets/{bucket}:o", "Missing mount path"),
                             ("/etc:/o:rx", "':rx' behind the mount path")):
        done = server.hearth("run", "-v", volume, "busybox", "true")
        assert done.returncode == 1 and expected in done.stderr, (volume, done.stderr)


def test_nothing_that_is_not_there_is_said_to_be_removed(hearth, bucket, tree):
    hearth("sync", tree, f"hf://buckets/{bucket}")
    assert "No files to remove" in hearth("rm", f"{bucket}/none", "-y").stdout
    assert "--recursive" in hearth("rm", f"{bucket}/a", "-y", status=1).stderr


def test_what_cannot_be_removed_is_not_said_to_be_gone(server, hearth, bucket):
    """What an operator put into the bucket by hand may not be the server's to remove."""
    folder = server.state / "buckets" / bucket / "by-hand"
    folder.mkdir()
    (folder / "file").write_text("data")
    folder.chmod(0o755)  # root's
    assert "cannot be removed" in hearth("rm", f"{bucket}/by-hand/file", "-y", status=1).stderr
    assert "by-hand/file" in hearth("ls", bucket, "-R").stdout
    shutil.chown(folder, "hearth")
    hearth("rm", f"{bucket}/by-hand/file", "-y")
    assert not on_server(server, bucket) and not folder.exists()


def test_removing_asks(server, hearth, bucket, tree):
    hearth("sync", tree, f"hf://buckets/{bucket}")
    hearth("rm", f"{bucket}/plain.txt", status=1, input="\n")
    assert "plain.txt" in on_server(server, bucket)
    assert "Use --yes" in hearth("rm", f"{bucket}/plain.txt", "--json", status=1).stderr
    hearth("rm", f"{bucket}/plain.txt", "-y")
    hearth("rm", bucket, "-R", "-y", "--include", "*.txt")
    assert sorted(on_server(server, bucket)) == ["a/b c/empty", "a/b c/large"]
    hearth("rm", bucket, "-R", "-y")
    wait_until(lambda: not on_server(server, bucket), what="an empty bucket")
