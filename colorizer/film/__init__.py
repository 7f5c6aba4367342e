"""Films: reading and writing them, and how things move in them."""
