package pi

import (
	"errors"
	"fmt"
	"unsafe"

	"pithings/hw"
)

// The structures and numbers of linux/fb.h.

type fbBitfield struct{ offset, length, msbRight uint32 }

type fbVarScreen struct {
	xres, yres, xresVirtual, yresVirtual uint32
	xoffset, yoffset                     uint32
	bitsPerPixel, grayscale              uint32
	red, green, blue, transp             fbBitfield
	nonstd, activate                     uint32
	height, width                        uint32 // of the picture, in mm
	accelFlags                           uint32
	pixclock                             uint32
	leftMargin, rightMargin              uint32
	upperMargin, lowerMargin             uint32
	hsyncLen, vsyncLen                   uint32
	sync, vmode                          uint32
	rotate, colorspace                   uint32
	_                                    [4]uint32
}

// fbFixScreen holds two unsigned longs, so that its size depends on the machine.
type fbFixScreen struct {
	id                        [16]byte
	smemStart                 uintptr
	smemLen                   uint32
	kind, typeAux, visual     uint32
	xpanstep, ypanstep, ywrap uint16
	lineLength                uint32
	mmioStart                 uintptr
	mmioLen, accel            uint32
	capabilities              uint16
	_                         [2]uint16
}

const (
	fbioGetVarScreen = 0x4600
	fbioGetFixScreen = 0x4602
	fbioGetCon2FbMap = 0x460F
	fbioBlank        = 0x4611

	fbTypePackedPixels  = 0
	fbVisualTrueColor   = 2
	fbVisualDirectColor = 4

	fbBlankUnblank   = 0
	fbBlankPowerdown = 4

	// maxScreenMemory bounds what is mapped: an 8K screen of 32 bits, doubled.
	maxScreenMemory = 256 << 20
)

// screenMode is what a framebuffer says about itself.
type screenMode struct {
	v fbVarScreen
	f fbFixScreen
}

func readMode(fd int) (screenMode, error) {
	var m screenMode
	if err := ioctl(fd, fbioGetVarScreen, unsafe.Pointer(&m.v)); err != nil {
		return m, fmt.Errorf("read its mode: %w", err)
	}
	if err := ioctl(fd, fbioGetFixScreen, unsafe.Pointer(&m.f)); err != nil {
		return m, fmt.Errorf("read its memory layout: %w", err)
	}
	return m, nil
}

// geometry checks everything that a picture's pixels depend on.
func (m screenMode) geometry() (hw.Geometry, error) {
	field := func(b fbBitfield) hw.Bitfield { return hw.Bitfield{Offset: int(b.offset), Length: int(b.length)} }
	for _, n := range []uint32{m.v.xres, m.v.yres, m.v.bitsPerPixel, m.f.lineLength,
		m.v.red.offset, m.v.red.length, m.v.green.offset, m.v.green.length,
		m.v.blue.offset, m.v.blue.length, m.v.transp.offset, m.v.transp.length} {
		if n > 1<<20 { // so that the numbers fit an int everywhere
			return hw.Geometry{}, fmt.Errorf("%w: framebuffer with a size of %d", hw.ErrUnsupported, n)
		}
	}
	g := hw.Geometry{
		Width: int(m.v.xres), Height: int(m.v.yres), Stride: int(m.f.lineLength), BitsPerPixel: int(m.v.bitsPerPixel),
		Red: field(m.v.red), Green: field(m.v.green), Blue: field(m.v.blue), Alpha: field(m.v.transp),
	}
	if err := m.trueColour(); err != nil {
		return g, err
	}
	return g, g.Validate()
}

// trueColour refuses what has no red, green and blue in each pixel.
//
// nonstd alone says nothing: linux/fb.h calls it "!= 0 Non standard pixel format", and fbtft, the driver of most
// small SPI panels, sets it to 1 on ordinary RGB565 (drivers/staging/fbtft/fbtft-core.c). It matters where it is a
// four-character code, as i.MX drivers have it; others put that code into grayscale (Documentation/fb/api.rst).
// Formats without a code show in the bit fields, which Validate checks.
func (m screenMode) trueColour() error {
	colour := m.f.visual == fbVisualTrueColor || m.f.visual == fbVisualDirectColor
	switch {
	case m.v.nonstd > maxNonStandard:
		return fourCC(m.v.nonstd)
	case m.v.grayscale > 1:
		return fourCC(m.v.grayscale)
	case m.f.kind != fbTypePackedPixels || !colour || m.v.grayscale != 0:
		err := fmt.Errorf("%w: framebuffer without red, green and blue in each pixel (type %d, visual %d, %d bits per pixel)",
			hw.ErrUnsupported, m.f.kind, m.f.visual, m.v.bitsPerPixel)
		if bits := m.v.bitsPerPixel; bits != 16 && bits != 24 && bits != 32 {
			err = fmt.Errorf("%w; set 16, 24 or 32 bits (fbset -depth 32)", err)
		}
		return err
	case m.v.red.msbRight != 0 || m.v.green.msbRight != 0 || m.v.blue.msbRight != 0:
		return fmt.Errorf("%w: framebuffer with reversed colour bits", hw.ErrUnsupported)
	}
	return nil
}

// maxNonStandard is the largest nonstd that is a driver's own number and not a four-character code.
const maxNonStandard = 0xFFFF

func fourCC(code uint32) error {
	return fmt.Errorf("%w: framebuffer in pixel format %q, which is not red, green and blue in bit fields; choose an RGB mode of its driver",
		hw.ErrUnsupported, hw.PixelFormat(code))
}

// span is the part of the mapped memory that is visible, in bytes: it moves when
// the console pans. pageSize is that of the machine, because a mapping begins
// with the page that the memory begins in.
func (m screenMode) span(pageSize int) (begin, end int, err error) {
	first := int64(m.f.smemStart % uintptr(pageSize))
	stride, bytes := int64(m.f.lineLength), int64(m.v.bitsPerPixel/8)
	from := first + int64(m.v.yoffset)*stride + int64(m.v.xoffset)*bytes
	to := from + int64(m.v.yres)*stride
	if to > first+int64(m.f.smemLen) || to > maxScreenMemory {
		return 0, 0, fmt.Errorf("%w: framebuffer whose picture (%d bytes from %d) does not fit its memory of %d bytes",
			hw.ErrUnsupported, to-from, from, m.f.smemLen)
	}
	return int(from), int(to), nil
}

// same reports whether m is the mode that was found at opening. The place of
// the picture in the memory may differ.
func (m screenMode) same(as screenMode) bool {
	a, b := m, as
	a.v.xoffset, a.v.yoffset, b.v.xoffset, b.v.yoffset = 0, 0, 0, 0
	a.v.activate, b.v.activate = 0, 0
	return a == b
}

var errModeChanged = errors.New("the screen's mode changed")
