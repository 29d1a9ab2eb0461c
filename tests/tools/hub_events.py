# SPDX-License-Identifier: Apache-2.0
"""Payloads of version 3, one of every kind that the Hub documents (hub-jobs-api 4.4), for a repository of any type."""
import copy
import itertools

SHA = itertools.count(1)


def sha():
    return f"{next(SHA):040x}"


def samples(name="acme/raw", kind="dataset", private=False):
    """(title, payload) of every kind of event."""
    folder = "" if kind == "model" else f"{kind}s/"
    web = f"https://hub.example/{folder}{name}"
    repo = {"type": kind, "name": name, "id": "6366c000a2abcdf2fd69a080", "private": private,
            "url": {"web": web, "api": f"https://hub.example/api/{kind}s/{name}"},
            "headSha": "c379e821c9c95d613899e8c4343e4bfee2b0c600", "tags": ["license:other", "has_space"],
            "owner": {"id": "61d2000c3c2083e1c08af22d"}}
    if kind == "space":
        repo["subdomain"] = "acme-raw"
    discussion = {"id": "6399f58518721fdd27fc9ca9", "title": "Update co2 emissions", "num": 19, "status": "open", "isPullRequest": True,
                  "author": {"id": "61d2000c3c2083e1c08af22d"}, "changes": {"base": "refs/heads/main"}, "pinned": False,
                  "url": {"web": f"{web}/discussions/19", "api": f"https://hub.example/api/{kind}s/{name}/discussions/19"}}
    comment = {"id": "6398872887bfcfb93a306f18", "author": {"id": "61d2000c3c2083e1c08af22d"}, "content": "This adds an env key – ✓",
               "hidden": False, "url": {"web": f"{web}/discussions/19#6398872887bfcfb93a306f18"}}
    branch = {"ref": "refs/heads/main", "oldSha": sha(), "newSha": sha()}

    def event(action, scope, **more):
        return {"event": {"action": action, "scope": scope}, "repo": copy.deepcopy(repo),
                "webhook": {"id": "6390e855e30d9209411de93b", "version": 3}, **copy.deepcopy(more)}
    merged = {**discussion, "status": "merged", "changes": {"base": "refs/heads/main", "mergeCommitId": sha()}}
    return [
        ("create", event("create", "repo")),
        ("delete", event("delete", "repo")),
        ("move", event("move", "repo", movedTo={"name": name + "-2", "owner": {"id": "61d2000c3c2083e1c08af22d"}})),
        ("content", event("update", "repo.content", updatedRefs=[branch])),
        ("tag", event("update", "repo.content", updatedRefs=[{"ref": "refs/tags/v1", "oldSha": None, "newSha": sha()}])),
        ("branch gone", event("update", "repo.content", updatedRefs=[{"ref": "refs/heads/old", "oldSha": sha(), "newSha": None}])),
        ("config", event("update", "repo.config", updatedConfig={"private": private})),
        ("config that is not told", event("update", "repo.config", updatedConfig={})),
        ("discussion", event("create", "discussion", discussion={**discussion, "isPullRequest": False}, comment=comment)),
        ("pull request", event("create", "discussion", discussion=discussion, comment={**comment, "id": "6398872887bfcfb93a306f19"})),
        ("merge", event("update", "discussion", discussion=merged)),
        ("discussion gone", event("delete", "discussion", discussion=discussion)),
        ("comment", event("create", "discussion.comment", discussion=discussion, comment={**comment, "id": "6398872887bfcfb93a306f1a"})),
        ("hidden comment", event("update", "discussion.comment", discussion=discussion,
                                 comment={key: value for key, value in {**comment, "hidden": True}.items() if key != "content"})),
        ("a new kind", event("update", "repo.content.lfs", somethingNew={"a": [1, None, 2.5]})),
    ]
