"""`python -m greeter_server`: serves until SIGTERM or SIGINT; exit code 2 means that a setting was wrong."""

import asyncio
import logging
import sys

from greeter_server.server import serve
from greeter_server.settings import SettingsError, parsed


def main() -> int:
    settings = parsed()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=settings.log_level, stream=sys.stderr)
    try:
        asyncio.run(serve(settings))
    except SettingsError as error:
        print(f"greeter_server: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
