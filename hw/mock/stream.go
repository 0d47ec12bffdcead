package mock

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"slices"
	"time"

	"pithings/hw"
)

// jpegQuality keeps a 1280 × 720 card near 60 kB.
const jpegQuality = 75

var (
	errStreaming    = errors.New("the stream runs already; stop it first")
	errNotStreaming = errors.New("the stream does not run; start it first")
)

// videoHandle is an open camera. Its fields are guarded by video.mu, save for
// picture, which belongs to the goroutine that calls Next.
type videoHandle struct {
	video  *Video
	life   int
	closed bool

	streaming bool
	options   VideoOptions
	stream    hw.Stream
	begun     time.Time
	seen      uint32         // frames exposed so far, taken or not
	waiting   []waitingFrame // in buffers, the oldest first

	picture *image.YCbCr
}

type waitingFrame struct {
	number  uint32
	exposed time.Time
}

var _ hw.Video = (*videoHandle)(nil)

func (h *videoHandle) String() string { return h.video.name + " (simulated camera)" }

func (h *videoHandle) usable() error {
	if h.closed {
		return fmt.Errorf("%s: %w", h.video.name, os.ErrClosed)
	}
	return h.video.alive(h.life)
}

// Formats implements [hw.Video].
func (h *videoHandle) Formats() ([]hw.VideoFormat, error) {
	h.video.mu.Lock()
	defer h.video.mu.Unlock()
	if err := h.usable(); err != nil {
		return nil, err
	}
	return h.video.options.offered(), nil
}

// Start implements [hw.Video].
func (h *videoHandle) Start(want hw.VideoFormat) (hw.Stream, error) {
	v := h.video
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := h.usable(); err != nil {
		return hw.Stream{}, err
	}
	if h.streaming {
		return hw.Stream{}, fmt.Errorf("%s: %w", v.name, errStreaming)
	}
	o := v.options
	if !slices.Contains(o.pixels(), want.Pixel) {
		return hw.Stream{}, fmt.Errorf("%s: %s: %w; it offers %v", v.name, describe(want), hw.ErrUnsupported, o.pixels())
	}
	s := hw.Stream{VideoFormat: want, Buffers: o.Buffers}
	s.Width, s.Height = o.settle(want.Width, want.Height)
	if v.override != (image.Point{}) {
		s.Width, s.Height = v.override.X&^1, v.override.Y&^1
	}
	s.FullRange = true
	if least := want.Pixel.RowBytes(s.Width); least > 0 {
		s.Stride, s.FullRange = least+o.Padding, o.FullRange
	}
	h.streaming, h.options, h.stream = true, o, s
	h.begun, h.seen, h.waiting = time.Now(), 0, nil
	return s, nil
}

// Next implements [hw.Video].
func (h *videoHandle) Next(ctx context.Context, buf []byte) ([]byte, error) {
	frame, spoil, err := h.wait(ctx)
	if err != nil {
		return buf[:0], err
	}
	return h.render(buf[:0], frame, spoil)
}

// wait takes the oldest frame, or waits for one.
func (h *videoHandle) wait(ctx context.Context) (waitingFrame, Spoil, error) {
	v := h.video
	for {
		if err := ctx.Err(); err != nil {
			return waitingFrame{}, Sound, fmt.Errorf("%s: waiting for a frame: %w", v.name, context.Cause(ctx))
		}
		v.mu.Lock()
		if err := h.usable(); err != nil {
			v.mu.Unlock()
			return waitingFrame{}, Sound, err
		}
		if !h.streaming {
			v.mu.Unlock()
			return waitingFrame{}, Sound, fmt.Errorf("%s: %w", v.name, errNotStreaming)
		}
		now := time.Now()
		h.fillBuffers(now)
		if len(h.waiting) > 0 {
			frame, spoil := h.waiting[0], v.take()
			h.waiting = slices.Delete(h.waiting, 0, 1)
			v.mu.Unlock()
			return frame, spoil, nil
		}
		changed, stalled := v.changed, v.stalled
		due := h.due(h.seen)
		v.mu.Unlock()

		var arrives <-chan time.Time
		if !stalled {
			timer := time.NewTimer(due.Sub(now))
			defer timer.Stop()
			arrives = timer.C
		}
		select {
		case <-arrives:
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// due is when a frame is exposed and complete.
func (h *videoHandle) due(number uint32) time.Time {
	return h.begun.Add(time.Duration(number+1) * h.options.FrameInterval)
}

// fillBuffers does what the driver did since it was last asked: a frame that
// finds no free buffer is lost. video.mu is held.
func (h *videoHandle) fillBuffers(now time.Time) {
	done := uint32(now.Sub(h.begun) / h.options.FrameInterval)
	if h.video.stalled {
		h.seen = max(h.seen, done)
		return
	}
	for ; h.seen < done && len(h.waiting) < h.options.Buffers; h.seen++ {
		h.waiting = append(h.waiting, waitingFrame{h.seen, h.due(h.seen)})
	}
	h.seen = max(h.seen, done)
}

// render makes the bytes of a frame.
func (h *videoHandle) render(buf []byte, f waitingFrame, spoil Spoil) ([]byte, error) {
	if spoil == Empty {
		return buf, nil
	}
	draw := func(c canvas) {
		if w, hh := c.size(); spoil == Black {
			c.fill(0, 0, w, hh, black)
			return
		}
		drawCard(c, f.number, h.video.board.date(f.exposed))
	}
	s := h.stream
	if l := s.Layout(); l.Bytes > 0 {
		buf = slices.Grow(buf, l.Bytes)[:l.Bytes]
		draw(&raw{pix: buf, layout: l, fullRange: s.FullRange})
	} else {
		size := image.Rect(0, 0, s.Width, s.Height)
		if h.picture == nil || h.picture.Rect != size {
			h.picture = image.NewYCbCr(size, image.YCbCrSubsampleRatio420)
		}
		draw(planar{h.picture})
		out := bytes.NewBuffer(buf)
		if err := jpeg.Encode(out, h.picture, &jpeg.Options{Quality: jpegQuality}); err != nil {
			return buf, fmt.Errorf("%s: %w", h.video.name, err)
		}
		buf = out.Bytes()
		if h.options.NoHuffman && s.Pixel == hw.MJPG {
			buf = withoutHuffman(buf)
		}
	}
	switch spoil {
	case Short:
		buf = buf[:len(buf)/2]
	case Garbage:
		n := uint32(1)
		for i := len(buf) / 4; i < len(buf); i++ {
			n = n*1664525 + 1013904223
			buf[i] = byte(n >> 24)
		}
	}
	if h.options.Deliver != nil {
		buf = h.options.Deliver(buf)
	}
	return buf, nil
}

// withoutHuffman takes the DHT segments out of a JPEG picture, in place. The
// tables of image/jpeg are those of ITU-T T.81, annex K.3, which a decoder of
// Motion-JPEG assumes.
func withoutHuffman(pic []byte) []byte {
	const sos, dht = 0xDA, 0xC4
	for at := 2; at+4 <= len(pic) && pic[at] == 0xFF && pic[at+1] != sos; {
		end := at + 2 + int(binary.BigEndian.Uint16(pic[at+2:]))
		if pic[at+1] == dht {
			pic = slices.Delete(pic, at, end)
			continue
		}
		at = end
	}
	return pic
}

// Stop implements [hw.Video].
func (h *videoHandle) Stop() error {
	h.video.mu.Lock()
	defer h.video.mu.Unlock()
	h.streaming, h.waiting = false, nil
	return h.usable()
}

// Close implements [hw.Video].
func (h *videoHandle) Close() error {
	v := h.video
	v.mu.Lock()
	defer v.mu.Unlock()
	if h.closed {
		return nil
	}
	h.closed, h.streaming, h.waiting = true, false, nil
	v.opened--
	if v.handle == h {
		v.handle = nil
	}
	v.notify()
	return nil
}
