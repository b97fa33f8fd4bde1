"""Settings: what the controller's ConfigMap says for all Ingresses, and the annotations of one for itself.

Their names, values and defaults are ingress-nginx's (its docs: user-guide/nginx-configuration).
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

PREFIX = "nginx.ingress.kubernetes.io/"
PROTOCOLS = ("HTTP", "HTTPS", "GRPC", "GRPCS")


class Setting(NamedTuple):
    default: str
    form: str  # a regular expression
    say: str  # what a value is, for somebody who wrote another


def _seconds(default: str) -> Setting:
    return Setting(default, "[1-9][0-9]{0,6}", "a number of seconds, such as 60")


def _switch(default: str) -> Setting:
    return Setting(default, "true|false", "true or false")


OF_ALL = {
    "client-body-timeout": _seconds("60"),
    "keep-alive-requests": Setting("1000", "[1-9][0-9]{0,8}", "a number of requests, such as 1000"),
    "use-http2": _switch("true"),
    "worker-shutdown-timeout": Setting("240s", "[0-9]{1,6}s", "a time such as 240s"),
}
OF_ONE = {
    "backend-protocol": Setting("HTTP", "|".join(PROTOCOLS), f"one of {', '.join(PROTOCOLS)}"),
    "force-ssl-redirect": _switch("false"),
    "proxy-body-size": Setting("1m", "[0-9]{1,9}[kKmMgG]?", "a size such as 8m; 0 is without limit"),
    "proxy-connect-timeout": _seconds("5"),
    "proxy-read-timeout": _seconds("60"),
    "proxy-send-timeout": _seconds("60"),
    "ssl-redirect": _switch("true"),
}
KNOWN = OF_ALL | OF_ONE
DEFAULTS = {name: setting.default for name, setting in KNOWN.items()}


def refused(given: Mapping[str, str], known: Mapping[str, Setting], prefix: str = "") -> Iterator[str]:
    """A sentence for each of these that is not honoured: the fact, the value, the remedy."""
    for name, value in sorted(given.items()):
        if name not in known:
            names = ", ".join(sorted(known))
            yield f"{prefix}{name} is not honoured: this controller knows {names}"
        elif not re.fullmatch(known[name].form, value):
            yield f'{prefix}{name} is "{value}", which is ignored; write {known[name].say}'


def accepted(given: Mapping[str, str], known: Mapping[str, Setting]) -> dict[str, str]:
    """Those that are honoured."""
    return {name: value for name, value in given.items() if name in known and re.fullmatch(known[name].form, value)}


def own(annotations: Mapping[str, str] | None) -> dict[str, str]:
    """The controller's own among an object's annotations, without the prefix."""
    found = (annotations or {}).items()
    return {key.removeprefix(PREFIX): value for key, value in found if key.startswith(PREFIX)}
