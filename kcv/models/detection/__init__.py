"""Object detectors, one paper a file."""
