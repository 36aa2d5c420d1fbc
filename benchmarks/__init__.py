"""Speed of croton against its peers: run ``python -m benchmarks`` from the root of the repository."""
