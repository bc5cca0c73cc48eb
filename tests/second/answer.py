"""How this verifier says no: with the family of the reason, never with a boolean that somebody may forget."""


class Refused(Exception):
    """The family of the reason why a package is not admitted."""

    def __init__(self, family):
        super().__init__(family)
        self.family = family


class Malformed(Exception):
    """Bytes or text that are not of their form; whoever reads them says of which family that is."""


def need(holds, family):
    """Refuses with this family unless it holds."""
    if not holds:
        raise Refused(family)


def form(holds, why):
    """What is read is malformed unless it holds."""
    if not holds:
        raise Malformed(why)
