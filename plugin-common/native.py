# SPDX-License-Identifier: MIT OR Apache-2.0
"""Mend's C library through ctypes: the one file that knows its functions and structs.

One copy serves every host. Python's standard library only, 3.8 or newer. A test compares
SIGNATURES and the structs with include/mend.h.

    inpainter = Inpainter()                     # finds and loads the library, starts nothing
    pixels = bytearray(...)                     # width * height * 4 bytes
    image = Image(pixels, width, height, RGBA | U8)
    report = inpainter.inpaint({"seed": "3"}, image, Image(mask, width, height, GRAY | U8))
"""

import contextlib
import ctypes
import json
import os
import sys
from typing import NamedTuple

ABI_VERSION = 1

# Pixel formats: one layout | one depth | flags.
GRAY, GRAYA, RGB, RGBA, BGR, BGRA = 1, 2, 3, 4, 5, 6
U8, U16, F16, F32 = 0x10, 0x20, 0x30, 0x40
PREMULTIPLIED, LINEAR = 0x100, 0x200

# Statuses.
OK = 0
(
    ERR_NULL,
    ERR_ARGUMENT,
    ERR_IMAGE,
    ERR_MASK,
    ERR_PARAMETER,
    ERR_ENGINE,
    ERR_MODEL,
    ERR_MEMORY,
    ERR_BUDGET,
    ERR_CANCELLED,
    ERR_IO,
    ERR_UNSUPPORTED,
    ERR_INTERNAL,
) = range(1, 14)

CHANNELS = {GRAY: 1, GRAYA: 2, RGB: 3, RGBA: 4, BGR: 3, BGRA: 4}
DEPTH_BYTES = {U8: 1, U16: 2, F16: 2, F32: 4}


def pixel_bytes(pixel_format):
    """Bytes of one pixel."""
    return CHANNELS[pixel_format & 0x0F] * DEPTH_BYTES[pixel_format & 0xF0]


class MendError(Exception):
    """A call failed: `status` for programs, `message` for people."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status
        self.message = message


class LoadError(MendError):
    """The library is missing, cannot be loaded here, or has another ABI version."""

    def __init__(self, message):
        super().__init__(ERR_UNSUPPORTED, message)


class mend_image(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("stride", ctypes.c_size_t),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("format", ctypes.c_uint32),
    ]


class mend_progress(ctypes.Structure):
    _fields_ = [
        ("stage", ctypes.c_char_p),
        ("step", ctypes.c_uint32),
        ("steps", ctypes.c_uint32),
        ("seconds_left", ctypes.c_double),
        ("preview", ctypes.POINTER(mend_image)),
        ("preview_x", ctypes.c_uint32),
        ("preview_y", ctypes.c_uint32),
        ("preview_width", ctypes.c_uint32),
        ("preview_height", ctypes.c_uint32),
    ]


class mend_click(ctypes.Structure):
    _fields_ = [("x", ctypes.c_double), ("y", ctypes.c_double), ("wanted", ctypes.c_uint32)]


class mend_box(ctypes.Structure):
    _fields_ = [
        ("x0", ctypes.c_double),
        ("y0", ctypes.c_double),
        ("x1", ctypes.c_double),
        ("y1", ctypes.c_double),
    ]


mend_progress_fn = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.POINTER(mend_progress), ctypes.c_void_p)


class mend_transfer(ctypes.Structure):
    _fields_ = [
        ("file", ctypes.c_char_p),
        ("bytes", ctypes.c_uint64),
        ("total", ctypes.c_uint64),
        ("bytes_per_second", ctypes.c_double),
        ("seconds_left", ctypes.c_double),
    ]


mend_transfer_fn = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.POINTER(mend_transfer), ctypes.c_void_p)

_handle = ctypes.c_void_p  # mend_inpainter *, mend_request * and so on
_out = ctypes.POINTER(ctypes.c_void_p)  # a handle or a string that the call gives back
_image = ctypes.POINTER(mend_image)
_number = ctypes.POINTER(ctypes.c_uint32)  # a number that the call gives back
_text = ctypes.c_char_p
_status = ctypes.c_int32

# name: (result, arguments)
SIGNATURES = {
    "mend_abi_version": (ctypes.c_uint32, []),
    "mend_version": (_text, []),
    "mend_inpainter_new": (_status, [_out, _out]),
    "mend_inpainter_set": (_status, [_handle, _text, _text, _out]),
    "mend_inpainter_trim": (_status, [_handle, _out]),
    "mend_inpainter_free": (None, [_handle]),
    "mend_request_new": (_status, [_out, _out]),
    "mend_request_set": (_status, [_handle, _text, _text, _out]),
    "mend_request_set_mask": (_status, [_handle, _text, _image, _out]),
    "mend_expanded_size": (
        _status,
        [_handle, ctypes.c_uint32, ctypes.c_uint32, _number, _number, _number, _number, _out],
    ),
    "mend_request_free": (None, [_handle]),
    "mend_cancel_new": (_status, [_out, _out]),
    "mend_cancel_trigger": (_status, [_handle]),
    "mend_cancel_finish": (_status, [_handle]),
    "mend_cancel_free": (None, [_handle]),
    "mend_describe": (_status, [_handle, _out, _out]),
    "mend_plan": (_status, [_handle, _handle, _image, _image, _out, _out]),
    "mend_inpaint": (
        _status,
        [
            _handle,
            _handle,
            _image,
            _image,
            _image,
            mend_progress_fn,
            ctypes.c_void_p,
            _handle,
            _out,
            _out,
        ],
    ),
    "mend_selector_new": (_status, [_out, _out]),
    "mend_selector_set": (_status, [_handle, _text, _text, _out]),
    "mend_selector_picture": (
        _status,
        [_handle, _image, mend_progress_fn, ctypes.c_void_p, _handle, _out, _out],
    ),
    "mend_select": (
        _status,
        [
            _handle,
            ctypes.POINTER(mend_click),
            ctypes.c_size_t,
            ctypes.POINTER(mend_box),
            ctypes.c_int32,
            _image,
            _out,
            _out,
        ],
    ),
    "mend_seen_free": (None, [_handle]),
    "mend_selector_free": (None, [_handle]),
    "mend_inpaint_variations": (
        _status,
        [
            _handle,
            _handle,
            _image,
            _image,
            mend_progress_fn,
            ctypes.c_void_p,
            _handle,
            _out,
            _out,
            _out,
        ],
    ),
    "mend_variations_count": (ctypes.c_size_t, [_handle]),
    "mend_variations_score": (ctypes.c_double, [_handle, ctypes.c_size_t]),
    "mend_variations_take": (_status, [_handle, ctypes.c_size_t, _image, _image, _out]),
    "mend_variations_free": (None, [_handle]),
    "mend_models": (_status, [_handle, _out, _out]),
    "mend_models_fetch": (
        _status,
        [_handle, _text, _text, mend_transfer_fn, ctypes.c_void_p, _handle, _out, _out],
    ),
    "mend_models_import": (
        _status,
        [_handle, _text, _text, mend_transfer_fn, ctypes.c_void_p, _handle, _out, _out],
    ),
    "mend_models_remove": (_status, [_handle, _text, _out, _out]),
    "mend_string_free": (None, [ctypes.c_void_p]),
    "mend_error_status": (_status, [_handle]),
    "mend_error_message": (_text, [_handle]),
    "mend_error_free": (None, [_handle]),
}


def library_names(platform=sys.platform):
    """File names of the library, the likeliest first."""
    if platform.startswith(("win", "cygwin", "msys")):
        return ["mend.dll"]
    if platform == "darwin":
        return ["libmend.dylib"]
    return ["libmend.so", "libmend.so.%d" % ABI_VERSION]


def library_path():
    """The library's file: $MEND_LIBRARY, or the one beside this file. LoadError says what to do."""
    asked = os.environ.get("MEND_LIBRARY")
    if asked:
        if os.path.isfile(asked):
            return asked
        raise LoadError(
            "MEND_LIBRARY names %s, and there is no such file: correct or unset it." % asked
        )
    folder = os.path.dirname(os.path.abspath(__file__))
    for name in library_names():
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    raise LoadError(
        "Mend's library %s is missing from %s. Run 'mend install gimp' or 'mend install krita' "
        "again, or set MEND_LIBRARY to the library's file." % (library_names()[0], folder)
    )


def load(path=None):
    """The library with its functions declared. LoadError when it cannot be used here."""
    path = path or library_path()
    try:
        library = ctypes.CDLL(path)
        version = library.mend_abi_version
    except OSError as error:
        raise LoadError(
            "Mend's library %s cannot be loaded on this system: %s" % (path, error)
        ) from None
    except AttributeError:
        raise LoadError("%s is not Mend's library: it has no mend_abi_version." % path) from None
    version.restype, version.argtypes = ctypes.c_uint32, []
    have = version()
    if have != ABI_VERSION:
        raise LoadError(
            "This plug-in needs version %d of Mend's library interface, and %s has version %d. "
            "Run 'mend install' again with the mend that you want to use."
            % (ABI_VERSION, path, have)
        )
    for name, (result, arguments) in SIGNATURES.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise LoadError("%s lacks %s: install Mend again." % (path, name)) from None
        function.restype, function.argtypes = result, arguments
    return library


class Image:
    """Pixels in memory: `data` is bytes (to read) or a bytearray (to read and to write)."""

    def __init__(self, data, width, height, pixel_format, stride=None):
        self.data = data if isinstance(data, (bytes, bytearray)) else bytes(data)
        self.width, self.height, self.format = width, height, pixel_format
        self.stride = width * pixel_bytes(pixel_format) if stride is None else stride

    @property
    def writable(self):
        return isinstance(self.data, bytearray)

    def _as_struct(self):
        """The struct, and what must stay alive as long as the struct is used."""
        length = len(self.data)
        if isinstance(self.data, bytearray):
            keep = (ctypes.c_char * length).from_buffer(self.data)
            address = ctypes.addressof(keep)
        else:
            keep = ctypes.c_char_p(self.data)
            address = ctypes.cast(keep, ctypes.c_void_p).value
        return (
            mend_image(address, length, self.stride, self.width, self.height, self.format),
            (keep, self.data),
        )


class Glimpse(NamedTuple):
    """A small, rough picture of what a region is becoming."""

    x: int  # where the region is in the picture that was given
    y: int
    region_width: int
    region_height: int
    width: int
    height: int
    rgb: bytes  # 8 bits a channel


class Progress:
    """One report of a running fill. `glimpse`: a Glimpse, if there is a new one, or None."""

    def __init__(self, raw):
        self.glimpse = None
        if raw.preview:
            image = raw.preview.contents
            rgb = ctypes.string_at(image.data, image.length)
            place = (raw.preview_x, raw.preview_y, raw.preview_width, raw.preview_height)
            self.glimpse = Glimpse(*place, image.width, image.height, rgb)
        self.stage = (raw.stage or b"").decode("utf-8", "replace")
        self.step, self.steps = raw.step, max(raw.steps, 1)
        self.seconds_left = raw.seconds_left if raw.seconds_left >= 0 else None

    @property
    def share(self):
        """How much is done, 0.0 to 1.0."""
        return min(self.step / self.steps, 1.0)


class Transfer:
    """One report of a fetch or an import."""

    def __init__(self, raw):
        self.file = (raw.file or b"").decode("utf-8", "replace")
        self.bytes, self.total = raw.bytes, raw.total
        self.seconds_left = raw.seconds_left if raw.seconds_left >= 0 else None


class _Handle:
    """An opaque handle with its `new` and `free`."""

    def __init__(self, library, name):
        self._free = getattr(library, "mend_%s_free" % name)
        self._pointer = ctypes.c_void_p()
        self._library = library
        _check(library, getattr(library, "mend_%s_new" % name), ctypes.byref(self._pointer))

    def __del__(self):
        if getattr(self, "_pointer", None):
            self._free(self._pointer)
            self._pointer = None


class Cancel(_Handle):
    """A flag that any thread may raise to stop running fills."""

    def __init__(self, library):
        super().__init__(library, "cancel")

    def trigger(self):
        self._library.mend_cancel_trigger(self._pointer)

    def finish(self):
        """Has them end soon with what they have come to."""
        self._library.mend_cancel_finish(self._pointer)


class Inpainter(_Handle):
    """Fills regions of images. `settings`: threads, max-memory, models, as text.

    Raises LoadError when the library cannot be used, MendError for a setting that is refused. Its
    methods may be called from several threads; Python's other threads run meanwhile.
    """

    def __init__(self, settings=None, library=None):
        super().__init__(library or load(), "inpainter")
        for name, value in (settings or {}).items():
            _check(
                self._library,
                self._library.mend_inpainter_set,
                self._pointer,
                _encode(name),
                _encode(value),
            )

    @property
    def version(self):
        """The library's version, such as "0.1.0"."""
        return self._library.mend_version().decode("utf-8", "replace")

    def cancel(self):
        """A new flag that stops fills."""
        return Cancel(self._library)

    def describe(self):
        """Engines, models and parameters, as dictionaries and lists."""
        text = ctypes.c_void_p()
        _check(self._library, self._library.mend_describe, self._pointer, ctypes.byref(text))
        return self._take_json(text)

    def trim(self):
        """Lets go of what is loaded, such as a model that is to be removed."""
        _check(self._library, self._library.mend_inpainter_trim, self._pointer)

    def models(self):
        """What is in the models folder and what can be fetched, as mend_models says it."""
        return self._answer(self._library.mend_models)

    def fetch_model(self, model, mirror=None, progress=None, cancel=None):
        """Gets a model, and goes on where an earlier call stopped. The only thing that uses the
        network. `progress` is called with a Transfer and stops it by returning False."""
        return self._transfer(self._library.mend_models_fetch, model, mirror, progress, cancel)

    def import_model(self, path, name=None, progress=None, cancel=None):
        """Copies a model's file or folder into the models folder, under `name` or its own."""
        return self._transfer(self._library.mend_models_import, path, name, progress, cancel)

    def remove_model(self, model):
        """Deletes a model, or what a broken off fetch left; {"files", "bytes", "left"}."""
        return self._answer(self._library.mend_models_remove, _encode(model))

    def _answer(self, function, *arguments):
        text = ctypes.c_void_p()
        _check(self._library, function, self._pointer, *arguments, ctypes.byref(text))
        return self._take_json(text)

    def _transfer(self, function, first, second, progress, cancel):
        with _called(mend_transfer_fn, Transfer, progress) as trampoline:
            return self._answer(
                function,
                _encode(first),
                None if second is None else _encode(second),
                trampoline,
                None,
                cancel._pointer if cancel else None,
            )

    def check(self, parameters):
        """Raises the library's own MendError for a parameter that it refuses; asks for nothing
        else."""
        self._request(parameters)

    def expanded_size(self, parameters, width, height):
        """What the parameter "expand" makes of a picture of this size: the new width and height,
        and the column and the row of the picture's corner in it."""
        request = self._request(parameters)
        numbers = [ctypes.c_uint32() for _ in range(4)]
        _check(
            self._library,
            self._library.mend_expanded_size,
            request._pointer,
            width,
            height,
            *[ctypes.byref(number) for number in numbers],
        )
        return tuple(number.value for number in numbers)

    def plan(self, parameters, mask, image=None):
        """What a fill would do: regions, predicted bytes and seconds. Runs nothing."""
        request = self._request(parameters)
        mask_struct, keep_mask = _as_struct(mask)
        image_struct, keep_image = _as_struct(image)
        text = ctypes.c_void_p()
        _check(
            self._library,
            self._library.mend_plan,
            self._pointer,
            request._pointer,
            _by_reference(image_struct),
            _by_reference(mask_struct),
            ctypes.byref(text),
        )
        del keep_mask, keep_image
        return self._take_json(text)

    def inpaint(
        self, parameters, image, mask, out=None, source=None, progress=None, cancel=None, guide=None
    ):
        """Fills what `mask` selects, in `image` itself or in `out`; gives back the report.

        `parameters` maps names to text. `source` limits where samples come from; `guide` is a mask
        of lines to continue. `progress` is called with a Progress and stops the fill by returning
        False; what it raises stops the fill and is raised from here. On any failure the pixels are
        as they were. With the parameter "expand", `out` is needed and has the size of
        `expanded_size`, and `mask` may be None.
        """
        _check_writable(out or image)
        request = self._request(parameters, source, guide)
        image_struct, keep_image = image._as_struct()
        mask_struct, keep_mask = _as_struct(mask)
        out_struct, keep_out = (image_struct, keep_image) if out is None else out._as_struct()
        text = ctypes.c_void_p()
        try:
            self._run(
                self._library.mend_inpaint,
                request,
                [image_struct, mask_struct, out_struct],
                progress,
                cancel,
                [text],
            )
        finally:
            del keep_image, keep_mask, keep_out
        return self._take_json(text)

    def vary(self, parameters, image, mask, source=None, progress=None, cancel=None, guide=None):
        """Fills what `mask` selects several times over, as the parameters "variations" and
        "best-of" say; gives back Variations. `image` stays as it is. The rest is as for inpaint."""
        request = self._request(parameters, source, guide)
        image_struct, keep_image = image._as_struct()
        mask_struct, keep_mask = _as_struct(mask)
        made, text = ctypes.c_void_p(), ctypes.c_void_p()
        try:
            self._run(
                self._library.mend_inpaint_variations,
                request,
                [image_struct, mask_struct],
                progress,
                cancel,
                [made, text],
            )
        finally:
            del keep_image, keep_mask
        return Variations(self._library, made, self._take_json(text))

    def _run(self, function, request, images, progress, cancel, results):
        """Calls a function that fills."""
        given = [self._pointer, request._pointer]
        _watched(self._library, function, given, images, progress, cancel, results)

    def _request(self, parameters, source=None, guide=None):
        request = _Handle(self._library, "request")
        for name, value in (parameters or {}).items():
            _check(
                self._library,
                self._library.mend_request_set,
                request._pointer,
                _encode(name),
                _encode(value),
            )
        for name, mask in ((b"source", source), (b"guide", guide)):
            if mask is not None:
                struct, keep = mask._as_struct()
                _check(
                    self._library,
                    self._library.mend_request_set_mask,
                    request._pointer,
                    name,
                    ctypes.byref(struct),
                )
                del keep
        return request

    def _take_json(self, text):
        return _json(self._library, text)


class Selector(_Handle):
    """Finds objects by clicks. Threads start and the network loads with the first picture."""

    def __init__(self, settings=None, library=None):
        super().__init__(library or load(), "selector")
        for name, value in (settings or {}).items():
            _check(
                self._library,
                self._library.mend_selector_set,
                self._pointer,
                _encode(name),
                _encode(value),
            )

    def cancel(self):
        """A flag for `look`."""
        return Cancel(self._library)

    def look(self, image, progress=None, cancel=None):
        """Looks at a picture, for about a second with a network; gives back Seen. `progress` and
        `cancel` are as for Inpainter.inpaint."""
        struct, keep = image._as_struct()
        seen = ctypes.c_void_p()
        function = self._library.mend_selector_picture
        try:
            given = [self._pointer]
            _watched(self._library, function, given, [struct], progress, cancel, [seen])
        finally:
            del keep
        return Seen(self._library, seen)


class Seen:
    """A picture that was looked at; it keeps nothing of the picture or the selector."""

    def __init__(self, library, pointer):
        self._library, self._pointer = library, pointer

    def __del__(self):
        if getattr(self, "_pointer", None):
            self._library.mend_seen_free(self._pointer)
            self._pointer = None

    def select(self, clicks, out, area=None, grow=-1):
        """Writes the mask of what `clicks`, [(x, y, wanted)], and `area`, (x0, y0, x1, y1), mean to
        `out`, an Image of GRAY | U8; gives back the report. `grow` below 0 widens it a little."""
        _check_writable(out)
        array = (mend_click * len(clicks))(*[(x, y, int(wanted)) for x, y, wanted in clicks])
        struct, keep = out._as_struct()
        text = ctypes.c_void_p()
        try:
            _check(
                self._library,
                self._library.mend_select,
                self._pointer,
                array,
                len(clicks),
                ctypes.byref(mend_box(*area)) if area is not None else None,
                grow,
                ctypes.byref(struct),
                ctypes.byref(text),
            )
        finally:
            del keep
        return _json(self._library, text)


class Variations:
    """Different fills of one hole, the best first. `report`: what was done."""

    def __init__(self, library, pointer, report):
        self._library, self._pointer, self.report = library, pointer, report

    def __del__(self):
        if getattr(self, "_pointer", None):
            self._library.mend_variations_free(self._pointer)
            self._pointer = None

    def __len__(self):
        return self._library.mend_variations_count(self._pointer)

    def score(self, number):
        """How well variation `number` goes with what is around the hole: the lower the better. NaN
        for a number that there is not."""
        return self._library.mend_variations_score(self._pointer, number)

    def take(self, number, image, out=None):
        """Writes variation `number` of the picture `image` into it, or into `out`."""
        _check_writable(out or image)
        image_struct, keep_image = image._as_struct()
        out_struct, keep_out = (image_struct, keep_image) if out is None else out._as_struct()
        try:
            _check(
                self._library,
                self._library.mend_variations_take,
                self._pointer,
                number,
                ctypes.byref(image_struct),
                ctypes.byref(out_struct),
            )
        finally:
            del keep_image, keep_out


def _json(library, text):
    """What a string of the library's says; it is freed."""
    if not text:
        raise MendError(ERR_INTERNAL, "Mend's library gave no answer")
    try:
        return json.loads(ctypes.string_at(text.value).decode("utf-8"))
    finally:
        library.mend_string_free(text)


def _watched(library, function, given, images, progress, cancel, results):
    """Calls a function that tells the progress of a fill."""
    with _called(mend_progress_fn, Progress, progress) as trampoline:
        _check(
            library,
            function,
            *given,
            *[_by_reference(image) for image in images],
            trampoline,
            None,
            cancel._pointer if cancel else None,
            *[ctypes.byref(result) for result in results],
        )


@contextlib.contextmanager
def _called(kind, report, progress):
    """`progress` as C calls it, with a `report` of what C tells; what it raises is raised from the
    block."""
    raised = []

    def call(raw, _user):
        # An exception that left this function would hand garbage to C.
        try:
            return 0 if progress(report(raw.contents)) is False else 1
        except BaseException as error:
            raised.append(error)
            return 0

    try:
        yield kind(call) if progress else kind()
    except MendError:
        if raised:
            raise raised[0] from None
        raise


def _as_struct(image):
    """As Image._as_struct; nothing for None."""
    return (None, None) if image is None else image._as_struct()


def _by_reference(struct):
    return None if struct is None else ctypes.byref(struct)


def _check_writable(image):
    if not image.writable:
        raise MendError(ERR_ARGUMENT, "the pixels to write must be a bytearray")


def _encode(text):
    """A C string. One with a NUL inside is refused, for C would see only its beginning."""
    text = str(text)
    if "\0" in text:
        raise MendError(ERR_ARGUMENT, "a text with a NUL character cannot be passed to Mend")
    return text.encode("utf-8")


def _check(library, function, *arguments):
    """Calls `function` with `arguments` and an error to fill in; raises MendError on failure."""
    error = ctypes.c_void_p()
    status = function(*arguments, ctypes.byref(error))
    if status == OK:
        return
    message = None
    if error:
        message = library.mend_error_message(error)
        library.mend_error_free(error)
    raise MendError(status, (message or b"Mend gave no reason").decode("utf-8", "replace"))
