"""A strategy that balances is fair in every second, not only in the long run."""

import pytest

from catalogue import Demo, demos
from testing.cluster import OwnNamespace

# A connection that ends by its age misses its turns until the next one stands: longer on a busy machine. Without one of
# three backends it would be 0.67.
JAIN = 0.95  # Jain's index that every second reaches, unless expectations.toml says more


@pytest.mark.parametrize(
    "strategy", [demo for demo in demos() if demo.expectations["spread"]["backends"] > 1], ids=lambda demo: demo.name
)
def test_every_second_is_even(namespace: OwnNamespace, strategy: Demo) -> None:
    spread = strategy.expectations["spread"]
    namespace.apply(namespace.own(strategy).manifests)
    result = namespace.measure("--duration=30s", "--rate=90", backends=spread["backends"]).result()
    whole = [window for window in result["windows"] if sum(window["backends"].values()) >= 60]
    print(f"{strategy.name}:", [window["backends"] for window in whole])
    assert len(whole) >= 8
    assert all(window["jain"] > spread.get("every_second", JAIN) for window in whole), whole
