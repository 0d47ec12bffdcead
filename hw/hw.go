// Package hw is the seam between pithings and the parts of a board: a digital
// input, an I²C bus, a video device and a framebuffer, opened by the names that
// the configuration gives.
//
// hw/pi implements [Board] with the Linux kernel's own interfaces, hw/mock
// simulates it at the wire. Everything above this package is the same for both.
// hw/hwtest is the suite that every implementation has to pass.
package hw

import (
	"context"
	"errors"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"
)

// The reasons why a part cannot be used. Implementations wrap them with what
// was asked for and why, and, where they know it, end the text with what the
// user can do about it, behind a semicolon: "/dev/fb0: not found: no such screen;
// plug the display in". Callers test with errors.Is.
var (
	// ErrNotFound: there is no part of that name now. It may appear later.
	ErrNotFound = errors.New("not found")
	// ErrBusy: somebody else has the part.
	ErrBusy = errors.New("in use by another program")
	// ErrPermission: the part is there, but this user may not open it.
	ErrPermission = errors.New("permission denied")
	// ErrGone: the part was there and vanished (unplugged, driver unbound,
	// screen mode changed). Close the handle and open the part again.
	ErrGone = errors.New("device has gone")
	// ErrUnsupported: the part is there and can never do what was asked.
	ErrUnsupported = errors.New("not supported")
)

// Board opens raw parts. Its methods may be called from several goroutines;
// what they return belongs to one goroutine unless stated otherwise.
type Board interface {
	// String names the board for a log line.
	String() string

	// OpenPin claims the digital input line called name: a line name such as
	// "GPIO17", or "LABEL:NAME" to choose the chip by its label too
	// ("pinctrl-rp1:GPIO17").
	//
	// The caller configures it with In before anything else, calls WaitForEdge
	// with a positive, finite time-out only, and releases it with Halt; then it
	// can be opened again. Read after Halt or after the line has gone returns
	// gpio.Low; the next In tells the error.
	OpenPin(name string) (gpio.PinIn, error)

	// OpenBus opens the I²C bus called name: "1" for /dev/i2c-1, a device path,
	// or an adapter name as the kernel reports it. A bus may be opened several
	// times. A Tx that is not acknowledged fails with an error at once; a bus
	// that hangs fails after the adapter's time-out.
	OpenBus(name string) (i2c.BusCloser, error)

	// OpenVideo opens a video capture device: /dev/video0, or a link such as
	// /dev/v4l/by-id/… Devices that offer no capture format (metadata nodes,
	// codecs) are refused with ErrUnsupported.
	OpenVideo(device string) (Video, error)

	// OpenFramebuffer opens a screen, for example /dev/fb0, and takes the
	// console's text and cursor away while it is open, as far as it may.
	OpenFramebuffer(device string) (Framebuffer, error)
}

// PixelFormat is a V4L2 four-character code (linux/videodev2.h).
type PixelFormat uint32

// The pixel formats that pithings understands.
const (
	YUYV PixelFormat = 'Y' | 'U'<<8 | 'Y'<<16 | 'V'<<24 // packed 4:2:2, 2 bytes a pixel
	MJPG PixelFormat = 'M' | 'J'<<8 | 'P'<<16 | 'G'<<24 // Motion-JPEG: Huffman tables may be missing
	JPEG PixelFormat = 'J' | 'P'<<8 | 'E'<<16 | 'G'<<24 // whole JFIF pictures
)

// String returns the four characters.
func (f PixelFormat) String() string {
	return string([]byte{byte(f), byte(f >> 8), byte(f >> 16), byte(f >> 24)})
}

// VideoFormat is a picture format of a video device.
type VideoFormat struct {
	Pixel PixelFormat
	// Width and Height are in pixels. Both are 0 in an offered format when the
	// device takes a range of sizes or does not list them.
	Width, Height int
}

// Stream is what a driver agreed to deliver.
type Stream struct {
	VideoFormat
	Stride    int  // bytes from one row to the next; 0 for compressed formats
	FullRange bool // Y'CbCr uses 0–255; otherwise 16–235 and 16–240
	Buffers   int  // at most so many frames may be waiting, each possibly old
}

// Video is an open video capture device. Only Close may be called from another
// goroutine; it ends a Next that waits.
type Video interface {
	// String names the device and its driver.
	String() string
	// Formats lists what the device offers.
	Formats() ([]VideoFormat, error)
	// Start negotiates a format and starts the stream. The driver has the last
	// word about the size: callers use the returned Stream, not what they asked
	// for. A Width or Height of 0 leaves the size to the driver.
	Start(want VideoFormat) (Stream, error)
	// Next waits for the next frame and appends it to buf[:0]. The result is a
	// copy that stays valid. It may be truncated or corrupt: the callers check.
	// ErrGone says that the device must be closed and opened again.
	Next(ctx context.Context, buf []byte) ([]byte, error)
	// Stop ends the stream and gives back its buffers. Start may follow.
	Stop() error
	// Close stops and releases the device. It may be called twice.
	Close() error
}

// Bitfield is the place of one colour channel in a pixel (linux/fb.h,
// struct fb_bitfield): Length bits, the lowest of them Offset bits from the
// lowest bit of the pixel read as a little-endian number.
type Bitfield struct{ Offset, Length int }

// Framebuffer is an open screen.
type Framebuffer interface {
	// String names the device and its driver.
	String() string
	// Geometry tells how the pixel memory is laid out. It stays the same while
	// the framebuffer is open.
	Geometry() Geometry
	// Draw calls paint with the visible pixel memory: Stride bytes a row,
	// Height rows. pix must not be kept. ErrGone says that the screen vanished
	// or changed its mode, and that it must be closed and opened again.
	// Draw, Read and Close may be called from several goroutines.
	Draw(paint func(pix []byte)) error
	// Read calls look with the same memory, to be looked at only.
	Read(look func(pix []byte)) error
	// Blank switches the picture (the panel's light, where the driver can) off
	// and on. Screens that cannot be blanked return ErrUnsupported.
	Blank(off bool) error
	// Close gives the screen back to the console, as it was found. It may be
	// called twice.
	Close() error
}
