"""The screen as something to draw on, through SDL2: KMS/DRM without a desktop, Wayland or X11 with one.

SDL itself is the system's (``libsdl2-2.0-0``), which knows this device's drivers; PySDL2 only calls it. Frames go to
the graphics processor as they are, I420, and are converted and scaled there; without one SDL does it in software.
"""

import ctypes
import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from vedette.rings import BGR24, I420, FrameHeader, frame_bytes
from vedette.screens import INSTALL, Card, cards, drivers, examine
from vedette_display.screen.layout import Box
from vedette_display.screen.lettering import Lettered

TITLE: Final = b"Vedette"
WINDOW_SIZE: Final = (1280, 720)
MOST_TEXTURES: Final = 256
KMS: Final = "KMSDRM"
"""SDL's name for the graphics device itself, without a desktop."""
_BT601: Final = 1
"""SDL_YUV_CONVERSION_BT601, video range: what cameras send. PySDL2 has no name for it."""
Color = tuple[int, int, int]


class SurfaceError(Exception):
    """There is nothing to draw on; says why and, where something can be done, what."""


class Surface:
    """One window. ``fullscreen`` False: a window on a desktop, for developers. Used by one thread.

    ``look`` returns the graphics devices of this machine.

    :raises SurfaceError: when SDL is missing or has no screen.
    """

    def __init__(self, *, fullscreen: bool = True, look: Callable[[], list[Card]] = cards) -> None:
        sdl = self._sdl = _load()
        self._window = self._renderer = None
        self._texts: OrderedDict[int, tuple[Lettered, Any]] = OrderedDict()
        self._look = look
        self._plugged: list[Card] = []
        self.driver = self._choose_driver()
        try:
            sdl.SDL_SetHint(sdl.SDL_HINT_RENDER_SCALE_QUALITY, b"1")
            sdl.SDL_DisableScreenSaver()
            sdl.SDL_SetYUVConversionMode(_BT601)
            place = Box(sdl.SDL_WINDOWPOS_CENTERED, sdl.SDL_WINDOWPOS_CENTERED, *WINDOW_SIZE)
            flags = sdl.SDL_WINDOW_SHOWN | sdl.SDL_WINDOW_RESIZABLE
            if fullscreen:
                # As large as the screen from the start: an X server without a window manager makes nothing fullscreen.
                bounds = sdl.SDL_Rect()
                if sdl.SDL_GetDisplayBounds(0, ctypes.byref(bounds)) == 0:
                    place = Box(bounds.x, bounds.y, bounds.w, bounds.h)
                flags = sdl.SDL_WINDOW_SHOWN | sdl.SDL_WINDOW_BORDERLESS | sdl.SDL_WINDOW_FULLSCREEN_DESKTOP
            self._window = sdl.SDL_CreateWindow(TITLE, *place, flags)
            if not self._window:
                raise SurfaceError(f"no screen: {_reason(sdl)}")
            self._renderer = sdl.SDL_CreateRenderer(self._window, -1, sdl.SDL_RENDERER_PRESENTVSYNC)
            if not self._renderer:
                self._renderer = sdl.SDL_CreateRenderer(self._window, -1, sdl.SDL_RENDERER_SOFTWARE)
            if not self._renderer:
                raise SurfaceError(f"nothing can be drawn on the screen: {_reason(sdl)}")
            if fullscreen:
                sdl.SDL_ShowCursor(sdl.SDL_DISABLE)
        except SurfaceError:
            self.close()
            raise

    def _choose_driver(self) -> str:
        """Start SDL with the first driver that has a screen; return its name."""
        names = drivers(os.environ)
        if KMS in names:
            self._plugged = self._look()
            finding = examine(self._plugged)
            if not finding.works and len(names) == 1:
                raise SurfaceError(": ".join(filter(None, (finding.words, finding.fix))))
        reason = ""
        for name in names:
            if self._sdl.SDL_VideoInit(name.encode()) == 0:
                return (self._sdl.SDL_GetCurrentVideoDriver() or b"").decode()
            reason = _reason(self._sdl)
        self._sdl.SDL_Quit()
        if names == [KMS]:
            # The commonest cause: there is one master of a graphics device.
            raise SurfaceError(
                f"{examine(self._plugged).words}, but another program, such as a desktop, has it ({reason})"
            )
        raise SurfaceError(f"no screen: {reason}")

    def replugged(self) -> bool:
        """Tell whether screens were plugged in or pulled out since: without a desktop SDL does not see that itself."""
        return self.driver == KMS and self._look() != self._plugged

    @property
    def size(self) -> tuple[int, int]:
        """Width and height now: a desktop may change them."""
        width, height = ctypes.c_int(), ctypes.c_int()
        self._sdl.SDL_GetRendererOutputSize(self._renderer, ctypes.byref(width), ctypes.byref(height))
        return width.value, height.value

    def pump(self) -> bool:
        """Take in what the window system says; False when the window is closed."""
        event = self._sdl.SDL_Event()
        while self._sdl.SDL_PollEvent(ctypes.byref(event)):
            if event.type == self._sdl.SDL_QUIT:
                return False
        return True

    def begin(self) -> None:
        """Start a picture, all black."""
        self._sdl.SDL_SetRenderDrawColor(self._renderer, 0, 0, 0, 255)
        self._sdl.SDL_RenderClear(self._renderer)

    def end(self) -> None:
        """Show it."""
        self._sdl.SDL_RenderPresent(self._renderer)

    def fill(self, box: Box, color: Color, alpha: int = 255) -> None:
        """Fill a box with a colour (red, green, blue)."""
        sdl = self._sdl
        blend = sdl.SDL_BLENDMODE_NONE if alpha == 255 else sdl.SDL_BLENDMODE_BLEND
        sdl.SDL_SetRenderDrawBlendMode(self._renderer, blend)
        sdl.SDL_SetRenderDrawColor(self._renderer, *color, alpha)
        sdl.SDL_RenderFillRect(self._renderer, ctypes.byref(sdl.SDL_Rect(*box)))

    def text(self, image: Lettered, x: int, y: int) -> None:
        """Draw a line of text with its upper left corner at (x, y)."""
        sdl = self._sdl
        height, width = image.shape[:2]
        kept = self._texts.get(id(image))
        if kept is None:
            texture = sdl.SDL_CreateTexture(
                self._renderer, sdl.SDL_PIXELFORMAT_ARGB8888, sdl.SDL_TEXTUREACCESS_STATIC, width, height
            )
            sdl.SDL_SetTextureBlendMode(texture, sdl.SDL_BLENDMODE_BLEND)
            sdl.SDL_UpdateTexture(texture, None, image.ctypes.data_as(ctypes.c_void_p), width * 4)
            kept = self._texts[id(image)] = (image, texture)
            while len(self._texts) > MOST_TEXTURES:
                _, (_, old) = self._texts.popitem(last=False)
                sdl.SDL_DestroyTexture(old)
        self._texts.move_to_end(id(image))
        sdl.SDL_RenderCopy(self._renderer, kept[1], None, ctypes.byref(sdl.SDL_Rect(x, y, width, height)))

    def picture(self, texture: "Picture", box: Box) -> None:
        """Draw a picture scaled into a box."""
        if texture.handle is not None:
            self._sdl.SDL_RenderCopy(self._renderer, texture.handle, None, ctypes.byref(self._sdl.SDL_Rect(*box)))

    def new_picture(self) -> "Picture":
        """Return an empty picture that frames can be put into."""
        return Picture(self._sdl, self._renderer)

    def close(self) -> None:
        """Give the screen back."""
        for _, texture in self._texts.values():
            self._sdl.SDL_DestroyTexture(texture)
        self._texts.clear()
        if self._renderer:
            self._sdl.SDL_DestroyRenderer(self._renderer)
        if self._window:
            self._sdl.SDL_DestroyWindow(self._window)
        self._renderer = self._window = None
        self._sdl.SDL_Quit()


class Picture:
    """A frame in the renderer's memory; becomes another texture when the frame's size or format changes."""

    def __init__(self, sdl: Any, renderer: Any) -> None:
        self._sdl = sdl
        self._renderer = renderer
        self._made: tuple[int, int, int] | None = None
        self.handle: Any = None

    def put(self, header: FrameHeader, buffer: memoryview) -> bool:
        """Take in a frame; False when it is none that can be shown."""
        sdl = self._sdl
        width, height = header.width, header.height
        if header.pixel_format not in (BGR24, I420):
            return False
        if len(buffer) != frame_bytes(header.pixel_format, width, height):
            return False
        kind = (header.pixel_format, width, height)
        if self._made != kind:
            self.close()
            pixels = sdl.SDL_PIXELFORMAT_IYUV if header.pixel_format == I420 else sdl.SDL_PIXELFORMAT_BGR24
            self.handle = (
                sdl.SDL_CreateTexture(self._renderer, pixels, sdl.SDL_TEXTUREACCESS_STREAMING, width, height) or None
            )
            self._made = kind
        if self.handle is None:
            return False
        start = np.frombuffer(buffer, np.uint8).ctypes.data
        if header.pixel_format == BGR24:
            return bool(sdl.SDL_UpdateTexture(self.handle, None, ctypes.c_void_p(start), width * 3) == 0)
        luma, chroma = width * height, width * height // 4
        planes = [ctypes.cast(start + offset, ctypes.POINTER(ctypes.c_ubyte)) for offset in (0, luma, luma + chroma)]
        done = sdl.SDL_UpdateYUVTexture(
            self.handle, None, planes[0], width, planes[1], width // 2, planes[2], width // 2
        )
        return bool(done == 0)

    def close(self) -> None:
        """Give the memory back."""
        if self.handle is not None:
            self._sdl.SDL_DestroyTexture(self.handle)
        self.handle = self._made = None


def _load() -> Any:
    try:
        import sdl2
    except ImportError as error:
        raise SurfaceError(f"SDL2 is not installed: {INSTALL}") from error
    return sdl2


def _reason(sdl: Any) -> str:
    return str((sdl.SDL_GetError() or b"no reason given").decode(errors="replace"))[:200]
