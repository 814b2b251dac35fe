# reportArgumentType: cannot be assigned to parameter "servers"
from booking_client import Booking

booking = Booking({"chekout": "https://checkout.example"})
