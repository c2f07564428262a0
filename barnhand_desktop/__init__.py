"""The application: command line, wiring, servers, fronts and the remote API."""

import os

# NumPy's products here are small: a second thread costs more than it brings, and on a busy machine
# turns 0.1 ms into 50. Read when NumPy is first imported; a value that is set already stays.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
