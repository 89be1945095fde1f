"""gpiozero on Linux's GPIO character device."""
