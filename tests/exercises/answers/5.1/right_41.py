# right: decimals have logarithms of their own
from decimal import Decimal

def exponent(n1, steps1, n2, steps2):
    return (Decimal(steps2) / Decimal(steps1)).ln() / (Decimal(n2) / Decimal(n1)).ln()
