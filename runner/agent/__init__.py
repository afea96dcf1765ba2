"""The agent: makes an environment run what was promised to it."""


def main() -> None:
    """`sluice-agent`."""
    from runner.agent.cli import main as run

    run()
