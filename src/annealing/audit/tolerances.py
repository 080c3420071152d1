"""How far apart two numbers may be and still be the same: every tolerance of audit and recovery that is not a digit's.

A log's own digits are in `Log.half`; what stands here is the rounding of the arithmetic on either side of the log.
"""

from __future__ import annotations

# A schedule that is stepped in float64 multiplies or adds a few thousand times, each time rounding by 1e-16.
DOUBLE = 1e-12  # of the peak
# The same in float32, where one rounding is 6e-8: seven of them, since a recursion's errors mostly cancel.
SINGLE = 4e-7  # of the peak
# Half a printed digit is computed in binary: the two sides of "0.5 units" differ in the last bits.
PRINTED = 1e-6  # of the tolerance of a rate
# A time is a ratio of two exact times, rounded: within this of a whole number it is meant to be that number.
WHOLE_TIME = 1e-9  # steps
# A schedule whose rate changes by less than this between two samples stands still there: it is rounding, not a turn.
TURN = 1e-13  # of the peak
