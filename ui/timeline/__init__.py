"""The Timeline page: what every horse and camera did, from ninety days to one picture."""
