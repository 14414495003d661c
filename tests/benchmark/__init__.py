"""The benchmark, run by ``make bench``: is the program as fast as it means to be?"""
