from crossbar.io.matrices import *
