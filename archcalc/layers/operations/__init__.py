"""Operations of `keras.ops` as nodes of a network; `archcalc.layers.registry` has the table of them."""
