"""``barnhand doctor``: looks at everything Barnhand needs and says what to do.

Every check is a small function from a ``Patient`` to one ``Check`` (or several), and repairs
nothing. Read ``examination`` for the list.
"""

from barnhand_desktop.doctor.check import Check, Patient, State
from barnhand_desktop.doctor.examination import examine, run_doctor

__all__ = ["Check", "Patient", "State", "examine", "run_doctor"]
