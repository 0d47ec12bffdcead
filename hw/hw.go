// Package hw is the seam between pithings and the parts of a board: digital
// inputs and outputs, an I²C bus, a serial port, a device on the network, a video device,
// a framebuffer and the sensors that the kernel drives, opened by the names that the
// configuration gives.
//
// hw/pi implements [Board] with the Linux kernel's own interfaces, hw/mock
// simulates it at the wire. Everything above this package is the same for both.
// hw/hwtest is the suite that every implementation has to pass.
package hw

import (
	"context"
	"errors"
	"io/fs"
	"net"

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
	// ErrBusy: another program has the part.
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
	// gpio.Low; the next In returns the error.
	OpenPin(name string) (gpio.PinIn, error)

	// OpenOutput claims the digital line called name, as OpenPin does, and makes it
	// an output. Its first value is part of the request, so that the line has no
	// other before. Drive and pull stay as they are. The line is held until Close,
	// or until the process ends; what becomes of its level then is the matter of the
	// chip's driver (see hw/pi).
	//
	// With StartKeep the level is read first and becomes the first value. A line
	// that was an input has the level of its wire. ErrUnsupported: the chip does not
	// tell the level of its line.
	OpenOutput(name string, o OutputOpts) (Output, error)

	// OpenBus opens the I²C bus called name: "1" for /dev/i2c-1, a device path,
	// or an adapter name as the kernel reports it. A bus may be opened several
	// times. A Tx that is not acknowledged fails with an error at once; a bus
	// that hangs fails after the adapter's time-out.
	OpenBus(name string) (i2c.BusCloser, error)

	// OpenSerial opens a serial port, for example /dev/ttyAMA0, or a link such as
	// /dev/serial/by-id/…, for itself alone: a second open gives ErrBusy. Devices that are
	// no serial ports, and speeds that a port does not have, are refused with
	// ErrUnsupported.
	OpenSerial(device string, o SerialOpts) (Serial, error)

	// Dial connects to a device on the network by TCP. address is HOST:PORT. It ends
	// when ctx does.
	Dial(ctx context.Context, address string) (net.Conn, error)

	// OpenVideo opens a video capture device: /dev/video0, or a link such as
	// /dev/v4l/by-id/… Devices that offer no capture format (metadata nodes,
	// codecs) are refused with ErrUnsupported.
	OpenVideo(device string) (Video, error)

	// OpenFramebuffer opens a screen, for example /dev/fb0, and takes the
	// console's text and cursor away while it is open, as far as it may.
	OpenFramebuffer(device string) (Framebuffer, error)

	// Sysfs returns the folder in which the kernel shows the sensor called name:
	// the machine's root folder, with sys and proc in it. There is nothing to
	// close, and several goroutines may read it. A real board has one for all
	// names; whether it shows that sensor is found out by looking. The name ""
	// means all sensors.
	//
	// It is read only, follows symbolic links and never leaves the root folder.
	// It implements [fs.ReadLinkFS]. A value that the driver does not have yet
	// is an error at once (EAGAIN), but a driver may take its time for a
	// reading, and one that hangs blocks Open or Read for as long as it does.
	Sysfs(name string) (fs.FS, error)

	// Line looks up a line by a name that OpenPin and OpenOutput take, and leaves it
	// alone: one that drives something stays as it is, whatever uses it. The chip comes
	// without its lines.
	Line(name string) (chip GPIOChip, line GPIOLine, err error)

	// Parts lists what the board has now. It changes nothing: lines are not
	// requested, I²C chips only asked whether they answer, pictures not taken. It
	// returns soon after ctx ends, with what it has: calls into the kernel that have
	// begun are waited for, 1 s for an I²C bus that hangs.
	Parts(ctx context.Context) Parts
}

// Settled may be implemented by an input line whose sensor has been under power for long
// enough, whatever its driver would wait for: nothing warms up in a simulation.
type Settled interface{ Settled() bool }

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
	Stride    int  // bytes from one row to the next, of Y in planar formats; 0 for compressed ones
	FullRange bool // Y'CbCr uses 0–255; otherwise 16–235 and 16–240
	Buffers   int  // at most so many frames may be waiting, each possibly old
}

// Layout returns where the samples of its frames are; a zero Layout for compressed formats.
func (s Stream) Layout() Layout { return LayoutOf(s.Pixel, s.Width, s.Height, s.Stride) }

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
	// Geometry reports how the pixel memory is laid out. It stays the same while
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
