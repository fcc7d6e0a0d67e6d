"""How threads of the compiled kernels wait; imported before all else.

Read by the OpenMP runtime when numba first starts it: waiting threads sleep instead of spinning, unless the user said
otherwise. On cores that others use too, spinning makes every small parallel step wait for a time slice, up to a hundred times
slower.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
