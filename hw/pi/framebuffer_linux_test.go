package pi

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pithings/hw"
)

// piScreen is the 16 bit screen of a Pi at 800 x 480, with room for two pictures.
func piScreen() screenMode {
	var m screenMode
	copy(m.f.id[:], "BCM2708 FB")
	m.v = fbVarScreen{
		xres: 800, yres: 480, xresVirtual: 800, yresVirtual: 960, bitsPerPixel: 16,
		red: fbBitfield{offset: 11, length: 5}, green: fbBitfield{offset: 5, length: 6}, blue: fbBitfield{length: 5},
	}
	m.f.smemStart, m.f.smemLen, m.f.visual, m.f.lineLength = 0x1c100000, 2*800*960, fbVisualTrueColor, 1600
	return m
}

func TestGeometryIsTheDrivers(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*screenMode)
		want   string // the geometry, or what the error says
		fails  bool
	}{
		{"RGB565", func(*screenMode) {}, "800x480 RGB565, stride 1600", false},
		{"padded rows", func(m *screenMode) { m.f.lineLength = 2048 }, "800x480 RGB565, stride 2048", false},
		{"XRGB8888", func(m *screenMode) {
			m.v.bitsPerPixel, m.f.lineLength = 32, 3200
			m.v.red, m.v.green, m.v.blue = fbBitfield{offset: 16, length: 8}, fbBitfield{offset: 8, length: 8}, fbBitfield{length: 8}
		}, "800x480 XRGB8888, stride 3200", false},
		{"palette", func(m *screenMode) { m.v.bitsPerPixel, m.f.visual = 8, 3 }, "fbset -depth 32", true},
		{"bit planes", func(m *screenMode) { m.f.kind = 1 }, "type 1", true},
		{"grey", func(m *screenMode) { m.v.grayscale = 1 }, "red, green and blue", true},
		{"reversed bits", func(m *screenMode) { m.v.green.msbRight = 1 }, "reversed", true},
		{"overlapping channels", func(m *screenMode) { m.v.green.offset = 10 }, "overlap", true},
		{"absurd width", func(m *screenMode) { m.v.xres = 0xFFFFFFFF }, "4294967295", true},
		{"rows too short", func(m *screenMode) { m.f.lineLength = 1500 }, "rows of 1500", true},
		{"16 bits in planes", func(m *screenMode) { m.f.kind = 1 }, "16 bits per pixel)", true},
		{"YUV by a code in grayscale", func(m *screenMode) { m.v.grayscale = uint32(hw.NV12) }, `"NV12"`, true},
		{"YUV by a code in nonstd, as i.MX has it", func(m *screenMode) { m.v.nonstd = uint32(hw.UYVY) }, `"UYVY"`, true},
		{"YUV by a number, as sh_mobile had it", func(m *screenMode) {
			m.v.nonstd, m.v.red, m.v.green, m.v.blue = 2, fbBitfield{}, fbBitfield{}, fbBitfield{}
		}, "red bits", true},
		{"nothing", func(m *screenMode) { *m = screenMode{} }, "framebuffer", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := piScreen()
			c.change(&m)
			g, err := m.geometry()
			if c.fails {
				if !errors.Is(err, hw.ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want one saying %q", err, c.want)
				}
				return
			}
			if err != nil || g.String() != c.want {
				t.Errorf("%v (%v), want %s", g, err, c.want)
			}
		})
	}
}

// spiPanel is what fbtft says of a panel (fbtft-core.c, fbtft_framebuffer_alloc): nonstd is 1 on ordinary RGB565.
// Its memory comes from vzalloc, and smem_start stays 0.
func spiPanel(driver string, width, height uint32) screenMode {
	var m screenMode
	copy(m.f.id[:], driver)
	m.v = fbVarScreen{
		xres: width, yres: height, xresVirtual: width, yresVirtual: height, bitsPerPixel: 16, nonstd: 1,
		red: fbBitfield{offset: 11, length: 5}, green: fbBitfield{offset: 5, length: 6}, blue: fbBitfield{length: 5},
	}
	m.f.smemLen, m.f.visual, m.f.lineLength = 2*width*height, fbVisualTrueColor, 2*width
	return m
}

// mrworf/photoframe#2, raspberrypi/linux#3149: small panels on SPI.
func TestPanelsOfFbtftAreTaken(t *testing.T) {
	for _, c := range []struct {
		overlay string
		mode    screenMode
		want    string
	}{
		{"pitft22, pitft28 (ILI9341)", spiPanel("fb_ili9340", 320, 240), "320x240 RGB565, stride 640"},
		{"rpi-display (ILI9341), upright", spiPanel("fb_ili9341", 240, 320), "240x320 RGB565, stride 480"},
		{"waveshare35a, piscreen (ILI9486)", spiPanel("fb_ili9486", 480, 320), "480x320 RGB565, stride 960"},
		{"tinylcd35 (HX8357D)", spiPanel("fb_hx8357d", 320, 480), "320x480 RGB565, stride 640"},
		{"adafruit18 (ST7735R)", spiPanel("fb_st7735r", 128, 160), "128x160 RGB565, stride 256"},
		{"ST7735S, 160 x 80", spiPanel("fb_st7735r", 160, 80), "160x80 RGB565, stride 320"},
		{"ST7789V", spiPanel("fb_st7789v", 240, 240), "240x240 RGB565, stride 480"},
		{"SSD1306, drawn in RGB565", spiPanel("fb_ssd1306", 128, 64), "128x64 RGB565, stride 256"},
	} {
		t.Run(c.overlay, func(t *testing.T) {
			g, err := c.mode.geometry()
			if err != nil || g.String() != c.want {
				t.Errorf("%v (%v), want %s", g, err, c.want)
			}
			if begin, end, err := c.mode.span(4096); err != nil || begin != 0 || end != int(c.mode.f.smemLen) {
				t.Errorf("bytes %d to %d (%v), want all %d", begin, end, err, c.mode.f.smemLen)
			}
		})
	}
}

func TestTheVisiblePartFollowsThePanning(t *testing.T) {
	const page = 4096
	for _, c := range []struct {
		name       string
		change     func(*screenMode)
		begin, end int // both 0 for a refusal
	}{
		{"first picture", func(*screenMode) {}, 0, 1600 * 480},
		{"second picture", func(m *screenMode) { m.v.yoffset = 480 }, 1600 * 480, 1600 * 960},
		{"memory begins inside a page", func(m *screenMode) { m.f.smemStart += 256 }, 256, 256 + 1600*480},
		{"panned out of the memory", func(m *screenMode) { m.v.yoffset = 481 }, 0, 0},
		{"panned sideways", func(m *screenMode) { m.v.xoffset, m.v.yoffset = 8, 480 }, 0, 0},
		{"memory too small", func(m *screenMode) { m.f.smemLen = 1600*480 - 1 }, 0, 0},
		{"offset that wraps", func(m *screenMode) { m.v.yoffset = 0xFFFFFFFF }, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := piScreen()
			c.change(&m)
			begin, end, err := m.span(page)
			if begin != c.begin || end != c.end || (err != nil) != (c.end == 0) {
				t.Errorf("bytes %d to %d (%v), want %d to %d", begin, end, err, c.begin, c.end)
			}
		})
	}
}

func TestAChangedModeIsSeen(t *testing.T) {
	a := piScreen()
	b := a
	if !a.same(b) {
		t.Error("a mode differs from itself")
	}
	b.v.yoffset, b.v.activate = 480, 1 // the console panned
	if !a.same(b) {
		t.Error("panning counts as a change of mode")
	}
	b = a
	b.v.xres = 640
	if a.same(b) {
		t.Error("a narrower picture counts as the same mode")
	}
	b = a
	b.f.lineLength = 2048
	if a.same(b) {
		t.Error("longer rows count as the same mode")
	}
}

// Memory that vanishes under a picture, as when the driver is unbound.
func TestVanishedMemoryIsAnError(t *testing.T) {
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "memory"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size := 2 * os.Getpagesize()
	if err := f.Truncate(int64(size)); err != nil {
		t.Fatal(err)
	}
	s := &screen{}
	if s.mem, err = unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(s.mem)
	if !s.guard(func() { s.mem[0] = 1 }) {
		t.Error("memory that is there counts as vanished")
	}
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	t.Run("gone", func(t *testing.T) {
		defer func() {
			if r := recover(); r != nil {
				t.Skipf("skipped: this (user mode) emulator hides the address of a fault: %v", r)
			}
		}()
		if s.guard(func() { clear(s.mem) }) {
			t.Error("memory that is not there was written")
		}
	})
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"nil pointer", func() { var p *int; *p = 1 }},
		{"any other panic", func() { panic("paint") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("the fault of paint itself was hidden")
				}
			}()
			s.guard(c.f)
		})
	}
}

func FuzzScreenMode(f *testing.F) {
	f.Add(uint32(800), uint32(480), uint32(16), uint32(1600), uint32(2*800*480), uint32(0), uint32(11), uint32(5))
	f.Add(uint32(0xFFFFFFFF), uint32(0xFFFFFFFF), uint32(32), uint32(0xFFFFFFFF), uint32(0xFFFFFFFF), uint32(1), uint32(31), uint32(8))
	f.Fuzz(func(t *testing.T, w, h, bpp, stride, memory, yoffset, offset, length uint32) {
		m := piScreen()
		m.v.xres, m.v.yres, m.v.bitsPerPixel, m.v.yoffset = w, h, bpp, yoffset
		m.v.red = fbBitfield{offset: offset, length: length}
		m.f.lineLength, m.f.smemLen = stride, memory
		g, err := m.geometry()
		if err != nil {
			return
		}
		begin, end, err := m.span(4096)
		if err != nil {
			return
		}
		if begin < 0 || end-begin != g.Stride*g.Height || end > int(memory)+4096 {
			t.Errorf("%v: bytes %d to %d of %d", g, begin, end, memory)
		}
	})
}
