"""Reference catalogues: local file, custom text table, online with a disk cache."""
