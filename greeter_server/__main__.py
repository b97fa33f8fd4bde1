"""`python -m greeter_server`: the greeter with gRPC's own defaults."""

import sys

from greeter_server import main

if __name__ == "__main__":
    sys.exit(main())
