"""Print what the package and the named extras of pyproject.toml need, one requirement a line."""

import sys
import tomllib
from pathlib import Path


def main(extras: list[str]) -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    own = f"{project['name']}["
    print("\n".join(line for line in wanted if not line.startswith(own)))


if __name__ == "__main__":
    main(sys.argv[1:])
