from shared.web.tests.sample.app import build

from booking_process.settings import ServiceSettings
from booking_web.program import main

main(build, ServiceSettings)
