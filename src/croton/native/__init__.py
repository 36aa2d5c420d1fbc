"""Kernels of croton's own for the CPU, where XLA's are slow: an addition that everything works without.

``library`` compiles ``kernels.cc`` and loads it. ``products`` and ``fuse`` put its kernels into a program that is being
traced; convolutions take theirs when they are lowered (``tensor/conv/trilinear.py``).
"""
