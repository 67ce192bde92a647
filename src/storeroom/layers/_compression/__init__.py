"""The parts of Compression: how plain bytes become stored ones, and back."""
