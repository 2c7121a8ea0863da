"""Runs the tests of the panel in a kernel with ipykernel 6.31, the oldest that is allowed, with 7.3 and the newest.

    python tools/kernels.py [version ...]

Where a button's callback runs has changed: on the main thread in ipykernel 6, on a thread of its own in 7.0 to 7.3,
on the main thread again since. Each version gets a small environment in .venv-kernels, which stays for the next run.
Needs a package index; `make test` runs the same tests with the installed version only.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / ".venv-kernels"
VERSIONS = ["6.31.*", "7.3.*", ">=7.4"]
WITH = [
    "ipywidgets>=8.1.5,<9",
    "anywidget>=0.9.18,<1",
    "greenlet>=3.2,<4",
    "orjson>=3.10.7,<4",
    "nbclient>=0.10.2",
    "pytest>=9,<10",
]
TESTS = ["tests/widgets/test_kernel.py", "tests/widgets/test_kernel_clicks.py"]


def main(versions: list[str]) -> int:
    """Test each version; returns 0 if all passed."""
    results = {version: tested(version) for version in versions or VERSIONS}
    for version, result in results.items():
        print(f"ipykernel {version}: {result}")
    return 0 if set(results.values()) == {"passed"} else 1


def tested(version: str) -> str:
    """Set up the environment of one version and run the tests in it."""
    wanted = f"ipykernel{version}" if version[0] in "<>=" else f"ipykernel=={version}"
    folder = PLACE / "".join(letter if letter.isalnum() or letter == "." else "_" for letter in version)
    python = folder / "bin" / "python"
    print(f"--- {wanted}", flush=True)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    uv = shutil.which("uv")
    install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    if subprocess.run([*install, "--quiet", "--upgrade", wanted, *WITH, "-e", "."], cwd=ROOT).returncode:
        return "not set up"
    show = "import ipykernel; print('ipykernel', ipykernel.__version__)"
    subprocess.run([python, "-c", show], check=True)
    command = [python, "-m", "pytest", "-q", "-m", "", "-p", "no:cacheprovider", *TESTS]
    return "failed" if subprocess.run(command, cwd=ROOT).returncode else "passed"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
