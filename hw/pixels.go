package hw

// PixelFormat is a V4L2 four-character code (linux/videodev2.h).
type PixelFormat uint32

// The pixel formats that pithings understands.
const (
	MJPG PixelFormat = 'M' | 'J'<<8 | 'P'<<16 | 'G'<<24 // Motion-JPEG: Huffman tables may be missing
	JPEG PixelFormat = 'J' | 'P'<<8 | 'E'<<16 | 'G'<<24 // whole JFIF pictures
	YUYV PixelFormat = 'Y' | 'U'<<8 | 'Y'<<16 | 'V'<<24 // packed 4:2:2: Y Cb Y Cr for two pixels
	UYVY PixelFormat = 'U' | 'Y'<<8 | 'V'<<16 | 'Y'<<24 // packed 4:2:2: Cb Y Cr Y for two pixels
	YU12 PixelFormat = 'Y' | 'U'<<8 | '1'<<16 | '2'<<24 // 4:2:0 in three planes, Y, Cb, Cr (I420)
	NV12 PixelFormat = 'N' | 'V'<<8 | '1'<<16 | '2'<<24 // 4:2:0 in two planes, Y and Cb Cr in turn
	GREY PixelFormat = 'G' | 'R'<<8 | 'E'<<16 | 'Y'<<24 // Y alone
)

// String returns the four characters.
func (f PixelFormat) String() string {
	return string([]byte{byte(f), byte(f >> 8), byte(f >> 16), byte(f >> 24)})
}

// RowBytes returns the least number of bytes from one row of the first plane to
// the next (v4l2_pix_format.bytesperline) in a picture of width pixels, and 0
// for formats that have no rows.
func (f PixelFormat) RowBytes(width int) int {
	switch f {
	case YUYV, UYVY:
		return 2 * width
	case YU12, NV12, GREY:
		return width
	}
	return 0
}

// A Plane is where the samples of one component are in a raw picture.
type Plane struct {
	Width, Height int // samples; 0 when the picture has none
	Offset        int // bytes to the first one
	Stride        int // bytes from one row to the next
	Step          int // bytes from one sample to the next in a row
}

// At returns the offset of the sample in column x and row y.
func (p Plane) At(x, y int) int { return p.Offset + y*p.Stride + x*p.Step }

// end is the offset after the last sample.
func (p Plane) end() int {
	if p.Width < 1 || p.Height < 1 {
		return 0
	}
	return p.At(p.Width-1, p.Height-1) + 1
}

// Layout is where the samples of a raw picture are.
type Layout struct {
	Y, Cb, Cr Plane
	Bytes     int // of a whole frame, with the padding after each row
}

// Least returns how many bytes hold all samples; the padding of the last row may be missing.
func (l Layout) Least() int { return max(l.Y.end(), l.Cb.end(), l.Cr.end()) }

// LayoutOf returns the layout of a picture in format f with rows of stride bytes, and a
// zero Layout for formats that have no rows. The sizes must be positive.
//
// The planes of 4:2:0 follow each other in one buffer. Their rows are padded in proportion:
// chroma rows are half as long in YU12 and as long in NV12 as those of luma, rounded up
// (Documentation/userspace-api/media/v4l/pixfmt-yuv-planar.rst and v4l2_fill_pixfmt).
func LayoutOf(f PixelFormat, width, height, stride int) Layout {
	half := func(n int) int { return (n + 1) / 2 }
	l := Layout{Y: Plane{Width: width, Height: height, Stride: stride, Step: 1}, Bytes: stride * height}
	switch f {
	case YUYV, UYVY:
		y, cb, cr := 0, 1, 3
		if f == UYVY {
			y, cb, cr = 1, 0, 2
		}
		l.Y.Offset, l.Y.Step = y, 2
		l.Cb = Plane{Width: half(width), Height: height, Offset: cb, Stride: stride, Step: 4}
		// The last pair of an odd width has no second pixel, and no Cr.
		l.Cr = Plane{Width: width / 2, Height: height, Offset: cr, Stride: stride, Step: 4}
	case YU12:
		rows := half(height)
		l.Cb = Plane{Width: half(width), Height: rows, Offset: l.Bytes, Stride: half(stride), Step: 1}
		l.Cr = l.Cb
		l.Cr.Offset += rows * l.Cb.Stride
		l.Bytes = l.Cr.Offset + rows*l.Cr.Stride
	case NV12:
		rows := half(height)
		l.Cb = Plane{Width: half(width), Height: rows, Offset: l.Bytes, Stride: 2 * half(stride), Step: 2}
		l.Cr = l.Cb
		l.Cr.Offset++
		l.Bytes += rows * l.Cb.Stride
	case GREY:
	default:
		return Layout{}
	}
	return l
}
