"""Background work that any node may take: our table of jobs over the procrastinate queue."""
