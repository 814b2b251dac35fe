"""What the assessment service, another system, tells on `booking.assessments.v1`."""

from typing import ClassVar
from uuid import UUID

from booking_contracts.event import Event, Instant


class AssessmentCompleted(Event):
    """A member finished an assessment. Consultation lets that member name it in a request (R1). Its owner never
    changes."""

    NAMESPACE: ClassVar[str] = "com.booking.assessments"
    assessment_id: UUID
    user_id: UUID
    completed_at: Instant
