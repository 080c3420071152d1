"""A schedule as flat pieces with exact times, and their values for Python numbers and arrays of any library."""
