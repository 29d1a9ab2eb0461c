# SPDX-License-Identifier: Apache-2.0
"""Our cron against croniter, an independent implementation from PyPI (tests/tools/compare_cron.py)."""
import re
import subprocess
import sys

from server import TOP


def test_ten_thousand_random_expressions():
    done = subprocess.run([sys.executable, TOP / "tests" / "tools" / "compare_cron.py", "10000"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+)  equal", done.stdout).group(1)) > 9000, done.stdout
