"""`python -m sandbox`: the outside world as a process, or the list of its banks.

python -m sandbox --port 8210 --data DIR --clock FILE --seed 7
python -m sandbox --print-banks http://127.0.0.1:8210 > banks.toml
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from sandbox.bank_list import as_toml
from sandbox.process import INBOUND_PATH, Arguments, run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8210)
    parser.add_argument(
        "--mail-port", type=int, default=0, help="where the mail server listens; 0: nowhere"
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("sandbox-state"),
        metavar="DIR",
        help="where the world's file is kept",
    )
    parser.add_argument("--clock", type=Path, metavar="FILE", help="the shared clock file")
    parser.add_argument("--seed", type=int, default=1, help="which people live here")
    parser.add_argument("--people", type=int, default=200, help="how many")
    parser.add_argument(
        "--presence",
        type=Path,
        metavar="FILE",
        help="touched while a person looks at a phone or a bank page",
    )
    parser.add_argument("--saldo", default="", metavar="URL", help="where Saldo is")
    parser.add_argument(
        "--inbound-path",
        default=INBOUND_PATH,
        metavar="PATH",
        help="where Saldo takes texts that people send",
    )
    parser.add_argument(
        "--lender",
        type=Path,
        metavar="FILE",
        help="JSON with api_key and webhook_secret: play the lender's system",
    )
    parser.add_argument("--no-robots", action="store_true", help="people do nothing by themselves")
    parser.add_argument("--no-troubles", action="store_true", help="nothing goes wrong at first")
    parser.add_argument(
        "--print-banks", metavar="URL", help="print the bank list for a sandbox at URL, and end"
    )
    return parser  # fmt: skip


def main() -> int:
    """Run as asked; the exit status."""
    given = _parser().parse_args()
    if given.print_banks:
        sys.stdout.write(as_toml(given.print_banks.rstrip("/")))
        return 0
    logging.basicConfig(level=logging.WARNING, format="sandbox: %(name)s: %(message)s")
    run(
        Arguments(
            host=given.host,
            port=given.port,
            mail_port=given.mail_port,
            folder=given.data,
            clock_file=given.clock,
            seed=given.seed,
            people=given.people,
            presence=given.presence,
            saldo=given.saldo.rstrip("/"),
            cast=given.lender,
            inbound_path=given.inbound_path,
            robots=not given.no_robots,
            troubles=not given.no_troubles,
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
