package mock_test

import (
	"image"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/hw"
	"pithings/hw/hwtest"
	"pithings/hw/mock"
)

// Layouts of screens that are met in the field.
var (
	rgb565 = hw.Geometry{Width: 640, Height: 480, Stride: 1280, BitsPerPixel: 16,
		Red: hw.Bitfield{Offset: 11, Length: 5}, Green: hw.Bitfield{Offset: 5, Length: 6}, Blue: hw.Bitfield{Offset: 0, Length: 5}}
	bgr888 = hw.Geometry{Width: 479, Height: 321, Stride: 1536, BitsPerPixel: 24,
		Red: hw.Bitfield{Offset: 0, Length: 8}, Green: hw.Bitfield{Offset: 8, Length: 8}, Blue: hw.Bitfield{Offset: 16, Length: 8}}
	spiPanel = hw.Geometry{Width: 480, Height: 320, Stride: 960, BitsPerPixel: 16,
		Red: hw.Bitfield{Offset: 11, Length: 5}, Green: hw.Bitfield{Offset: 5, Length: 6}, Blue: hw.Bitfield{Offset: 0, Length: 5}}
	argb8888 = hw.Geometry{Width: 1280, Height: 800, Stride: 5120, BitsPerPixel: 32,
		Red: hw.Bitfield{Offset: 16, Length: 8}, Green: hw.Bitfield{Offset: 8, Length: 8}, Blue: hw.Bitfield{Offset: 0, Length: 8},
		Alpha: hw.Bitfield{Offset: 24, Length: 8}}
)

func TestConformance(t *testing.T) {
	for _, row := range []struct {
		name    string
		options mock.Options
	}{
		{"defaults", mock.Options{}},
		{"BME688 at 0x77, YUYV, RGB565", mock.Options{
			Environment: mock.Environment{Variant: 1, Address: 0x77},
			Video:       mock.VideoOptions{Pixel: hw.YUYV, Padding: 64},
			Screen:      rgb565,
		}},
		{"MJPEG without Huffman tables, BGR888 with padded rows", mock.Options{
			Video:  mock.VideoOptions{Pixel: hw.MJPG, NoHuffman: true, FrameInterval: time.Second / 30, Buffers: 2},
			Screen: bgr888,
		}},
		{"UYVY", mock.Options{Video: mock.VideoOptions{Pixel: hw.UYVY, Padding: 6}}},
		{"YU12, as rpicam-vid feeds a loopback device, and an SPI panel", mock.Options{Video: mock.VideoOptions{Pixel: hw.YU12}, Screen: spiPanel}},
		{"YU12 with padded rows", mock.Options{Video: mock.VideoOptions{Pixel: hw.YU12, Padding: 64}}},
		{"NV12", mock.Options{Video: mock.VideoOptions{Pixel: hw.NV12, FullRange: true}}},
		{"GREY", mock.Options{Video: mock.VideoOptions{Pixel: hw.GREY, Padding: 3}}},
		{"YUYV whose frames are rounded up to a page", mock.Options{Video: mock.VideoOptions{
			Pixel: hw.YUYV, Sizes: []image.Point{{800, 600}}, Deliver: func(frame []byte) []byte { return append(frame, make([]byte, 4096-len(frame)%4096)...) },
		}}},
		{"camera of any size, JPEG, ARGB8888", mock.Options{
			Video:  mock.VideoOptions{Pixel: hw.JPEG, Sizes: []image.Point{{}}},
			Screen: argb8888,
		}},
	} {
		t.Run(row.name, func(t *testing.T) { hwtest.Run(t, harness(row.options)) })
	}
}

// harness runs the suite against a simulated board, each test with a new one
// in a bubble of its own.
func harness(o mock.Options) hwtest.Harness {
	var board *mock.Board // of the test that runs
	address := o.Environment.Address
	if address == 0 {
		address = 0x76
	}
	geometry := o.Screen
	if geometry == (hw.Geometry{}) {
		geometry = mock.DefaultScreen
	}
	return hwtest.Harness{
		Sysfs: &hwtest.Sysfs{
			Name: "mock", Value: "sys/bus/iio/devices/iio:device0/in_temp_input",
			NotReady: func(*testing.T) func() {
				board.Kernel().Fail(mock.DHT22, "in_temp_input", syscall.EAGAIN)
				return func() { board.Kernel().Fail(mock.DHT22, "in_temp_input", nil) }
			},
		},
		NoFiles: true,
		Around:  synctest.Test,
		Open: func(t *testing.T) hw.Board {
			board = mock.New(o)
			t.Cleanup(func() { _ = board.Close() })
			board.Pin("GPIO99").Unplug()
			board.Bus("99").Unplug()
			board.Modbus("/dev/ttyUSB99").Unplug()
			board.Video("/dev/video99").Unplug()
			board.Framebuffer("/dev/fb99").Unplug()
			board.Video("/dev/video1").Configure(mock.VideoOptions{NoCapture: true})
			return board
		},
		Pin: &hwtest.Pin{
			Name: "GPIO17", Missing: "GPIO99",
			Set:   func(_ *testing.T, l gpio.Level) { board.Pin("GPIO17").Set(l) },
			Float: func(*testing.T) { board.Pin("GPIO17").Float() },
			Hold: func(*testing.T) func() {
				board.Pin("GPIO17").Hold("onewire@0")
				return board.Pin("GPIO17").Release
			},
		},
		Output: &hwtest.Output{
			Name: "GPIO27", Missing: "GPIO99",
			Level: func(*testing.T) gpio.Level { return board.Pin("GPIO27").Level() },
			Rest:  func(_ *testing.T, l gpio.Level) { board.Pin("GPIO27").Set(l) },
			Hold: func(*testing.T) func() {
				board.Pin("GPIO27").Hold("gpioset")
				return board.Pin("GPIO27").Release
			},
		},
		Bus: &hwtest.Bus{
			Name: "1", Missing: "99", Address: address, ChipID: 0x61, Empty: 0x42,
			NACK: func(*testing.T) func() {
				board.Bus("1").NACK(-1)
				return func() { board.Bus("1").NACK(0) }
			},
			Hang: func(*testing.T) func() {
				board.Bus("1").Hang(true)
				return func() { board.Bus("1").Hang(false) }
			},
		},
		Serial: &hwtest.Serial{
			Device: "/dev/ttyUSB0", Missing: "/dev/ttyUSB99", Opts: hw.SerialOpts{Speed: 19200, Parity: hw.EvenParity, StopBits: 1},
			// Unit 17 reads holding register 107, which has its own address (V1.02, section 2.5.1).
			Ask: []byte{0x11, 0x03, 0x00, 0x6b, 0x00, 0x01, 0xf7, 0x46}, Answer: []byte{0x11, 0x03, 0x02, 0x00, 0x6b, 0x38, 0x68},
			Hold: func(*testing.T) func() {
				board.Modbus("/dev/ttyUSB0").Hold("minicom")
				return board.Modbus("/dev/ttyUSB0").Release
			},
			Unplug: func(*testing.T) func() {
				board.Modbus("/dev/ttyUSB0").Unplug()
				return board.Modbus("/dev/ttyUSB0").Replug
			},
		},
		Video: &hwtest.Video{
			Device: "/dev/video0", Missing: "/dev/video99", Refused: "/dev/video1",
			Hold: func(*testing.T) func() {
				board.Video("/dev/video0").Hold("cheese")
				return board.Video("/dev/video0").Release
			},
			Stall: func(*testing.T) func() {
				board.Video("/dev/video0").Stall(true)
				return func() { board.Video("/dev/video0").Stall(false) }
			},
			Unplug: func(*testing.T) func() {
				board.Video("/dev/video0").Unplug()
				return board.Video("/dev/video0").Replug
			},
		},
		Framebuffer: &hwtest.Framebuffer{
			Device: "/dev/fb0", Missing: "/dev/fb99", Geometry: geometry,
			Screenshot: func(*testing.T) image.Image { return board.Framebuffer("/dev/fb0").Image() },
			Vanish: func(*testing.T) func() {
				board.Framebuffer("/dev/fb0").Unplug()
				return board.Framebuffer("/dev/fb0").Replug
			},
		},
	}
}
