"""Other people's source, read from clones at pinned commits and executed; none of it is in this repository."""
import __future__
import ast
import pathlib
import subprocess

# Folder below the sources' root: (where it comes from, commit).
CLONES = {
    "mDPO": ("https://github.com/luka-group/mDPO", "2221bb3"),
    "MRPO": ("https://github.com/thaihungle/MRPO", "4171095"),
    "HALVA": ("https://github.com/pritamqu/HALVA", "059b086"),
    "InternVL": ("https://github.com/OpenGVLab/InternVL", "2410d1d"),
    "Token-level-Direct-Preference-Optimization":
        ("https://github.com/Vance0124/Token-level-Direct-Preference-Optimization", "2a736ec"),
    "allRank": ("https://github.com/allegro/allRank", "c884756"),
}
# Releases of TRL that these authors build on, next to the one that is installed.
RELEASES = ("0.8.1", "0.10.1")

root = None  # set by main


def describe(repository):
    url, commit = CLONES[repository]
    return f"{url.removeprefix('https://github.com/')} {commit}"


def text_of(repository, path):
    if repository.startswith("trl-"):
        return (root / repository / path).read_text()
    folder, commit = root / repository, CLONES[repository][1]
    if not folder.exists():
        raise SystemExit(f"{folder}: expected a clone: git clone {CLONES[repository][0]} {folder}")
    return subprocess.run(["git", "-C", folder, "show", f"{commit}:{path}"], check=True, capture_output=True,
                          text=True).stdout


def load(repository, path, names, scope):
    """Executes definitions of a file in `scope`, which must have what they mention, and returns the last one.

    names: functions and classes; "Class: a b" keeps the methods a and b of a class and drops its bases.
    """
    definitions = {n.name: n for n in ast.parse(text_of(repository, path)).body if hasattr(n, "name")}
    body = []
    for name in names:
        name, _, methods = name.partition(":")
        node = definitions[name]
        if methods:
            node.body = [m for m in node.body if getattr(m, "name", None) in methods.split()]
            node.bases = []
        body.append(node)
    flags = __future__.annotations.compiler_flag  # annotations stay text, so that their types need not exist
    exec(compile(ast.Module(body, []), f"{repository}/{path}", "exec", flags, dont_inherit=True), scope)
    return scope[body[-1].name]
