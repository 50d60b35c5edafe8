"""A federation on one computer: an umbrella, three centres, real municipalities, invented cases.

`plan` says what there is, `provisioning` makes it, `steps` are run inside a centre's own process,
`traffic` posts the sample and waits, `report` counts what the databases hold.
"""
