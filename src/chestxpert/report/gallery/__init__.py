"""The most confident errors of the best recipe, as pictures; `pictures` is the one module that reads pixels."""
