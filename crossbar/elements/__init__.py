"""Element families: frozen batches of devices with their stamps, and the geometry of arrays."""
