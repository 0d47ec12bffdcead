package hwtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"slices"
	"sync"
	"testing"
	"time"

	"pithings/hw"
)

func (h Harness) video(t *testing.T, p Video) {
	open := func(t *testing.T, b hw.Board) hw.Video {
		t.Helper()
		v, err := b.OpenVideo(p.Device)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = v.Close() })
		return v
	}
	// known are the offered formats that pithings understands, one of each
	// pixel format.
	known := func(t *testing.T, v hw.Video) []hw.VideoFormat {
		t.Helper()
		list, err := v.Formats()
		if err != nil {
			t.Fatal(err)
		}
		var some []hw.VideoFormat
		for _, pixel := range []hw.PixelFormat{hw.YUYV, hw.UYVY, hw.YU12, hw.NV12, hw.GREY, hw.MJPG, hw.JPEG} {
			if i := slices.IndexFunc(list, func(f hw.VideoFormat) bool { return f.Pixel == pixel }); i >= 0 {
				some = append(some, list[i])
			}
		}
		if len(some) == 0 {
			t.Fatalf("none of the formats %v is known", list)
		}
		return some
	}
	start := func(t *testing.T, v hw.Video) hw.Stream {
		t.Helper()
		s, err := v.Start(known(t, v)[0])
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	next := func(t *testing.T, v hw.Video, buf []byte) []byte {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*h.Patience)
		defer cancel()
		frame, err := v.Next(ctx, buf)
		if err != nil {
			t.Fatal(err)
		}
		return frame
	}

	// whole takes a frame and checks it. From a shared device ten torn ones may come first.
	whole := func(t *testing.T, v hw.Video, s hw.Stream, buf []byte) []byte {
		t.Helper()
		for try := 0; ; try++ {
			frame := next(t, v, buf)
			err := flaw(s, frame)
			if err == nil {
				return frame
			}
			if !p.Shared || try == 10 {
				t.Error(err)
				return frame
			}
			t.Logf("torn: %v", err)
		}
	}

	h.names(t, p.Missing, func(b hw.Board) opener {
		return func(name string) (func(), error) {
			v, err := b.OpenVideo(name)
			return func() { _ = v.Close() }, err
		}
	})

	h.test(t, "no capture device", func(t *testing.T, b hw.Board) {
		skipUnless(t, p.Refused != "", "the harness knows no device without capture formats")
		v, err := b.OpenVideo(p.Refused)
		if err == nil {
			_ = v.Close()
		}
		refused(t, err, hw.ErrUnsupported, p.Refused)
	})

	h.test(t, "formats", func(t *testing.T, b hw.Board) {
		v := open(t, b)
		list, err := v.Formats()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			if (f.Width == 0) != (f.Height == 0) || f.Width < 0 || f.Height < 0 || f.Width > 1<<15 || f.Height > 1<<15 {
				t.Errorf("the format %v of %d x %d cannot be", f.Pixel, f.Width, f.Height)
			}
		}
		known(t, v)
		if v.String() == "" {
			t.Error("the device has no name")
		}
	})

	h.test(t, "frames have the size agreed", func(t *testing.T, b hw.Board) {
		v := open(t, b)
		for _, f := range known(t, v) {
			for _, want := range []hw.VideoFormat{f, {Pixel: f.Pixel}} {
				s, err := v.Start(want)
				if err != nil {
					t.Fatal(err)
				}
				agreed(t, s, want)
				for range 3 {
					whole(t, v, s, nil)
				}
				if err := v.Stop(); err != nil {
					t.Fatal(err)
				}
			}
		}
	})

	h.test(t, "a size that is not offered", func(t *testing.T, b hw.Board) {
		v := open(t, b)
		want := known(t, v)[0]
		want.Width, want.Height = 331, 257
		s, err := v.Start(want)
		if err != nil {
			t.Fatalf("the driver has the last word about the size, but: %v", err)
		}
		agreed(t, s, hw.VideoFormat{Pixel: want.Pixel})
		whole(t, v, s, nil)
	})

	h.test(t, "start, stop, close, open", func(t *testing.T, b hw.Board) {
		for range 3 {
			v := open(t, b)
			for range 3 {
				s := start(t, v)
				if _, err := v.Start(s.VideoFormat); err == nil {
					t.Error("a stream that runs was started again")
				}
				whole(t, v, s, nil)
				if err := v.Stop(); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				if _, err := v.Next(ctx, nil); err == nil {
					t.Error("a frame from a stopped stream")
				}
				cancel()
			}
			start(t, v)
			for range 2 {
				if err := v.Close(); err != nil {
					t.Fatalf("close: %v", err)
				}
			}
		}
	})

	h.test(t, "a frame is a copy", func(t *testing.T, b hw.Board) {
		v := open(t, b)
		s := start(t, v)
		frame := whole(t, v, s, make([]byte, 16))
		before := slices.Clone(frame)
		other := next(t, v, nil)
		for range 2 * s.Buffers {
			other = next(t, v, other)
		}
		whole(t, v, s, other)
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		if !bytes.Equal(frame, before) {
			t.Error("the frame changed while others were taken")
		}
	})

	h.test(t, "few buffers", func(t *testing.T, b hw.Board) {
		s := start(t, open(t, b))
		if s.Buffers < 1 || s.Buffers > 8 {
			t.Errorf("%d buffers, want a few: each may hold an old frame", s.Buffers)
		}
	})

	h.test(t, "the context ends a wait", func(t *testing.T, b hw.Board) {
		v := open(t, b)
		start(t, v)
		next(t, v, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := v.Next(ctx, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
		next(t, v, nil)
	})

	h.test(t, "close ends a wait", func(t *testing.T, b hw.Board) {
		v := open(t, b)
		start(t, v)
		var err error
		done := make(chan struct{})
		go func() {
			defer close(done)
			for err == nil {
				_, err = v.Next(t.Context(), nil)
			}
		}()
		time.Sleep(50 * time.Millisecond)
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		h.within(t, "the wait ends", done)
		start(t, open(t, b))
	})

	h.test(t, "no frames come", func(t *testing.T, b hw.Board) {
		skipUnless(t, p.Stall != nil, "the harness cannot stop the frames")
		v := open(t, b)
		s := start(t, v)
		next(t, v, nil)
		resume := sync.OnceFunc(p.Stall(t))
		defer resume()
		// empty takes what waits, and then waits in vain.
		empty := func(ctx context.Context) (err error) {
			for range 2*s.Buffers + 2 {
				if _, err = v.Next(ctx, nil); err != nil {
					return err
				}
			}
			return nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		begun := time.Now()
		if err := empty(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want %v", err, context.DeadlineExceeded)
		}
		if took := time.Since(begun); took > h.Patience {
			t.Errorf("the context ended a wait after %v", took)
		}
		var err error
		done := make(chan struct{})
		go func() {
			defer close(done)
			err = empty(t.Context())
		}()
		time.Sleep(100 * time.Millisecond)
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		h.within(t, "the wait ends when the device is closed", done)
		if err == nil {
			t.Error("frames came from a device that has none")
		}
		resume()
		v = open(t, b)
		whole(t, v, start(t, v), nil)
	})

	h.test(t, "second user", func(t *testing.T, b hw.Board) {
		skipUnless(t, !p.Shared, "several programs may stream from the device")
		first := open(t, b)
		s := start(t, first)
		second, err := b.OpenVideo(p.Device)
		if err == nil { // a kernel reports it when buffers are requested
			_, err = second.Start(s.VideoFormat)
			_ = second.Close()
		}
		refused(t, err, hw.ErrBusy, p.Device)
		whole(t, first, s, nil)
	})

	h.test(t, "held by another program", func(t *testing.T, b hw.Board) {
		skipUnless(t, p.Hold != nil, "the harness cannot hold the device")
		release := sync.OnceFunc(p.Hold(t))
		defer release()
		v, err := b.OpenVideo(p.Device)
		if err == nil {
			_, err = v.Start(known(t, v)[0])
			_ = v.Close()
		}
		refused(t, err, hw.ErrBusy, p.Device)
		release()
		start(t, open(t, b))
	})

	h.test(t, "unplugged and plugged in again", func(t *testing.T, b hw.Board) {
		skipUnless(t, p.Unplug != nil, "the harness cannot unplug the device")
		v := open(t, b)
		start(t, v)
		next(t, v, nil)
		replug := sync.OnceFunc(p.Unplug(t))
		defer replug()
		var err error
		ctx, cancel := context.WithTimeout(t.Context(), 2*h.Patience)
		defer cancel()
		for err == nil { // frames that wait may still come
			_, err = v.Next(ctx, nil)
		}
		if !errors.Is(err, hw.ErrGone) {
			t.Errorf("error %v, want %v", err, hw.ErrGone)
		}
		if err := v.Close(); err != nil {
			t.Errorf("close after unplugging: %v", err)
		}
		if again, err := b.OpenVideo(p.Device); !errors.Is(err, hw.ErrNotFound) {
			if err == nil {
				_ = again.Close()
			}
			t.Errorf("open while unplugged: %v, want %v", err, hw.ErrNotFound)
		}
		replug()
		h.eventually(t, "the device can be opened again", func() bool {
			again, err := b.OpenVideo(p.Device)
			if err != nil {
				return false
			}
			_ = again.Close()
			return true
		})
		v = open(t, b)
		whole(t, v, start(t, v), nil)
	})
}

// agreed checks what Start returned.
func agreed(t *testing.T, s hw.Stream, want hw.VideoFormat) {
	t.Helper()
	if s.Pixel != want.Pixel {
		t.Errorf("the stream is %v, asked for %v", s.Pixel, want.Pixel)
	}
	if s.Width < 1 || s.Height < 1 {
		t.Errorf("a stream of %d x %d", s.Width, s.Height)
	}
	if want.Width != 0 && (s.Width != want.Width || s.Height != want.Height) {
		t.Errorf("the size %d x %d was offered, but became %d x %d", want.Width, want.Height, s.Width, s.Height)
	}
	least := s.Pixel.RowBytes(s.Width)
	if s.Stride < least {
		t.Errorf("rows of %d bytes, want %d and more", s.Stride, least)
	}
	if least == 0 && s.Stride != 0 {
		t.Errorf("a compressed stream with rows of %d bytes", s.Stride)
	}
}

// flaw says what is wrong with a frame, which should be complete and have the size agreed.
func flaw(s hw.Stream, frame []byte) error {
	if want := s.Layout().Bytes; want > 0 {
		// Drivers may round the length up, to a page.
		if len(frame) < want {
			return fmt.Errorf("a frame of %d bytes, want %d for %d rows of %d", len(frame), want, s.Height, s.Stride)
		}
		return nil
	}
	// Some devices fill up with zeros behind the end.
	frame = bytes.TrimRight(frame, "\x00")
	if !bytes.HasPrefix(frame, []byte{0xFF, 0xD8}) || !bytes.HasSuffix(frame, []byte{0xFF, 0xD9}) {
		return fmt.Errorf("a frame of %d bytes that does not begin with SOI and end with EOI", len(frame))
	}
	header, err := jpeg.DecodeConfig(bytes.NewReader(frame))
	if err != nil || header.Width != s.Width || header.Height != s.Height {
		return fmt.Errorf("a picture of %d x %d (%v), agreed was %d x %d", header.Width, header.Height, err, s.Width, s.Height)
	}
	return nil
}
