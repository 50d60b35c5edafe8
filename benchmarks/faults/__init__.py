"""Two centres under load while everything around them breaks; then the databases are counted.

`plan` is what breaks when, a pure function of the seed. `world` is a federation of two centres with
several of each process, `driver` the clerks of one centre, `proxy` the network between the centres,
`shim` their clocks and disks, `injection` breaks things, `counting` says what the databases hold.
"""

import federation  # noqa: F401 -- before anything that imports gRPC, which then speaks TLS 1.3 only
