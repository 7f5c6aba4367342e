"""The demo: one file a tab, all in front of the same functions as the command lines."""
