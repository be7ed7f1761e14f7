"""The house stands as designed: imports point down, heavy packages stay out until they are needed."""

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import clapboard

SOURCE = Path(clapboard.__file__).parent
FLOORS = {
    "values": 1, "timebase": 1, "errors": 1, "runtime": 1, "files": 1, "melscale": 1,
    "sound": 2, "vision": 2, "sync": 2, "media": 2, "speakers": 2, "report": 2, "verdict": 2, "metrics": 2,
    "synthesis": 2,
    "models": 3,
    "pipeline": 4, "testing": 4,
    "anysound": 5, "dataset": 5, "embeddings": 5, "speaking": 5, "footage": 5, "published": 5,
    "serving": 5,
    "checking": 6, "evaluation": 6, "batch": 6, "scoring": 6, "syncnet_files": 6,
    "curation": 6, "study": 6, "dubbing": 6,
    "training": 7, "repair": 7,
    "cli": 8,
}  # fmt: skip
HEAVY = ("numpy", "av", "onnxruntime", "onnx", "joblib", "lz4", "rich", "typer", "torch", "PIL")
NEVER = ("torch", "cv2", "tensorflow", "mtcnn")


@cache
def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name, but for the front doors, which stand on no floor."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        if name not in ("__init__", "__main__"):
            found[name] = path
    return found


def imports(path: Path) -> set[str]:
    """Return what a file imports from the package, at its top or later, without the leading ``clapboard.``."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "clapboard"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "clapboard":
            for alias in node.names:
                longer = f"{node.module}.{alias.name}"
                found.add(longer if longer.removeprefix("clapboard.") in modules() else str(node.module))
    return {name.removeprefix("clapboard.") for name in found if name != "clapboard"}


def packages(path: Path) -> set[str]:
    """Return the top-level packages that a file imports, at its top or later."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def loaded_by(statement: str) -> set[str]:
    """Return the top-level packages that a fresh interpreter has after a statement."""
    code = f"{statement}\nimport sys\nprint('\\n'.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_every_module_stands_on_a_floor() -> None:
    """A new top-level module needs a place in the design."""
    assert {name.split(".")[0] for name in modules()} <= set(FLOORS)


def test_imports_point_down() -> None:
    """A module imports only from lower floors and from its own stage; the ground floor may use itself."""
    wrong = []
    for name, path in modules().items():
        home = name.split(".")[0]
        for other in imports(path):
            stage = other.split(".")[0]
            if stage != home and FLOORS[stage] >= FLOORS[home] and not FLOORS[stage] == FLOORS[home] == 1:
                wrong.append(f"{name} imports {other}")
    assert wrong == []


def test_no_two_files_import_each_other() -> None:
    """No cycles, inside a stage or across, lazy imports included."""
    graph = {name: imports(path) & set(modules()) for name, path in modules().items()}
    while True:
        leaves = {name for name, needs in graph.items() if not needs}
        if not leaves:
            break
        graph = {name: needs - leaves for name, needs in graph.items() if name not in leaves}
    assert graph == {}, "in a cycle, or above one"


def test_the_walk_sees_imports() -> None:
    """The three tests above would pass on an empty list: make sure that there is something to judge."""
    assert {"errors", "values"} <= imports(SOURCE / "verdict.py")
    assert "checking" in imports(SOURCE / "cli" / "check.py")
    assert "media.write" in imports(SOURCE / "repair.py")


def test_no_module_has_a_standard_name() -> None:
    """A script started inside the package's folder would import ours in place of the standard one."""
    assert {name.split(".")[0] for name in modules()} & sys.stdlib_module_names == set()


def test_only_training_imports_torch() -> None:
    """Nor does anybody import OpenCV or TensorFlow, or the package that carries the face nets."""
    wrong = [
        f"{name} imports {other}"
        for name, path in modules().items()
        for other in packages(path).intersection(NEVER)
        if not (other == "torch" and name.startswith("training"))
    ]
    assert wrong == []


def test_only_media_imports_pyav() -> None:
    """Its interface changes between versions: one stage has to follow it. Made clips need it to write files."""
    users = {name.split(".")[0] for name, path in modules().items() if "av" in packages(path)}
    assert users <= {"media", "testing"}


def test_only_one_place_imports_onnx_runtime() -> None:
    """That place turns off the telemetry, which has to happen before the first import."""
    assert {name for name, path in modules().items() if "onnxruntime" in packages(path)} == {"runtime"}


def test_only_the_server_imports_starlette_and_uvicorn() -> None:
    """They are an extra: pages are plain functions, and reports of answers need no server."""
    users = {name for name, path in modules().items() if packages(path) & {"starlette", "uvicorn"}}
    assert users == {"serving.web.app", "serving.web.guard", "serving.web.run"}


def test_pages_without_the_extra_say_what_to_install() -> None:
    """Protects people without it: one line that names it, and all that needs no server still loads."""
    code = (
        "import sys, importlib.util; sys.modules['uvicorn'] = sys.modules['starlette'] = None\n"
        "import clapboard.serving.site, clapboard.serving.database\n"
        "try:\n    import clapboard.serving.web\n"
        "except Exception as error:\n    print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "MissingExtraError pages need starlette and uvicorn: pip install 'clapboard[serve]'"


def test_the_networks_write_nothing_to_the_home_directory(tmp_path: Path) -> None:
    """ONNX Runtime's telemetry would keep a device identifier there, and call out."""
    code = "from clapboard.vision.mtcnn import Mtcnn; Mtcnn()"
    home = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    switch = {"ORT_DISABLE_TELEMETRY": ""}
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **home, **switch})
    assert list(tmp_path.rglob("*")) == []


def test_bare_import_costs_nothing() -> None:
    """``import clapboard`` in somebody's script loads no package at all."""
    assert not loaded_by("import clapboard").intersection(HEAVY)


def test_the_command_lets_numpy_multiply_in_one_thread(tmp_path: Path) -> None:
    """Protects the CPU seconds of every command: NumPy reads it when it is imported, so it has to be set before."""
    code = (
        "import os, sys\nfrom clapboard.cli import main, app\nassert 'numpy' not in sys.modules\n"
        "app.run = lambda argv: print(os.environ['OPENBLAS_NUM_THREADS']) or 0\nmain([])\n"
        "assert 'OPENBLAS_NUM_THREADS' not in os.environ"
    )
    env = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout == "1\n"


def test_help_loads_nothing_that_measures() -> None:
    """``clapboard check --help`` answers at once."""
    loaded = loaded_by("from clapboard.cli import main\nmain(['check', '--help'])")
    assert "typer" in loaded
    assert not loaded.intersection(("numpy", "av", "onnxruntime", "onnx", "joblib", "torch", "PIL"))


@pytest.mark.parametrize("module", ["clapboard", "clapboard.cli.app", "clapboard.pipeline", "clapboard.repair"])
def test_nothing_pulls_in_a_training_framework(module: str) -> None:
    """Inference runs without torch, OpenCV and TensorFlow, and never imports them where they happen to be installed."""
    assert not loaded_by(f"import {module}").intersection(NEVER)


def test_public_names() -> None:
    """Every name that is promised exists, is listed, and comes from the place its type checker sees."""
    for name in clapboard.__all__:
        assert getattr(clapboard, name) is not None
        assert name in dir(clapboard)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = clapboard.nonsense


def test_training_without_torch_says_what_to_install() -> None:
    """Protects people without the extra: one line that names it, before anything else is imported."""
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "try:\n    import clapboard.training\n"
        "except Exception as error:\n    print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "MissingExtraError training needs torch: pip install 'clapboard[train]'"
