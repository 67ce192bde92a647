"""The checks, each in an environment of its own; continuous integration runs the same sessions."""

import os
import shutil
from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13"]

nox.options.sessions = ["lint", "types", "tests", "bare", "docs"]
nox.options.error_on_missing_interpreters = False


@nox.session
def lint(session: nox.Session) -> None:
    session.install("--editable", ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    session.install("--editable", ".[all,dev]")
    session.run("mypy")
    session.run("pyright", env={"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"})


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    session.install("--editable", ".[all,dev]")
    session.run("pytest", "-n", "auto", "--dist", "loadscope", *session.posargs)


@nox.session(python=PYTHONS)
def bare(session: nox.Session) -> None:
    session.install(".")
    session.run("python", "-m", "pip", "check")
    session.run("python", "-P", "-W", "error", "tests/bare_install.py")


@nox.session
def docs(session: nox.Session) -> None:
    session.install("--editable", ".[dev,docs]")
    session.run("mkdocs", "build", "--strict", "--quiet", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def safety(session: nox.Session) -> None:
    """The long forms: kills, power cuts, attackers, broken connections. `SAFETY_SCALE=0.1`: a tenth."""
    if shutil.which("strace") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        session.run("apt-get", "update", "-qq", external=True)
        session.run("apt-get", "install", "-y", "-qq", "strace", external=True)
    session.install("--editable", ".[dev]")
    session.run("pytest", "tests/safety", "tests/drivers", "-m", "long", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    session.install("--editable", ".[bench]")
    for script in sorted(Path("benchmarks").glob("[!_]*.py")):
        session.run("python", str(script))
