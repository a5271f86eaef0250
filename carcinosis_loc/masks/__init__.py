"""Points out of masks, and the public benchmarks out of their sources."""
