raise AssertionError("a package that brings rules is never imported")
