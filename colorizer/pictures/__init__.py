"""Picture files and sets of them."""
