"""The Review page: recordings of several cameras in step, one picture inspected and corrected."""
