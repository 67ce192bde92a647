"""Parts of the layer Observe."""
