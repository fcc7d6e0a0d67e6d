"""The reference studies, one module each: what a published experiment found, asked of the simulator."""
