import ast
import json
import pathlib
import subprocess
import sys

import kcv.edge

FOLDER = pathlib.Path(kcv.edge.__file__).parent
# flatbuffers comes with ai_edge_litert, whose schema needs it.
ALLOWED = {*sys.stdlib_module_names, "numpy", "PIL", "ai_edge_litert", "flatbuffers"}


def modules(code):
    code += "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_sources_import_only_what_a_device_has():
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            for name in names:
                ours = name.startswith("kcv.edge")
                assert ours or name.split(".")[0] in ALLOWED, f"{path.name}: {name}"


def test_importing_needs_the_standard_library_alone():
    found = modules("import kcv.edge")
    assert "kcv.edge" in found
    assert not found & {"numpy", "PIL", "ai_edge_litert", "tensorflow", "keras"}


def test_answering_needs_no_tensorflow_keras_or_drawing(tiny):
    found = modules(
        "import kcv.edge, numpy as np\n"
        f"c = kcv.edge.load({str(tiny['uint8'])!r})\n"
        "c.predict(np.zeros((9, 9, 3), 'uint8'))"
    )
    heavy = {"tensorflow", "keras", "absl", "rich", "matplotlib", "scipy", "h5py"}
    assert "ai_edge_litert.interpreter" in found
    assert not found & heavy
    ours = {name for name in found if name.startswith("kcv.")}
    assert all(name.startswith("kcv.edge") for name in ours), ours
