"""One changed decision at a time in a pure module: the changes, who reaches them, who notices."""
