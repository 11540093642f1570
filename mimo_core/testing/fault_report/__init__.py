"""`pytest --mimo-faults`: what an application does when the service fails it.

Each test that is marked `mimo_faults` runs once without a fault, then once for each fault and each
of its first requests, and at last without a fault again, which is the run that pytest reports. The
faults are in `table`, how one gets into a run in `injection`, what is known of a run and what
follows from it in `verdicts`, the runs in `runs`, what is printed and written in `summary`.
"""
