"""What sessions recorded, in the formats of other tools."""

from cirron.export.destination import Sink, new_file, new_folder, standard_output
from cirron.export.formats import FORMATS, FileFormat, FolderFormat, Format
from cirron.export.source import Part, Source

__all__ = [
    "FORMATS",
    "FileFormat",
    "FolderFormat",
    "Format",
    "Part",
    "Sink",
    "Source",
    "new_file",
    "new_folder",
    "standard_output",
]
