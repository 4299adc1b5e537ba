"""The entry point of the command line `homebody`: it turns named errors and signals into one line and an exit code.

Exit codes: 0 done, 1 failed or stopped by a signal, 2 bad usage or input. The commands are in `homebody.scripts.group`.
"""

from __future__ import annotations

import contextlib
import sys

from homebody.scripts.interrupt import NOTE, interruptible


def main() -> None:
    """Run the command line; the entry point."""
    try:
        with interruptible():
            sys.exit(_run())
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):  # The terminal may be gone.
            sys.stderr.write(f"homebody: {NOTE}\n")
            sys.stderr.flush()
        sys.exit(1)


def _run() -> int:
    """Run a command and return its exit code."""
    import click

    from homebody.scripts.console import error_line
    from homebody.scripts.group import cli
    from homebody.scripts.terminal import fit_streams

    fit_streams()
    try:
        return cli.main(standalone_mode=False) or 0
    except click.exceptions.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        error_line(error.format_message())
    except Exception as error:
        from homebody.agents.errors import AgentError, FailedError
        from homebody.envs import EnvError

        if not isinstance(error, AgentError | EnvError):
            raise
        error_line(str(error))
        if isinstance(error, FailedError):
            return 1
    return 2


if __name__ == "__main__":
    main()
