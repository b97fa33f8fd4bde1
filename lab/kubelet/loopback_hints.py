"""What goes wrong in the lab alone, for its pods share one machine: a sentence for an event of the pod.

Has no counterpart in Kubernetes.
"""

import os
import re
from pathlib import Path

RESOLVERS = r"(getent|nslookup|dig|host|ping|curl|wget|nc)(?![\w./-])"
IN_A_SCRIPT = re.compile(rf"(?:^|[;&|(!\n]|\b(?:until|while|if|then|do)\b)\s*{RESOLVERS}")
TAIL = 4096  # bytes of a log, in which a program says why it ends


def of_command(argv: list[str]) -> str:
    """What is to be known of a command before it runs, or ""."""
    program = argv[0].rpartition("/")[2]
    script = argv[2] if program in ("sh", "bash") and argv[1:2] == ["-c"] and argv[2:] else program
    if found := IN_A_SCRIPT.search(script):
        return (
            f"{found[1]} asks this machine's resolver, which knows no Services: in the lab only gRPC's targets and "
            "Envoy find them by name; give it an address, or wait by python -m greeter_client.wait --target=NAME:PORT"
        )
    return ""


def of_end(log: Path) -> str:
    """What is to be known of a program that has failed, or ""."""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
        said = file.read()
    if re.search(rb"address (is )?already in use", said, re.IGNORECASE):
        return (
            "its address is in use: pods of the lab share this machine, and who listens on 0.0.0.0 listens on the "
            "addresses of all; the lab makes 0.0.0.0 the pod's own address where it stands in command, args or env"
        )
    return ""
