"""How the layer Quota counts."""
