"""A run as one page that needs nothing else."""

from cirron.export.html.page import page_of, write_html

__all__ = ["page_of", "write_html"]
