"""The house rules, held by a machine: who may import whom, budgets, docstrings."""

import ast
import pathlib
import re
import sys

import pytest

from kcv import zoo

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = ("kcv", "export", "edge", "tools")
FILES = sorted(
    path.relative_to(ROOT)
    for folder in (*PACKAGES, "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)
LIBRARY = [path for path in FILES if path.parts[0] in PACKAGES]
RECIPES = sorted((ROOT / "tools/recipes").glob("*.flags"))

# Which parts of kcv a part may import; a part may always import itself and kcv.files.
MAY_IMPORT = {
    "boxes": set(),
    "layers": {"boxes"},
    "losses": {"boxes"},
    "metrics": {"boxes"},
    "viz": set(),
    "classic": {"boxes"},
    "models": {"layers", "boxes"},
    "zoo": {"models"},
    "data": {"boxes", "zoo"},
    "train": {
        *("zoo", "models", "layers", "losses", "metrics", "data", "boxes", "viz"),
        "classic",
    },
}
TENSORFLOW = re.compile(r"(tensorflow|tf_keras|tensorflow_\w+)(\.|$)")
HARD_LIMIT = 300
SCRIPTS = {  # by task; a model may have one of its own
    "classification": "kcv.tools.train_classifier",
    "detection": "kcv.tools.train_detector",
    "localisation": "kcv.tools.train_localiser",
    "verification": "kcv.tools.train_verifier",
    "rcnn": "kcv.tools.train_rcnn",
    "sds": "kcv.tools.train_sds",
    "yolo_9000_025": "kcv.tools.train_yolo9000",
}
BUDGETS = {"kcv/models": 200, "kcv/layers": 120, "tools": 150}


def _tree(path):
    return ast.parse((ROOT / path).read_text())


def _module(path):
    """export/gate.py is kcv.export.gate; kcv/zoo/__init__.py is kcv.zoo."""
    parts = list(path.with_suffix("").parts)
    if parts[0] in ("export", "edge", "tools"):
        parts.insert(0, "kcv")
    return ".".join(parts).removesuffix(".__init__")


MODULES = {_module(path) for path in LIBRARY}


def imported(path, tree=None):
    """Full names of all modules that a file imports, inside functions too."""
    names = set()
    for node in ast.walk(tree or _tree(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = _module(path).split(".")
                package = package if path.name == "__init__.py" else package[:-1]
                package = package[: len(package) - node.level + 1]
                base = ".".join([*package, *base.split(".")]).rstrip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                names.add(inner if inner in MODULES else base)
    return names


def violations(path, names):
    """What DESIGN's "Who may import whom" has against these imports of a file."""
    package, part = path.parts[0], path.with_suffix("").parts[1]
    ours = {name for name in names if name.split(".")[0] == "kcv"}
    roots = {name.split(".")[1] if "." in name else "" for name in ours}
    wrong = set()
    if package == "edge":
        # flatbuffers comes with ai_edge_litert, whose schema is made of it.
        allowed = {"numpy", "PIL", "ai_edge_litert", "flatbuffers"}
        allowed |= sys.stdlib_module_names
        wrong |= {name for name in names - ours if name.split(".")[0] not in allowed}
        wrong |= {name for name in ours if not name.startswith("kcv.edge")}
    if package == "export":
        wrong |= {name for name in ours if name.startswith("kcv.tools")}
    if package == "kcv":
        wrong |= {f"kcv.{r}" for r in roots & {"export", "edge", "tools"}}
        if part in MAY_IMPORT:
            wrong |= {
                f"kcv.{r}" for r in roots - MAY_IMPORT[part] - {part, "", "files"}
            }
        if part not in ("data", "train") or "scenes" in path.parts:
            wrong |= {name for name in names if TENSORFLOW.match(name)}
        if part == "models" and len(path.parts) > 3:
            tasks = {n.split(".")[2] for n in ours if n.startswith("kcv.models.")}
            own = {path.parts[2], "classification"} | {
                file.stem for file in (ROOT / "kcv/models").glob("*.py")
            }
            wrong |= {f"kcv.models.{task}" for task in tasks - own}
    wrong |= {name for name in names if name.startswith("matplotlib.pyplot")}
    return sorted(wrong)


@pytest.mark.parametrize("path", LIBRARY, ids=str)
def test_import_direction(path):
    assert not violations(path, imported(path)), f"{path} may not import these"


@pytest.mark.parametrize(
    ("path", "source", "wrong"),
    [
        ("kcv/train/loop.py", "import kcv.export", "kcv.export"),
        ("kcv/data/digits.py", "def f():\n  from kcv import edge", "kcv.edge"),
        ("kcv/losses/focal.py", "from kcv.models import x", "kcv.models"),
        ("kcv/models/flow/a.py", "from kcv import zoo", "kcv.zoo"),
        ("kcv/models/flow/a.py", "from kcv.models.pose import b", "kcv.models.pose"),
        ("kcv/layers/roi.py", "from ..models import x", "kcv.models"),
        ("kcv/viz/boxes.py", "import tensorflow.io", "tensorflow.io"),
        ("kcv/data/scenes/a.py", "import tensorflow as tf", "tensorflow"),
        ("kcv/viz/boxes.py", "import matplotlib.pyplot as plt", "matplotlib.pyplot"),
        ("edge/classify.py", "import tensorflow", "tensorflow"),
        ("edge/classify.py", "from kcv import zoo", "kcv.zoo"),
        ("export/gate.py", "from kcv.tools import results", "kcv.tools.results"),
    ],
)
def test_import_rules_catch(path, source, wrong):
    path = pathlib.Path(path)
    assert wrong in violations(path, imported(path, ast.parse(source)))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("kcv/data/digits.py", "import tensorflow as tf"),
        ("kcv/models/flow/a.py", "from kcv.models.classification import mobilenet_v1"),
        ("edge/classify.py", "import numpy, json\nfrom kcv.edge import errors"),
        ("export/gate.py", "import tensorflow\nfrom kcv import zoo"),
    ],
)
def test_import_rules_allow(path, source):
    path = pathlib.Path(path)
    assert not violations(path, imported(path, ast.parse(source)))


def test_keras_cv_stands_behind_one_module():
    users = [str(p) for p in LIBRARY if any("keras_cv" in n for n in imported(p))]
    assert len(users) <= 1, users


def test_budgets(capsys):
    """Prints the files over their budget; none of the library passes the hard limit."""
    lines = {path: len((ROOT / path).read_text().splitlines()) for path in FILES}
    budget = {
        path: next(
            (n for start, n in BUDGETS.items() if str(path).startswith(start)),
            HARD_LIMIT,
        )
        for path in FILES
    }
    over = [f"  {p}: {lines[p]} > {budget[p]}" for p in FILES if lines[p] > budget[p]]
    if over:
        with capsys.disabled():
            print("\nover the budget of lines:", *over, sep="\n")
    assert not [str(path) for path in LIBRARY if lines[path] > HARD_LIMIT]


@pytest.mark.parametrize("path", [p for p in LIBRARY if p.parts[0] != "tools"], ids=str)
def test_public_things_have_docstrings(path):
    tree = _tree(path)
    if tree.body:
        assert ast.get_docstring(tree), f"{path} has no docstring"
    kinds = (ast.FunctionDef, ast.ClassDef)
    public = [n for n in tree.body if isinstance(n, kinds) and n.name[0] != "_"]
    assert not [node.name for node in public if not ast.get_docstring(node)]


@pytest.mark.parametrize("path", LIBRARY, ids=str)
def test_no_lambda_layers_asserts_and_leftovers(path):
    source = (ROOT / path).read_text()
    names = {
        getattr(node.func, "attr", getattr(node.func, "id", ""))
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call)
    }
    assert "Lambda" not in names, "a Lambda layer can't be saved safely"
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(_tree(path)))
    assert not re.search("TO" + "DO|FIX" + "ME|XX" + "X", source)


@pytest.mark.parametrize("path", LIBRARY, ids=str)
def test_no_exception_is_swallowed(path):
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ExceptHandler):
            where = f"{path}:{node.lineno}"
            assert node.type is not None, f"{where} catches everything"
            silent = all(isinstance(child, ast.Pass) for child in node.body)
            assert not silent, f"{where} swallows an exception"


def test_every_package_is_installed():
    """A package that setup.cfg forgets works here and is missing once installed."""
    section = (ROOT / "setup.cfg").read_text().split("\npackages =\n")[1]
    section = section.split("package_dir")[0]
    packages = {_module(p) for p in LIBRARY if p.name == "__init__.py"}
    assert packages == set(section.split())
    folders = {str(_module(p.parent / "__init__.py")) for p in LIBRARY}
    assert folders == packages, "a folder of modules has no __init__.py"


def _flags_of(module, seen):
    """Names of the absl flags that a tool and the tools it imports define."""
    path = pathlib.Path("tools", f"{module.split('.')[-1]}.py")
    if module in seen or not (ROOT / path).exists():
        return set()
    seen.add(module)
    names = set()
    for node in ast.walk(_tree(path)):
        function = getattr(node, "func", None)
        if getattr(function, "attr", "").startswith("DEFINE_"):
            names.add(ast.literal_eval(node.args[0]))
    others = [name for name in imported(path) if name.startswith("kcv.tools.")]
    return names.union(*(_flags_of(other, seen) for other in others))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_names_only_flags_of_its_script(path):
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# "), f"{path.name}: no comment on top says what it is"
    model = next(line for line in lines if line.startswith("--model="))
    name = model.removeprefix("--model=")
    script = SCRIPTS.get(name, SCRIPTS[zoo.entry(name).task])
    known = _flags_of(script, set())
    for line in lines:
        if line.strip() and not line.startswith("#"):
            match = re.fullmatch(r"--(no)?(\w+?)(=.*)?", line.strip())
            assert match, f"{path.name}: {line!r} is not a flag"
            negated, name, _ = match.groups()
            full = (negated or "") + name
            assert name in known or full in known, f"{path.name}: no flag --{full}"


def test_recipes_of_the_zoo_exist():
    named = {entry.recipe for entry in zoo.ZOO.values() if entry.recipe}
    assert named <= {path.stem for path in RECIPES}
