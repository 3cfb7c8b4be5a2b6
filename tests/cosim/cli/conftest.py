"""All commands, for tests that hold each of them to a rule."""

import pytest

from cosim.cli.app import application


def _commands(group, path=()):
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.fixture(scope="session")
def all_commands():
    """Command by its names."""
    return dict(_commands(application()))
