"""The verbs people type, written once over the six of a driver."""

from storeroom.files._files import Files
from storeroom.files._verb import Call, calling
from storeroom.files.content import Content, PutOptions
from storeroom.files.reading import Opening
from storeroom.files.writer import Writer

__all__ = ["Call", "Content", "Files", "Opening", "PutOptions", "Writer", "calling"]
