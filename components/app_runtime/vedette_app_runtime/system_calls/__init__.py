"""Filters of system calls (seccomp): how one is written, and what an application has no business to call.

Sources: seccomp(2), linux/seccomp.h, linux/filter.h; the kernel's tables of calls for x86_64, i386, arm64, arm.
"""
