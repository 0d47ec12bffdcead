package pi

import (
	"fmt"
	"reflect"
	"slices"
	"unsafe"

	"github.com/blackjack/webcam"

	"pithings/hw"
)

// What webcam does not tell (linux/videodev2.h): which node of a device this
// is, and what the driver made of the wanted format.

type v4l2Capability struct {
	driver                            [16]byte
	card, busInfo                     [32]byte
	version, capabilities, deviceCaps uint32
	_                                 [3]uint32
}

// v4l2Format has its union at byte 8 on 64-bit machines and at byte 4 on
// 32-bit ones: some of its members hold pointers.
type v4l2Format struct {
	kind uint32
	fmt  struct {
		_   [0]uintptr
		pix v4l2PixFormat
		_   [200 - unsafe.Sizeof(v4l2PixFormat{})]byte
	}
}

type v4l2PixFormat struct {
	width, height           uint32
	pixelFormat             hw.PixelFormat
	field                   uint32
	bytesPerLine, sizeImage uint32
	colorspace, priv        uint32
	flags, ycbcrEnc         uint32
	quantization, xferFunc  uint32
}

const (
	capVideoCapture       = 0x00000001
	capVideoCaptureMplane = 0x00001000
	capVideoM2MMplane     = 0x00004000
	capVideoM2M           = 0x00008000
	capMetaCapture        = 0x00800000
	capStreaming          = 0x04000000
	capDeviceCaps         = 0x80000000

	bufTypeVideoCapture = 1
	pixFormatPrivMagic  = 0xfeedcafe
	colorspaceJPEG      = 7
	quantizationFull    = 1
	quantizationLimited = 2
)

var (
	vidiocQueryCap = ioc(iocRead, 'V', 0, unsafe.Sizeof(v4l2Capability{}))
	vidiocGetFmt   = ioc(iocRead|iocWrite, 'V', 4, unsafe.Sizeof(v4l2Format{}))
)

// csiDrivers are the receivers, image processors and codecs of a Pi: their nodes
// yield no finished pictures without libcamera.
var csiDrivers = []string{"unicam", "rp1-cfe", "bcm2835-isp", "pispbe", "bcm2835-codec", "rpi-hevc-dec", "rpivid"}

// checkCapture refuses every node that is not a plain capture device.
func checkCapture(node string, c v4l2Capability) error {
	driver := cString(c.driver[:])
	// webcam looks at capabilities, which are those of the whole device and are
	// set on its metadata node too.
	caps := c.capabilities
	if caps&capDeviceCaps != 0 {
		caps = c.deviceCaps
	}
	what := fmt.Sprintf("%s (driver %s)", node, driver)
	switch {
	case slices.Contains(csiDrivers, driver):
		return because(hw.ErrUnsupported, nil, what, "this belongs to a CSI camera, which needs libcamera and has no finished "+
			"pictures to offer here; use a USB camera, or feed a v4l2loopback device from rpicam-vid (docs/parts.md has the commands)")
	case caps&capVideoCapture != 0 && caps&capStreaming != 0:
		return nil
	case driver == "v4l2 loopback":
		return because(hw.ErrNotFound, nil, what, "no program feeds this loopback device yet")
	case caps&capMetaCapture != 0:
		return because(hw.ErrUnsupported, nil, what, "this node carries metadata, not pictures; use the camera's other node "+
			"(v4l2-ctl --list-devices, usually the lower number)")
	case caps&(capVideoM2M|capVideoM2MMplane) != 0:
		return because(hw.ErrUnsupported, nil, what, "this is a codec, not a camera")
	case caps&capVideoCaptureMplane != 0:
		return because(hw.ErrUnsupported, nil, what, "it offers multi-planar capture only, as CSI cameras do; use a USB camera")
	case caps&capVideoCapture != 0:
		return because(hw.ErrUnsupported, nil, what, "it does not stream")
	}
	return because(hw.ErrUnsupported, nil, what, "this is not a video capture device")
}

// stream turns the driver's word into a Stream.
func (p v4l2PixFormat) stream() hw.Stream {
	s := hw.Stream{VideoFormat: hw.VideoFormat{Pixel: p.pixelFormat, Width: int(p.width), Height: int(p.height)}}
	if least := p.pixelFormat.RowBytes(s.Width); least > 0 {
		s.Stride = max(int(p.bytesPerLine), least) // 0 in drivers that do not pad
	}
	quantization := p.quantization
	if p.priv != pixFormatPrivMagic {
		quantization = 0 // the fields after priv are not set
	}
	switch quantization {
	case quantizationFull:
		s.FullRange = true
	case quantizationLimited:
	default: // V4L2_MAP_QUANTIZATION_DEFAULT, where GREY counts as the kernel's own vivid has it: not as Y'CbCr
		s.FullRange = p.colorspace == colorspaceJPEG || p.pixelFormat == hw.GREY
	}
	return s
}

// descriptor and bufferCount read what webcam v0.6.1 keeps to itself: the file
// descriptor, needed to wait for a frame and for an interruption at once and to
// ask for the negotiated format, and the number of buffers that the driver gave.
// Values only: reflection cannot write there.
func descriptor(cam *webcam.Webcam) int { return int(webcamField(cam, "fd")) }

func bufferCount(cam *webcam.Webcam) int { return int(webcamField(cam, "bufcount")) }

func webcamField(cam *webcam.Webcam, name string) uint64 {
	return reflect.ValueOf(cam).Elem().FieldByName(name).Uint()
}
