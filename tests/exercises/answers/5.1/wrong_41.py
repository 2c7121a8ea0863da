# wrong: rounded to six digits
# must say: it was rounded
import math

def exponent(n1, steps1, n2, steps2):
    return round(math.log(steps2 / steps1) / math.log(n2 / n1), 6)
