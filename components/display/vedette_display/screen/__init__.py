"""The screen at the device's own port: fullscreen through SDL2, in a process of its own.

SDL is C, its drivers differ from device to device, and Xlib ends a process whose server goes: none of that may take the
page with it. The display tells this process over its standard input what to show (``scene``), and hears over its
standard output how it does.
"""
