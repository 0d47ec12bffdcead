package pi

import (
	"testing"
	"unsafe"

	"github.com/blackjack/webcam"
)

// The kernel's structures, by size and place on this machine's word size, so
// that the same file tests 32-bit and 64-bit builds. The sizes are those that
// a C compiler gives for linux/gpio.h, linux/videodev2.h and linux/fb.h.
func TestLayoutsAreTheKernels(t *testing.T) {
	wide := unsafe.Sizeof(uintptr(0)) == 8
	either := func(on64, on32 uintptr) uintptr {
		if wide {
			return on64
		}
		return on32
	}
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"struct gpiochip_info", unsafe.Sizeof(gpioChipInfo{}), 68},
		{"struct gpio_v2_line_info", unsafe.Sizeof(gpioLineInfo{}), 256},
		{"gpio_v2_line_info.flags", unsafe.Offsetof(gpioLineInfo{}.flags), 72},
		{"struct gpio_v2_line_attribute", unsafe.Sizeof(gpioLineAttribute{}), 16},
		{"struct gpio_v2_line_config", unsafe.Sizeof(gpioLineConfig{}), 272},
		{"gpio_v2_line_config.attrs", unsafe.Offsetof(gpioLineConfig{}.attrs), 32},
		{"struct gpio_v2_line_request", unsafe.Sizeof(gpioLineRequest{}), 592},
		{"gpio_v2_line_request.config", unsafe.Offsetof(gpioLineRequest{}.config), 288},
		{"gpio_v2_line_request.fd", unsafe.Offsetof(gpioLineRequest{}.fd), 588},
		{"struct gpio_v2_line_values", unsafe.Sizeof(gpioLineValues{}), 16},
		{"struct v4l2_capability", unsafe.Sizeof(v4l2Capability{}), 104},
		{"v4l2_capability.device_caps", unsafe.Offsetof(v4l2Capability{}.deviceCaps), 88},
		{"struct v4l2_pix_format", unsafe.Sizeof(v4l2PixFormat{}), 48},
		{"struct v4l2_format", unsafe.Sizeof(v4l2Format{}), either(208, 204)},
		{"v4l2_format.fmt", unsafe.Offsetof(v4l2Format{}.fmt), either(8, 4)},
		{"v4l2_format.fmt.pix.quantization", unsafe.Offsetof(v4l2PixFormat{}.quantization), 40},
		{"struct fb_var_screeninfo", unsafe.Sizeof(fbVarScreen{}), 160},
		{"fb_var_screeninfo.red", unsafe.Offsetof(fbVarScreen{}.red), 32},
		{"fb_var_screeninfo.nonstd", unsafe.Offsetof(fbVarScreen{}.nonstd), 80},
		{"struct fb_fix_screeninfo", unsafe.Sizeof(fbFixScreen{}), either(80, 68)},
		{"fb_fix_screeninfo.smem_len", unsafe.Offsetof(fbFixScreen{}.smemLen), either(24, 20)},
		{"fb_fix_screeninfo.line_length", unsafe.Offsetof(fbFixScreen{}.lineLength), either(48, 44)},
		{"fb_fix_screeninfo.capabilities", unsafe.Offsetof(fbFixScreen{}.capabilities), either(72, 60)},
		{"GPIO_GET_CHIPINFO_IOCTL", gpioGetChipInfo, 0x8044b401},
		{"GPIO_V2_GET_LINEINFO_IOCTL", gpioGetLineInfo, 0xc100b405},
		{"GPIO_V2_GET_LINE_IOCTL", gpioGetLine, 0xc250b407},
		{"GPIO_V2_LINE_SET_CONFIG_IOCTL", gpioLineSetConfig, 0xc110b40d},
		{"GPIO_V2_LINE_GET_VALUES_IOCTL", gpioLineGetValues, 0xc010b40e},
		{"GPIO_V2_LINE_SET_VALUES_IOCTL", gpioLineSetValues, 0xc010b40f},
		{"struct i2c_smbus_ioctl_data", unsafe.Sizeof(smbusData{}), either(16, 12)},
		{"i2c_smbus_ioctl_data.size", unsafe.Offsetof(smbusData{}.size), 4},
		{"i2c_smbus_ioctl_data.data", unsafe.Offsetof(smbusData{}.data), 8},
		{"VIDIOC_QUERYCAP", vidiocQueryCap, 0x80685600},
		{"VIDIOC_G_FMT", vidiocGetFmt, either(0xc0d05604, 0xc0cc5604)},
	} {
		if c.got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, c.got, c.want)
		}
	}
}

// The fields that are read from webcam by reflection must stay what they are.
func TestWebcamKeepsItsFields(t *testing.T) {
	var cam webcam.Webcam
	if descriptor(&cam) != 0 || bufferCount(&cam) != 0 {
		t.Error("a fresh Webcam has a descriptor and buffers")
	}
	if err := cam.SetBufferCount(7); err != nil || bufferCount(&cam) != 7 {
		t.Errorf("%d buffers, want 7 (%v)", bufferCount(&cam), err)
	}
}
