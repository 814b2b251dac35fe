from shared.web.tests.sample.app import build

from booking_process.settings import ServiceSettings
from booking_web.application import main

main(build, ServiceSettings)
