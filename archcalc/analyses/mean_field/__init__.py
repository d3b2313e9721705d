"""The expected gradient at initialisation: variances carried forward and backward through the graph.

Sources: Poole et al. 2016 (arXiv 1606.05340), Schoenholz et al. 2017 (arXiv 1611.01232), Yang &
Schoenholz 2017 (arXiv 1712.08969), Hanin & Nica 2018 (arXiv 1812.05994), Yang et al. 2019
(arXiv 1902.08129). The recurrences are in docs/gradients-expected.md, measurements in
docs/evidence/expected-gradients.md.
"""
