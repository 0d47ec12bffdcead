package mock

import (
	"fmt"
	"image"
	"slices"
	"time"

	"pithings/hw"
)

// VideoOptions says how cameras behave. The zero value is a webcam that offers
// MJPEG with Huffman tables and YUYV of limited range, in 640 × 480,
// 1280 × 720 and 320 × 240, at ten frames a second.
type VideoOptions struct {
	// Pixel is the only format offered; zero offers MJPG and YUYV. All formats of hw
	// can be had; any other makes JPEG pictures under that name.
	Pixel hw.PixelFormat
	// Sizes offered, the driver's favourite first. A size of 0 × 0 alone
	// makes a device that takes any size and lists none.
	Sizes []image.Point
	// FrameInterval is the time from one frame to the next, 100 ms when zero.
	FrameInterval time.Duration
	// Buffers is how many frames may wait, 4 when zero.
	Buffers int
	// NoHuffman leaves the Huffman tables out of MJPEG frames, as many webcams
	// do.
	NoHuffman bool
	// FullRange makes raw formats use 0–255.
	FullRange bool
	// Padding is how many bytes follow each row of a raw format, of Y in planar ones.
	Padding int
	// Deliver, when set, is what the driver makes of each frame. It may change the bytes in place and return more or
	// fewer.
	Deliver func(frame []byte) []byte
	// NoCapture makes a node that offers no capture format, as the metadata
	// nodes of webcams and the codecs of a Pi.
	NoCapture bool
}

func (o VideoOptions) complete() VideoOptions {
	if len(o.Sizes) == 0 {
		o.Sizes = []image.Point{{640, 480}, {1280, 720}, {320, 240}}
	}
	if o.FrameInterval <= 0 {
		o.FrameInterval = 100 * time.Millisecond
	}
	if o.Buffers <= 0 {
		o.Buffers = 4
	}
	return o
}

func (o VideoOptions) pixels() []hw.PixelFormat {
	if o.Pixel == 0 {
		return []hw.PixelFormat{hw.MJPG, hw.YUYV}
	}
	return []hw.PixelFormat{o.Pixel}
}

// The sides of a picture that a camera makes, in pixels.
const (
	minSide = 32
	maxSide = 4096
)

// settle picks the size that a driver would: the nearest that it has, even in
// both directions.
func (o VideoOptions) settle(width, height int) (int, int) {
	want := image.Pt(min(width, maxSide), min(height, maxSide))
	if width <= 0 || height <= 0 {
		want = o.Sizes[0]
		if want == (image.Point{}) {
			want = image.Pt(640, 480)
		}
	} else if !slices.Contains(o.Sizes, image.Point{}) {
		want = slices.MinFunc(o.Sizes, func(a, b image.Point) int {
			return distance(a, want) - distance(b, want)
		})
	}
	return min(max(want.X, minSide), maxSide) &^ 1, min(max(want.Y, minSide), maxSide) &^ 1
}

// offered lists the formats.
func (o VideoOptions) offered() (list []hw.VideoFormat) {
	for _, pixel := range o.pixels() {
		for _, size := range o.Sizes {
			list = append(list, hw.VideoFormat{Pixel: pixel, Width: size.X, Height: size.Y})
		}
	}
	return list
}

func distance(a, b image.Point) int { return max(a.X-b.X, b.X-a.X) + max(a.Y-b.Y, b.Y-a.Y) }

// Spoil is a way in which frames go wrong.
type Spoil int

// What may be wrong with a frame.
const (
	Sound   Spoil = iota // nothing
	Short                // the second half is missing
	Garbage              // the last three quarters are noise
	Black                // exposed with the lens covered: no test card
	Empty                // no bytes at all
)

// Video is a simulated camera.
type Video struct {
	part
	board    *Board
	options  VideoOptions
	override image.Point
	stalled  bool
	spoil    Spoil
	spoiled  int // how many more; negative for all
	handle   *videoHandle
}

func (b *Board) newVideo(name string) *Video {
	return &Video{part: newPart(name), board: b, options: b.opts.Video.complete()}
}

// Configure replaces what the camera offers. A stream that runs continues as it
// is.
func (v *Video) Configure(o VideoOptions) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.options = o.complete()
}

// Override makes the driver pick this size, whatever is asked for; 0 × 0 ends
// it.
func (v *Video) Override(width, height int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.override = image.Pt(width, height)
}

// Stall stops the frames from coming, without an error.
func (v *Video) Stall(on bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if h := v.handle; h != nil && h.streaming {
		h.fillBuffers(time.Now())
	}
	v.stalled = on
	v.notify()
}

// Spoil makes the next n frames taken go wrong, all of them when n is
// negative, until Spoil(Sound, 0).
func (v *Video) Spoil(how Spoil, n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.spoil, v.spoiled = how, n
}

// Streaming reports whether frames are being taken, and so the light is on.
func (v *Video) Streaming() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.handle != nil && v.handle.streaming
}

func (v *Video) open() (*videoHandle, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.options.NoCapture && !v.gone {
		return nil, v.noCapture()
	}
	life, err := v.claim(true)
	if err != nil {
		return nil, err
	}
	v.handle = &videoHandle{video: v, life: life}
	return v.handle, nil
}

func (v *Video) noCapture() error {
	return fmt.Errorf("%s: %w: it offers no capture format; name the camera's first node", v.name, hw.ErrUnsupported)
}

// take returns how the next frame fails. v.mu is held.
func (v *Video) take() Spoil {
	if v.spoiled == 0 {
		return Sound
	}
	if v.spoiled > 0 {
		v.spoiled--
	}
	return v.spoil
}

// describe names a size and format for an error.
func describe(f hw.VideoFormat) string {
	return fmt.Sprintf("%v %d x %d", f.Pixel, f.Width, f.Height)
}
