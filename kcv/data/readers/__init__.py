"""Readers of data sets in their official file formats, one format a file."""
