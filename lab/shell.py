"""What a command in the lab is told of clusters: where the lab is, and nothing else.

Files that a shell or kubectl reads first can name another cluster: an rc file that exports KUBECONFIG or makes an alias
of kubectl, a hook of the prompt, a kuberc. A tutorial's `kubectl delete` would go there. So the lab's shell is one that
reads none of them, and no command inherits what points a shell or kubectl at such a file.
"""

import os
from pathlib import Path

BASH = ["bash", "--noprofile", "--norc"]  # whatever SHELL is: that one's rc files come after what it inherits
PROMPT = r"(lab) \w\$ "
READ_FIRST = ("BASH_ENV", "ENV", "PROMPT_COMMAND")
FUNCTIONS = "BASH_FUNC_"  # exported ones, which come before programs


def environment(kubeconfig: Path) -> dict[str, str]:
    """The environment of a command in the lab."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in READ_FIRST and not name.startswith(FUNCTIONS)
    }
    return inherited | {"KUBECONFIG": str(kubeconfig), "KUBERC": "off", "PS1": PROMPT}
