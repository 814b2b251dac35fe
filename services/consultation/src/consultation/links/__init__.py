"""Links that people click (product.md S3, reliability.md T10 to T12): refused or rebuilt, and never requested by us."""

from consultation.links.address import InvalidLinkError
from consultation.links.meeting import MeetingLinks
from consultation.links.result import ResultLinks

__all__ = ["InvalidLinkError", "MeetingLinks", "ResultLinks"]
