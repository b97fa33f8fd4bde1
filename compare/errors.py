"""What can go wrong, said in one line: the fact, the value, the remedy."""


class CompareError(Exception):
    """Something that the user can mend. Of one strategy, it is that strategy's verdict and the others go on."""


class ClusterError(CompareError):
    """The cluster can't be measured at all."""
