"""The networks, what they are pretrained with, and their checkpoints."""
