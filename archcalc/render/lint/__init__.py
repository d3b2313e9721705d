"""The findings of `archcalc lint` in the formats of terminals and of CI."""
