"""Entry point of the `twinchain` command; decides only how much has to be imported."""

import os
import sys


def main() -> None:
    """Run one command and exit with its documented code."""
    if sys.argv[1:2] == ["health"]:
        from node.cli import health

        sys.exit(health.run(sys.argv[2:]))
    from node.cli.app import app

    try:
        app(prog_name="twinchain")
    except BrokenPipeError:
        # The reader went away (`twinchain query blocks | head`): not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    main()
