"""Measure how many small faults the tests notice: mutants by mutmut, drawn at random from the code of a package.

    pip install "mutmut>=3.8,<4"
    python benchmarks/mutants.py measures segments [--draws 40] [--seed 0]

``benchmarks/mutants.yaml`` has the modules and the tests of each package. The tracked files are copied to ``mutants/``,
where mutmut changes them; the checkout stays as it is. On an idle processor a package takes minutes.

A mutant whose tests take too long counts as noticed; on a busy machine that may be wrong, so the score tells how many.

mutmut changes numbers, strings, operators, arguments, keywords and assignments inside functions, but nothing in a
function with a decorator, such as a property. Lines that only raise, log or show progress are left out, because tests
do not pin wording. Survivors that compute the same as the original do not count; ``mutants.yaml`` has them with the
reason.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
CONFIGURED = ROOT / "benchmarks" / "mutants.yaml"
WORK = ROOT / "mutants"
RESULT = re.compile(r"^(\S+) (microgesture\.\S+__mutmut_\d+)$", re.MULTILINE)
TIMEOUT = "⏰"
NOTICED = ("🎉", TIMEOUT)  # by a failing test, or because the tests do not end
# Changes that no call can tell apart: the check of lengths in zip, and numpy's name for an unknown length.
SAME = ((re.compile(r",? strict=(True|False)|, (?=\))"), ""), (re.compile(r"reshape\(-\d"), "reshape(-1"))
SETTINGS = {
    "source_paths": ["src"],
    "pytest_add_cli_args": ["-n", "0"],
    "do_not_mutate_patterns": [r"\braise\b", r"\blog\.", r"progress\(", r'^\s*f?"[^"]* [^"]*"'],
    "process_isolation": "forkserver",  # torch's threads do not survive a fork
    "timeout_multiplier": 3.0,
    "timeout_constant": 60.0,  # of wall time; on a busy machine short tests take long
    "track_dependencies": False,
    "use_git_change_detection": False,
}


def copied(work: Path, modules: list[str], tests: list[str], computes_at_import: bool = False) -> Path:
    """Copy the tracked files to ``work``, with a configuration of mutmut for these modules and tests."""
    shutil.rmtree(work, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [Path(name) for name in listed.split("\0") if name]
    for file in files:
        (work / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, work / file)
    settings = SETTINGS | {
        "only_mutate": [f"src/microgesture/{pattern}" for pattern in modules],
        "pytest_add_cli_args_test_selection": tests,
        "also_copy": sorted({file.parts[0] for file in files} - {"src", "tests"}),
        # Usually all mutants share the imported modules. What is computed at import is then that of the original.
        "forkserver_warmup": "none" if computes_at_import else "collect",
    }
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in settings.items()]
    with open(work / "pyproject.toml", "a") as file:
        file.write("\n[tool.mutmut]\n" + "".join(lines))
    return work


def mutmut(work: Path, *arguments: str) -> str:
    """The output of a command of mutmut; the program ends if it fails."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-m", "mutmut", *arguments], cwd=work, env=environment, capture_output=True)
    if done.returncode:
        sys.exit(f"mutmut failed:\n{done.stdout.decode()[-4000:]}{done.stderr.decode()[-4000:]}")
    return done.stdout.decode()


def names_of(work: Path, modules: list[str]) -> list[str]:
    """The names of all mutants of the modules."""
    from mutmut.mutation.file_mutation import mutate_file_contents

    os.chdir(work)  # where mutmut looks for its settings
    package = Path("src/microgesture")
    paths = sorted({path for pattern in modules for path in package.glob(pattern)})
    return [
        f"{'.'.join(path.relative_to('src').with_suffix('').parts)}.{name}".replace("__init__.", "")
        for path in paths
        for name in mutate_file_contents(str(path), path.read_text()).mutant_names
    ]


def changed_lines(work: Path, name: str) -> tuple[str, str]:
    """The lines that a mutant removes and adds."""
    lines = [line for line in mutmut(work, "show", name).splitlines() if re.match(r"[+-](?!\+\+|--)", line)]
    removed, added = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return removed, added


def is_same(removed: str, added: str) -> bool:
    """Whether two lines differ only in what no call can tell apart."""
    for pattern, text in SAME:
        removed, added = pattern.sub(text, removed), pattern.sub(text, added)
    return removed == added


def measure(package: str, configured: dict[str, Any], draws: int, seed: int) -> str:
    """The score of a package and its survivors, as text."""
    settings, work = configured["packages"][package], WORK / package
    modules = settings["modules"]
    copied(work, **settings)
    names = names_of(work, modules)
    drawn = random.Random(seed).sample(names, min(draws or len(names), len(names)))
    said = {name: status for status, name in RESULT.findall(mutmut(work, "run", "--max-children", "1", *drawn))}
    equivalent = {(f"microgesture.{one['module']}", one["was"], one["becomes"]) for one in configured["equivalent"]}
    lived = {name: changed_lines(work, name) for name, status in said.items() if status not in NOTICED}
    open_ones = {
        name: lines
        for name, lines in lived.items()
        if not is_same(*lines) and (name.rpartition(".")[0], *lines) not in equivalent
    }
    count = len(drawn) - len(lived) + len(open_ones)
    killed = count - len(open_ones)
    slow = sum(status == TIMEOUT for status in said.values())
    score = f"{package}: {killed} of {count} mutants noticed ({killed / count:.0%}), {slow} of them by a time limit; "
    score += f"{len(drawn) - count} equivalent"
    told = [f"  {name}\n    - {removed}\n    + {added}" for name, (removed, added) in open_ones.items()]
    return "\n".join([score, *told])


def main() -> None:
    """Print the score of each package."""
    configured = yaml.safe_load(CONFIGURED.read_text())
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("packages", nargs="+", choices=configured["packages"])
    parser.add_argument("--draws", type=int, default=40, help="mutants of each package, drawn at random; 0: all")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random draw")
    options = parser.parse_args()
    for package in options.packages:
        print(measure(package, configured, options.draws, options.seed), flush=True)


if __name__ == "__main__":
    main()
