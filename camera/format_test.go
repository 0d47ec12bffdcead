package camera

import (
	"context"
	"errors"
	"image"
	"log/slog"
	"slices"
	"testing"

	"pithings/hw"
)

func TestRank(t *testing.T) {
	h264 := hw.PixelFormat('H' | '2'<<8 | '6'<<16 | '4'<<24)
	webcam := []hw.VideoFormat{
		{Pixel: hw.YUYV, Width: 640, Height: 480}, {Pixel: hw.YUYV, Width: 1280, Height: 720}, {Pixel: hw.YUYV, Width: 320, Height: 180},
		{Pixel: hw.MJPG, Width: 640, Height: 480}, {Pixel: hw.MJPG, Width: 1920, Height: 1080},
		{Pixel: h264, Width: 1280, Height: 720},
	}
	for _, tt := range []struct {
		name    string
		offered []hw.VideoFormat
		pixel   hw.PixelFormat
		size    image.Point
		want    []hw.VideoFormat
	}{
		{"driver's size", webcam, 0, image.Point{}, []hw.VideoFormat{{Pixel: hw.MJPG}, {Pixel: hw.YUYV}}},
		{"both have the size", webcam, 0, image.Pt(640, 480), []hw.VideoFormat{format(hw.MJPG, 640, 480), format(hw.YUYV, 640, 480)}},
		{"only YUYV has the size", webcam, 0, image.Pt(1280, 720), []hw.VideoFormat{format(hw.YUYV, 1280, 720), format(hw.MJPG, 640, 480)}},
		{"nearest size", webcam, 0, image.Pt(1800, 1000), []hw.VideoFormat{format(hw.MJPG, 1920, 1080), format(hw.YUYV, 1280, 720)}},
		{"format by choice", webcam, hw.YUYV, image.Pt(1920, 1080), []hw.VideoFormat{format(hw.YUYV, 1280, 720)}},
		{"format not understood by choice", webcam, h264, image.Pt(1280, 720), nil},
		{"any size", []hw.VideoFormat{{Pixel: hw.JPEG}}, 0, image.Pt(800, 600), []hw.VideoFormat{format(hw.JPEG, 800, 600)}},
		{"raw formats by what they keep of the colours", []hw.VideoFormat{{Pixel: hw.GREY}, {Pixel: hw.NV12}, {Pixel: hw.YU12}, {Pixel: hw.UYVY}, {Pixel: hw.YUYV}}, 0, image.Pt(800, 600),
			[]hw.VideoFormat{format(hw.YUYV, 800, 600), format(hw.UYVY, 800, 600), format(hw.YU12, 800, 600), format(hw.NV12, 800, 600), format(hw.GREY, 800, 600)}},
		{"colour of another size before grey", []hw.VideoFormat{format(hw.GREY, 800, 600), format(hw.NV12, 640, 480)}, 0, image.Pt(800, 600),
			[]hw.VideoFormat{format(hw.NV12, 640, 480), format(hw.GREY, 800, 600)}},
		{"grey by choice", []hw.VideoFormat{format(hw.GREY, 800, 600), format(hw.NV12, 640, 480)}, hw.GREY, image.Pt(640, 480), []hw.VideoFormat{format(hw.GREY, 800, 600)}},
		{"MJPEG by choice takes whole JPEGs", []hw.VideoFormat{{Pixel: hw.JPEG}, {Pixel: hw.YUYV}}, hw.MJPG, image.Pt(640, 480), []hw.VideoFormat{format(hw.JPEG, 640, 480)}},
		{"metadata node", nil, 0, image.Pt(800, 600), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := rank(tt.offered, tt.pixel, tt.size); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// liar is a device whose driver does other things than it lists.
type liar struct {
	hw.Board
	start  map[hw.PixelFormat]hw.Stream
	opened int
	closed int
}

func (l *liar) OpenVideo(string) (hw.Video, error) { l.opened++; return l, nil }

func (l *liar) String() string { return "liar" }

func (l *liar) Formats() ([]hw.VideoFormat, error) {
	return []hw.VideoFormat{{Pixel: hw.MJPG}, {Pixel: hw.JPEG}, {Pixel: hw.YUYV}}, nil
}

func (l *liar) Start(want hw.VideoFormat) (hw.Stream, error) {
	s, ok := l.start[want.Pixel]
	if !ok {
		return s, hw.ErrUnsupported
	}
	return s, nil
}

func (l *liar) Next(_ context.Context, buf []byte) ([]byte, error) {
	return append(buf[:0], make([]byte, 16*4*2)...), nil
}

func (l *liar) Stop() error  { return nil }
func (l *liar) Close() error { l.closed++; return nil }

func TestDriversThatLie(t *testing.T) {
	bayer := hw.PixelFormat('B' | 'A'<<8 | '8'<<16 | '1'<<24)
	good := hw.Stream{VideoFormat: hw.VideoFormat{Pixel: hw.YUYV, Width: 16, Height: 4}, Stride: 32, Buffers: 2}
	for _, tt := range []struct {
		name  string
		start map[hw.PixelFormat]hw.Stream
		want  error
	}{
		{"the first formats cannot be had", map[hw.PixelFormat]hw.Stream{hw.YUYV: good}, nil},
		{"the driver answers with another one that is understood", map[hw.PixelFormat]hw.Stream{hw.MJPG: good}, nil},
		{"the driver answers with one that is not", map[hw.PixelFormat]hw.Stream{hw.MJPG: {VideoFormat: hw.VideoFormat{Pixel: bayer, Width: 16, Height: 4}}, hw.YUYV: good}, nil},
		{"nothing can be had", nil, hw.ErrUnsupported},
		{"rows too short", map[hw.PixelFormat]hw.Stream{hw.YUYV: {VideoFormat: good.VideoFormat, Stride: 31}}, hw.ErrUnsupported},
		{"planar rows too short", map[hw.PixelFormat]hw.Stream{hw.YUYV: {VideoFormat: hw.VideoFormat{Pixel: hw.YU12, Width: 16, Height: 4}, Stride: 15}}, hw.ErrUnsupported},
		{"no size", map[hw.PixelFormat]hw.Stream{hw.YUYV: {VideoFormat: hw.VideoFormat{Pixel: hw.YUYV}, Stride: 31}}, hw.ErrUnsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := &liar{start: tt.start}
			c := New(l, "x", nil, slog.New(slog.DiscardHandler))
			defer c.Close()
			_, err := c.Capture(t.Context())
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if l.opened != l.closed {
				t.Errorf("opened %d times, closed %d times", l.opened, l.closed)
			}
		})
	}
}

func format(p hw.PixelFormat, w, h int) hw.VideoFormat {
	return hw.VideoFormat{Pixel: p, Width: w, Height: h}
}

func TestParseFormat(t *testing.T) {
	for _, c := range []struct {
		name string
		want hw.PixelFormat
		ok   bool
	}{
		{"auto", 0, true}, {"mjpeg", hw.MJPG, true}, {"jpeg", hw.JPEG, true}, {"yuyv", hw.YUYV, true}, {"uyvy", hw.UYVY, true},
		{"yu12", hw.YU12, true}, {"nv12", hw.NV12, true}, {"grey", hw.GREY, true}, {"GREY", hw.GREY, true},
		{"", 0, false}, {"h264", 0, false}, {"yuv", 0, false},
	} {
		if got, ok := ParseFormat(c.name); got != c.want || ok != c.ok {
			t.Errorf("%q is %v, %t", c.name, got, ok)
		}
	}
}
