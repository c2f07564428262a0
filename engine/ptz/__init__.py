"""Camera control: dialects, drivers, arbitration, tours, scans and following."""
