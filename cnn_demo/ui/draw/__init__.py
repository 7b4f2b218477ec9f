"""The blocks of the Draw page."""
