package mock_test

import (
	"image"
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
		NoFiles: true,
		Around:  synctest.Test,
		Open: func(t *testing.T) hw.Board {
			board = mock.New(o)
			t.Cleanup(func() { _ = board.Close() })
			board.Pin("GPIO99").Unplug()
			board.Bus("99").Unplug()
			board.Video("/dev/video99").Unplug()
			board.Framebuffer("/dev/fb99").Unplug()
			board.Video("/dev/video1").Configure(mock.VideoOptions{NoCapture: true})
			return board
		},
		Pin: &hwtest.Pin{
			Name: "GPIO17", Missing: "GPIO99",
			Set: func(_ *testing.T, l gpio.Level) { board.Pin("GPIO17").Set(l) },
			Hold: func(*testing.T) func() {
				board.Pin("GPIO17").Hold("onewire@0")
				return board.Pin("GPIO17").Release
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
