package hw

import "testing"

// Sizes as the kernel gives them (v4l2_fill_pixfmt in v4l2-common.c), which drivers and v4l2loopback follow.
func TestLayoutsOfRawPictures(t *testing.T) {
	for _, c := range []struct {
		pixel                 PixelFormat
		width, height, stride int
		bytes                 int
		cb, cr                int // offset of the first sample; 0 for none
		chroma                Plane
	}{
		{YUYV, 640, 480, 1280, 614400, 1, 3, Plane{Width: 320, Height: 480, Stride: 1280, Step: 4}},
		{YUYV, 640, 480, 1344, 645120, 1, 3, Plane{Width: 320, Height: 480, Stride: 1344, Step: 4}},
		{UYVY, 640, 480, 1280, 614400, 0, 2, Plane{Width: 320, Height: 480, Stride: 1280, Step: 4}},
		{YU12, 640, 480, 640, 460800, 307200, 384000, Plane{Width: 320, Height: 240, Stride: 320, Step: 1}},
		{YU12, 1920, 1080, 1920, 3110400, 2073600, 2592000, Plane{Width: 960, Height: 540, Stride: 960, Step: 1}},
		{YU12, 1280, 720, 1344, 1451520, 967680, 1209600, Plane{Width: 640, Height: 360, Stride: 672, Step: 1}},
		{YU12, 17, 9, 17, 17*9 + 2*9*5, 153, 198, Plane{Width: 9, Height: 5, Stride: 9, Step: 1}},
		{NV12, 640, 480, 640, 460800, 307200, 307201, Plane{Width: 320, Height: 240, Stride: 640, Step: 2}},
		{NV12, 17, 9, 17, 17*9 + 18*5, 153, 154, Plane{Width: 9, Height: 5, Stride: 18, Step: 2}},
		{GREY, 640, 480, 640, 307200, 0, 0, Plane{}},
	} {
		l := LayoutOf(c.pixel, c.width, c.height, c.stride)
		if l.Bytes != c.bytes || l.Cb.Offset != c.cb || l.Cr.Offset != c.cr {
			t.Errorf("%v %dx%d: %d bytes, chroma at %d and %d, want %d, %d and %d", c.pixel, c.width, c.height, l.Bytes, l.Cb.Offset, l.Cr.Offset, c.bytes, c.cb, c.cr)
		}
		for _, got := range []Plane{l.Cb, l.Cr} {
			got.Offset = 0
			if got != c.chroma {
				t.Errorf("%v %dx%d: chroma %+v, want %+v", c.pixel, c.width, c.height, got, c.chroma)
			}
		}
		if l.Y.Width != c.width || l.Y.Height != c.height || l.Least() > l.Bytes || c.stride < c.pixel.RowBytes(c.width) {
			t.Errorf("%v %dx%d: luma %+v, at least %d of %d bytes", c.pixel, c.width, c.height, l.Y, l.Least(), l.Bytes)
		}
	}
	for _, f := range []PixelFormat{MJPG, JPEG, 0, 'H' | '2'<<8 | '6'<<16 | '4'<<24} {
		if l := LayoutOf(f, 640, 480, 1280); l != (Layout{}) || f.RowBytes(640) != 0 {
			t.Errorf("%v has rows: %+v", f, l)
		}
	}
}
