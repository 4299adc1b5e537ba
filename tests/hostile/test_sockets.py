"""What listens does so on this machine alone, and answers only requests that name it."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVERS = {"HTTPServer", "ThreadingHTTPServer", "_Server", "start_server", "create_server"}


def test_whatever_listens_is_bound_to_loopback() -> None:
    found = []
    for folder in ("agents", "envs", "evolution", "scripts"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in SERVERS:
                    words = " ".join(map(ast.unparse, node.args))
                    assert "HOST" in words or "127.0.0.1" in words, f"{path}: {ast.unparse(node)}"
                    found.append(path.name)
                if isinstance(node, ast.Assign) and any(ast.unparse(target) == "HOST" for target in node.targets):
                    assert ast.unparse(node.value) == "'127.0.0.1'", path
    assert {"serve.py", "site.py", "stand_in.py"} <= set(found)
