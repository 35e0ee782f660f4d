# For the other compiled rooms only: Python sees nothing of it.
