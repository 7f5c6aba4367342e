"""The demo: one file a tab."""
