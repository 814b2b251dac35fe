"""The few words that a calendar shows; never a person's name (api.md)."""

from booking_web.languages import Language

_SESSION = {"id": "Sesi konsultasi", "en": "Consultation"}
_STATUS = {
    "id": {
        "pending_negotiation": "menunggu jadwal baru",
        "on_progress": "berlangsung",
        "completed": "selesai",
        "canceled": "dibatalkan",
        "failed": "gagal",
    },
    "en": {
        "pending_negotiation": "waiting for a new time",
        "on_progress": "running",
        "completed": "completed",
        "canceled": "canceled",
        "failed": "failed",
    },
}
_CALENDAR = {"id": "Jadwal konsultasi", "en": "Consultations"}


def title(status: str, language: Language) -> str:
    """What an entry is called: a scheduled one plainly, any other with its status."""
    word = _STATUS[language].get(status)
    return f"{_SESSION[language]} ({word})" if word else _SESSION[language]


def calendar_name(language: Language) -> str:
    """What a feed is called."""
    return _CALENDAR[language]
