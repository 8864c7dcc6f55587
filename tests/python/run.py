"""Run test files with pytest for CTest: exit 77 with a word where nothing could be checked here.

    python run.py PACKAGE_FOLDER TEST_FILE...      PACKAGE_FOLDER: where the built `umwelt` lies
"""
import importlib.util
import sys


class Tally:
    """Counts what ran, and remembers why the rest did not."""

    def __init__(self):
        self.ran, self.reasons = 0, []

    def _see(self, report):
        if report.skipped and isinstance(report.longrepr, tuple):
            self.reasons.append(report.longrepr[2])
        elif getattr(report, "when", "") == "call":
            self.ran += 1

    pytest_runtest_logreport = pytest_collectreport = lambda self, report: self._see(report)


def main():
    missing = [m for m in ("numpy", "cffi", "pytest") if importlib.util.find_spec(m) is None]
    if missing:
        print(f"skipped: {sys.executable} has no {', no '.join(missing)} (UW_PYTHON_PEERS names another interpreter)")
        return 77
    import pytest
    sys.path.insert(0, sys.argv[1])
    tally = Tally()
    code = pytest.main(["-q", "-p", "no:cacheprovider", "-W", "ignore", *sys.argv[2:]], plugins=[tally])
    for reason in tally.reasons:
        print("skipped:", reason.removeprefix("Skipped: "))
    nothing = tally.ran == 0 and tally.reasons and code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    return 77 if nothing else int(code)


if __name__ == "__main__":
    sys.exit(main())
