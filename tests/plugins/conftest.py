"""A plugin's own tests run in a child of their own, as the gate runs them."""

collect_ignore_glob = ["*/test_*.py"]
