def read_matrix(p, unit="S"): raise NotImplementedError
def read_states(p, shape=None): raise NotImplementedError
