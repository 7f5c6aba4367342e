"""Archives: pictures by the million, wherever they lie, colored on as many machines as there are."""
