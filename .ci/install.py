#!/usr/bin/env python3
"""Does the package install and answer far from the checkout, with old libraries and with new?

    .ci/install.py           # wheel twice, sdist; newest and oldest libraries on every Python found
    .ci/install.py --quick   # only the wheel, built twice, in one environment
    .ci/install.py --tests   # besides, the tests with the oldest libraries

Builds from the last commit, so that nothing left lying about gets in. Every environment gets the
same postings; all answers must have the same bytes. Needs the network, for pip.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
POSTINGS = """id,title,description
1,Head of Customer Experience,Own the journey map and the listening programme of all customers.
2,Customer Experience Representative,Answer calls and chats of customers in shifts.
3,Caf\u00e9 Manager,
"""


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command that must succeed; its output."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP_", "VIRTUAL"))}
    clean |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=clean, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def pythons() -> list[str]:
    """Interpreters of every version that the package allows, as far as they are here."""
    found = {}
    for version in ("3.11", "3.12", "3.13"):
        pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
        path = shutil.which(f"python{version}") or (pyenv[-1] if pyenv else None)
        if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            found[version] = str(path)
        elif pyenv:
            found[version] = str(pyenv[-1])
    return list(found.values())


def oldest() -> str:
    """Each dependency's lower bound as a constraint."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["notebook"], *extras["xlsx"]]
    bounds = [re.match(r"([\w.-]+)>=([\w.]+)", one) for one in wanted]
    return "".join(f"{bound[1]}=={bound[2]}\n" for bound in bounds if bound)


def build(work: Path) -> tuple[Path, Path]:
    """Wheel and sdist; the wheel is built in two places, and from the sdist, to equal bytes."""
    moment = run("git", "log", "-1", "--format=%ct", cwd=ROOT).strip()
    tools = work / "tools"
    run(sys.executable, "-m", "venv", tools, cwd=work)
    run(tools / "bin/pip", "install", "-q", "build", "hatchling", cwd=work)
    wheels = []
    for name in ("one", "another/deeper"):
        source = work / name
        source.mkdir(parents=True)
        archive = work / "head.tar"
        run("git", "archive", "-o", archive, "HEAD", cwd=ROOT)
        shutil.unpack_archive(archive, source)
        # Without --sdist and --wheel, build makes the wheel from the sdist.
        which = ("--sdist", "--wheel") if name == "one" else ()
        run(
            tools / "bin/python", "-m", "build", "-q", "--no-isolation", *which, cwd=source,
            SOURCE_DATE_EPOCH=moment,
        )  # fmt: skip
        wheels += sorted((source / "dist").glob("*.whl"))
    hashes = {hashlib.sha256(path.read_bytes()).hexdigest() for path in wheels}
    if len(hashes) != 1:
        sys.exit(f"The wheel differs from build to build: {hashes}")
    size = wheels[0].stat().st_size / 2**20
    print(f"reproducible wheel, {size:.1f} MB, sha256 {hashes.pop()[:16]}", flush=True)
    return wheels[0], next((work / "one/dist").glob("*.tar.gz"))


def installed(work: Path, name: str, python: str, *what: str | Path) -> bytes:
    """A fresh environment with the package in it, and what it answers."""
    began, place, away = time.monotonic(), work / name, work / f"{name}-away"
    away.mkdir()
    run(python, "-m", "venv", place, cwd=away)
    run(place / "bin/pip", "install", "-q", *what, cwd=away)
    run(place / "bin/pip", "check", cwd=away)
    where = run(place / "bin/python", "-c", "import cxjobs; print(cxjobs.__file__)", cwd=away)
    if not where.startswith(str(place)):
        sys.exit(f"{name}: the package is taken from {where}")
    (away / "postings.csv").write_text(POSTINGS, "utf-8")
    (away / "home").mkdir()
    command = place / "bin/cxjobs"
    run(command, "model", "verify", cwd=away)
    said = run(command, "predict", "Head of Customer Experience", "--json", cwd=away)
    run(command, "classify", "postings.csv", "-o", "a.csv", "--quiet", "--evidence", cwd=away)
    answer = said.encode() + (away / "a.csv").read_bytes()
    print(f"{name}: {len(answer)} bytes of answers, {time.monotonic() - began:.0f} s", flush=True)
    return answer


def main() -> None:
    """Build, install, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one environment only")
    parser.add_argument("--tests", action="store_true", help="also the tests with the oldest")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        wheel, sdist = build(work)
        limits = work / "oldest.txt"
        limits.write_text(oldest())
        found = pythons()
        places = {"wheel": (found[0], wheel)}
        if not asked.quick:
            places["sdist"] = (found[-1], sdist)
            for python in found:
                version = run(python, "-V", cwd=work).split()[1]
                places[f"newest {version}"] = (python, wheel)
                places[f"oldest {version}"] = (python, wheel, "-c", limits)
        answers = {name: installed(work, name, *what) for name, what in places.items()}
        if asked.tests:
            name = "oldest-with-tests"
            answers[name] = installed(work, name, found[0], f"{wheel}[test]", "-c", limits)
            python = work / name / "bin/python"
            print(run(python, "-m", "pytest", "-q", "tests", cwd=work / "one")[-2000:], flush=True)
        if len(set(answers.values())) != 1:
            sys.exit(f"Answers differ: { {k: hash(v) for k, v in answers.items()} }")
    print(f"all {len(answers)} environments give the same answers")


if __name__ == "__main__":
    main()
