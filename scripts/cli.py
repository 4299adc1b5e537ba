"""The entry point of the command line `homebody`: it turns named errors and signals into one line and an exit code.

Exit codes: 0 done, 1 failed or stopped by a signal, 2 bad usage or input. The commands are in `homebody.scripts.group`.
"""

from __future__ import annotations

import contextlib
import os
import sys

from homebody.scripts.interrupt import NOTE, interruptible


def main() -> None:
    """Run the command line; the entry point."""
    _open_streams()
    try:
        with interruptible():
            sys.exit(_run())
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):  # The terminal may be gone.
            sys.stderr.write(f"homebody: {NOTE}\n")
            sys.stderr.flush()
        exec("")  # An interrupt that passed through an `exec` would have Python end by SIGINT, whatever is said here.
        sys.exit(1)


def _open_streams() -> None:
    """Open the standard streams that are closed, to nowhere: no other file may get their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # for as long as the process lives


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
    except OSError as error:
        from homebody.scripts.terminal import give_up_output

        if not give_up_output():
            raise
        error_line(f"cannot write to standard output: {error.strerror}; make room, or print elsewhere")
        return 1
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
