"""Print what the package and the named extras of pyproject.toml need, one requirement a line."""

import sys
import tomllib
from pathlib import Path


def main(extras: list[str]) -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += needs(project, extra)
    print("\n".join(dict.fromkeys(wanted)))


def needs(project: dict, extra: str) -> list[str]:
    """What an extra needs, and the extras that it consists of."""
    own = f"{project['name']}["
    found = []
    for line in project["optional-dependencies"][extra]:
        if line.startswith(own):
            found += [
                each
                for part in line.removeprefix(own).rstrip("]").split(",")
                for each in needs(project, part)
            ]
        else:
            found.append(line)
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
