"""What all benchmarks share: turns, results, environments of peers, facts of the machine, pictures, pages."""
