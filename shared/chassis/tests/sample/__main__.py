from booking_chassis.program import main
from booking_chassis.settings import ServiceSettings
from shared.chassis.tests.sample.app import build

main(build, ServiceSettings)
