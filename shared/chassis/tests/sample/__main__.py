from shared.chassis.tests.sample.app import build

from booking_chassis.program import main
from booking_chassis.settings import ServiceSettings

main(build, ServiceSettings)
