"""Microsoft's packages below `azure`, which `azure.py` of this folder would stand before."""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

_HERE = Path(__file__).parent


def find() -> None:
    """Have `import azure` find them, if they are installed; nothing of them is loaded."""
    elsewhere = [entry for entry in sys.path if Path(entry).resolve() != _HERE]
    spec = PathFinder.find_spec("azure", elsewhere)
    if spec is not None:
        sys.modules.setdefault("azure", module_from_spec(spec))
