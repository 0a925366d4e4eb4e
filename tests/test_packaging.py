"""The wheel holds everything, and works from a folder whose own modules are called like ours."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "cohortflow": "src/cohortflow",
    "flows": "flows",
    "tasks": "tasks",
    "pipelines": "pipelines",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_holds_every_file_of_the_four_packages(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        f"{package}/{path.relative_to(ROOT / folder).as_posix()}"
        for package, folder in PACKAGES.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted - packed == set()
    assert {f"{package}/py.typed" for package in PACKAGES} <= packed
    assert any(name.startswith("pipelines/") and name.endswith(".yaml") for name in packed)


def test_wheel_holds_nothing_else(wheel: Path) -> None:
    strangers = {
        name
        for name in zipfile.ZipFile(wheel).namelist()
        if name.split("/")[0] not in PACKAGES and ".dist-info/" not in name
    }
    assert strangers == set()


def test_wheel_carries_licence_and_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name).name: name for name in archive.namelist() if ".dist-info/" in name}
        assert "Apache License" in archive.read(names["LICENSE"]).decode()
        entry_points = archive.read(names["entry_points.txt"]).decode()
    assert "cohortflow = flows.cli:main" in entry_points


@pytest.mark.slow
def test_command_works_beside_modules_called_like_ours(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    purelib = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    ).strip()
    # A plain directory line: the dependencies are found,
    # the editable install's own .pth is not read.
    Path(purelib, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    install += ["--no-deps", "--no-index", "--ignore-installed", str(wheel)]
    subprocess.run(install, check=True, timeout=120)

    folder = tmp_path / "folder"
    folder.mkdir()
    for module in ("tasks", "flows", "pipelines"):
        (folder / f"{module}.py").write_text(f"raise RuntimeError('not our {module}')\n")
    for arguments in (["info"], ["list", "pipelines"]):
        done = subprocess.run(
            [environment / "bin" / "cohortflow", *arguments],
            cwd=folder,
            env={name: v for name, v in os.environ.items() if name != "PYTHONPATH"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.strip()
    located = subprocess.check_output(
        [python, "-I", "-c", "import tasks; print(tasks.__file__)"], text=True, cwd=folder
    )
    assert located.startswith(purelib), "the wheel's own package, not the checkout's"
