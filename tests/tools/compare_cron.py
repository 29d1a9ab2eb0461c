# SPDX-License-Identifier: Apache-2.0
"""Our cron against croniter from PyPI, an independent implementation: random expressions at random times.

    /usr/bin/python3 tests/tools/compare_cron.py [PAIRS [SEED]]

Where the two differ on purpose, nothing is compared:
- impossible dates: we refuse them at once, croniter searches and gives up;
- near a clock change (within three days): our rule is another one (job/cron.h); unit tests check it against the C library;
- years behind 2199 and before 1970.
"""
import collections
import datetime
import os
import pathlib
import random
import subprocess
import sys
import zoneinfo

TOP = pathlib.Path(__file__).resolve().parents[2]
FOLDER = TOP / ".cache" / "clients" / "croniter"
ZONES = [None, None, None, "Europe/Paris", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo"]
RANGES = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 6), "second": (0, 59)}
NAMES = {"month": "jan feb mar apr may jun jul aug sep oct nov dec".split(), "weekday": "sun mon tue wed thu fri sat".split()}
DAY = 86400


def client():
    """Python with croniter; made once."""
    if not (FOLDER / "complete").exists():
        subprocess.run(["/usr/bin/python3", "-m", "venv", FOLDER], check=True)
        subprocess.run([FOLDER / "bin" / "pip", "install", "-q", "--disable-pip-version-check", "croniter"], check=True)
        (FOLDER / "complete").touch()
    return FOLDER / "bin" / "python"


def item(rng, kind):
    low, high = RANGES[kind]
    a, b = sorted((rng.randint(low, high), rng.randint(low, high)))
    step = rng.randint(1, high - low)
    names = NAMES.get(kind)
    form = rng.randrange(8)
    if form == 0 and names:
        word = names[a - low]
        return rng.choice([word, word.upper()])
    if form == 1 and names and a < b:
        return f"{names[a - low]}-{names[b - low]}"
    if form in (2, 3) and a < b:
        return f"{a}-{b}" + (f"/{min(step, b - a)}" if form == 3 else "")
    if form == 4:
        return f"{a}/{step}"
    return "7" if kind == "weekday" and a == 0 and rng.random() < 0.5 else str(a)


def field(rng, kind):
    low, high = RANGES[kind]
    form = rng.randrange(5)
    if form == 0:
        return "*"
    if form == 1:
        return f"*/{rng.randint(1, high - low)}"
    return ",".join(item(rng, kind) for _ in range(rng.choice([1, 1, 1, 2, 3])))


def expression(rng):
    words = [field(rng, kind) for kind in ("minute", "hour", "day", "month", "weekday")]
    if rng.random() < 0.2:
        words.insert(0, field(rng, "second"))
    return " ".join(words)


def near_a_change(zone, at):
    offset = {zone.utcoffset(datetime.datetime.fromtimestamp(at + k * DAY, datetime.timezone.utc).astimezone(zone)) for k in (-3, -2, -1, 0, 1, 2, 3)}
    return len(offset) > 1


def compare(pairs, seed):
    from croniter import CroniterBadCronError, CroniterBadDateError, croniter
    rng = random.Random(seed)
    program = pathlib.Path(os.environ.get("HEARTH_BUILD", TOP / "build")) / "tests/tools/cron_alone"
    ours = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1 << 20)
    seen = collections.Counter()
    left = pairs
    while left > 0:
        batch = [(expression(rng), rng.choice(ZONES), rng.randint(0, 4102444800 - 1)) for _ in range(min(left, 200))]
        left -= len(batch)
        for text, zone, at in batch:
            ours.stdin.write((f"CRON_TZ={zone} " if zone else "") + f"{text}\t{at}\n")
        ours.stdin.flush()
        for text, zone, at in batch:
            said = ours.stdout.readline().strip()
            info = zoneinfo.ZoneInfo(zone or "UTC")
            try:
                begin = datetime.datetime.fromtimestamp(at, datetime.timezone.utc).astimezone(info)
                theirs = croniter(text, begin, second_at_beginning=True, implement_cron_bug=True, max_years_between_matches=60).get_next(datetime.datetime)
                theirs = int(theirs.timestamp())
            except CroniterBadDateError:
                theirs = None
            except CroniterBadCronError as error:
                seen["refused by croniter only" if not said.startswith("error") else "refused by both"] += 1
                if not said.startswith("error"):
                    print(f"croniter refuses {text!r}: {error}")
                continue
            if said.startswith("error"):
                assert "never comes" in said and theirs is None, (text, zone, at, said, theirs)
                seen["never: both"] += 1
            elif theirs is None:
                seen["rarer than croniter looks"] += 1
                assert said == "never" or int(said) - at > 25 * 366 * DAY, (text, zone, at, said)
            elif zone and (near_a_change(info, theirs) or near_a_change(info, int(said)) or near_a_change(info, at)):
                seen["near a clock change: not compared"] += 1
            else:
                assert int(said) == theirs, (text, zone, at, f"ours {said}, croniter {theirs}, difference {int(said) - theirs} s")
                seen["equal"] += 1
    ours.stdin.close()
    ours.wait()
    return seen


if __name__ == "__main__":
    if str(FOLDER) not in sys.prefix:
        os.execv(client(), [client(), __file__, *sys.argv[1:]])
    counts = compare(int(sys.argv[1]) if len(sys.argv) > 1 else 10000, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    for what, count in counts.most_common():
        print(f"{count:9d}  {what}")
