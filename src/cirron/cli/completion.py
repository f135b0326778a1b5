"""`cirron completion`: has a shell complete commands, options and ids at the Tab key."""

from __future__ import annotations

import click

_COMMAND = "cirron"
_VARIABLE = "_CIRRON_COMPLETE"  # how the shell asks; click looks for it


@click.command(
    "completion",
    short_help="Print what makes the Tab key complete commands.",
    epilog="""Example:

    \b
    eval "$(cirron completion bash)"            # in ~/.bashrc
    eval "$(cirron completion zsh)"             # in ~/.zshrc, after compinit
    cirron completion fish | source             # in ~/.config/fish/config.fish
    """,
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(context: click.Context, shell: str) -> None:
    """Print what makes the Tab key complete cirron's commands, options and the ids of sessions.

    Have your shell evaluate it when it starts. bash has to be 4.4 or later.
    """
    from click.shell_completion import get_completion_class

    completion = get_completion_class(shell)
    assert completion is not None, "click knows all three"
    print(completion(context.find_root().command, {}, _COMMAND, _VARIABLE).source())
