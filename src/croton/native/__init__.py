"""Kernels of croton's own for the CPU, where XLA's are slow: an addition that everything works without.

``library`` has ``kernels.cc`` and ``tiles.cc`` compiled, at the same time, and loads them. ``products`` takes a program
that is being traced, with its calls written out (``equations``), and has it call kernels: for products, ``loops``, what
is computed for ``each`` example with the products around it (``heads``), and updates (``fuse``). The last four write C
(``written``) that is compiled by itself (``build``). Convolutions and maxima of windows take their kernels when they
are lowered (``tensor/conv/trilinear.py``, ``tensor/windows.py``).
"""
