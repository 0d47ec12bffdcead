package mock_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pithings/hw"
	"pithings/hw/mock"
)

func openVideo(t *testing.T, b *mock.Board, device string) hw.Video {
	t.Helper()
	v, err := b.OpenVideo(device)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func start(t *testing.T, v hw.Video, pixel hw.PixelFormat) hw.Stream {
	t.Helper()
	s, err := v.Start(hw.VideoFormat{Pixel: pixel})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func next(t *testing.T, v hw.Video) []byte {
	t.Helper()
	frame, err := v.Next(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// picture decodes a frame that has all it needs.
func picture(t *testing.T, s hw.Stream, frame []byte) image.Image {
	t.Helper()
	l := s.Layout()
	if l.Bytes == 0 {
		img, err := jpeg.Decode(bytes.NewReader(frame))
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	img := image.NewYCbCr(image.Rect(0, 0, s.Width, s.Height), image.YCbCrSubsampleRatio444)
	at := func(p hw.Plane, x, y int) byte {
		if p.Width == 0 {
			return 128
		}
		return frame[p.At(x*p.Width/s.Width, y*p.Height/s.Height)]
	}
	for y := range s.Height {
		for x := range s.Width {
			i := img.YOffset(x, y)
			img.Y[i], img.Cb[i], img.Cr[i] = at(l.Y, x, y), at(l.Cb, x, y), at(l.Cr, x, y)
		}
	}
	return img
}

func TestCardTellsFrameAndTime(t *testing.T) {
	for _, row := range []struct {
		name  string
		pixel hw.PixelFormat
		size  image.Point
		full  bool
	}{
		{"MJPEG", hw.MJPG, image.Pt(640, 480), false},
		{"MJPEG 1280 x 720", hw.MJPG, image.Pt(1280, 720), false},
		{"small JPEG", hw.JPEG, image.Pt(160, 120), false},
		{"YUYV", hw.YUYV, image.Pt(640, 480), false},
		{"YUYV of full range", hw.YUYV, image.Pt(320, 240), true},
		{"UYVY", hw.UYVY, image.Pt(640, 480), false},
		{"YU12", hw.YU12, image.Pt(640, 480), false},
		{"NV12 of full range", hw.NV12, image.Pt(320, 240), true},
		{"GREY", hw.GREY, image.Pt(640, 480), false},
		{"thumbnail", hw.MJPG, image.Pt(96, 64), false},
		{"odd size", hw.YUYV, image.Pt(333, 251), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := mock.Options{Video: mock.VideoOptions{Pixel: row.pixel, Sizes: []image.Point{row.size}, FullRange: row.full, Padding: 2}}
			bubble(t, o, func(t *testing.T, b *mock.Board) {
				v := openVideo(t, b, "mock")
				s := start(t, v, row.pixel)
				begun := time.Now()
				for want := range uint32(3) {
					frame, exposed, ok := mock.ReadCard(picture(t, s, next(t, v)))
					if !ok || frame != want || exposed.Sub(begun) != time.Duration(want+1)*100*time.Millisecond {
						t.Errorf("frame %d exposed at %v (%v), want %d", frame, exposed.Sub(begun), ok, want)
					}
				}
			})
		})
	}
}

func TestCardNeedsTheWholePicture(t *testing.T) {
	for _, img := range []image.Image{
		image.NewGray(image.Rect(0, 0, 640, 480)),
		image.NewGray(image.Rect(0, 0, 1, 1)),
		image.NewGray(image.Rectangle{}),
	} {
		if _, _, ok := mock.ReadCard(img); ok {
			t.Errorf("a card in %v", img.Bounds())
		}
	}
}

func TestRangeOfYUYV(t *testing.T) {
	for _, row := range []struct {
		name      string
		full      bool
		low, high byte
	}{{"limited", false, 16, 235}, {"full", true, 0, 255}} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, mock.Options{Video: mock.VideoOptions{Pixel: hw.YUYV, FullRange: row.full}}, func(t *testing.T, b *mock.Board) {
				v := openVideo(t, b, "mock")
				s := start(t, v, hw.YUYV)
				frame := next(t, v)
				low, high := byte(255), byte(0)
				for i := 0; i < len(frame); i += 2 {
					low, high = min(low, frame[i]), max(high, frame[i])
				}
				if s.FullRange != row.full || low != row.low || high != row.high {
					t.Errorf("luma of %d to %d, full range %v", low, high, s.FullRange)
				}
			})
		})
	}
}

func TestMJPEGWithoutHuffmanTables(t *testing.T) {
	dht := []byte{0xFF, 0xC4}
	for _, without := range []bool{false, true} {
		bubble(t, mock.Options{Video: mock.VideoOptions{Pixel: hw.MJPG, NoHuffman: without}}, func(t *testing.T, b *mock.Board) {
			v := openVideo(t, b, "mock")
			start(t, v, hw.MJPG)
			frame := next(t, v)
			if _, err := jpeg.Decode(bytes.NewReader(frame)); (err != nil) != without {
				t.Errorf("NoHuffman %v: decoding says %v", without, err)
			}
			if bytes.Contains(frame, dht) == without {
				t.Errorf("NoHuffman %v: wrong tables", without)
			}
		})
	}
}

func TestWaitingFramesGrowOld(t *testing.T) {
	bubble(t, mock.Options{Video: mock.VideoOptions{Pixel: hw.YUYV}}, func(t *testing.T, b *mock.Board) {
		v := openVideo(t, b, "mock")
		s := start(t, v, hw.YUYV)
		time.Sleep(time.Minute + 50*time.Millisecond)
		var got []uint32
		for range 7 {
			n, _, _ := mock.ReadCard(picture(t, s, next(t, v)))
			got = append(got, n)
		}
		// Four filled the buffers; the others after a minute found them free.
		if want := []uint32{0, 1, 2, 3, 600, 601, 602}; !slices.Equal(got, want) {
			t.Errorf("frames %v, want %v", got, want)
		}
	})
}

func TestCardShowsTheBoardsCalendar(t *testing.T) {
	bubble(t, mock.Options{}, func(t *testing.T, _ *mock.Board) {
		wrong := 30 * 365 * 24 * time.Hour
		b := mock.New(mock.Options{Now: func() time.Time { return time.Now().Add(-wrong) }})
		v := openVideo(t, b, "mock")
		s := start(t, v, hw.YUYV)
		time.Sleep(time.Second)
		_, exposed, ok := mock.ReadCard(picture(t, s, next(t, v)))
		if ago := time.Since(exposed) - wrong; !ok || ago != 900*time.Millisecond {
			t.Errorf("exposed %v ago by that calendar (%v), want 900ms", ago, ok)
		}
	})
}

func TestVideoFaults(t *testing.T) {
	bubble(t, mock.Options{Video: mock.VideoOptions{Pixel: hw.MJPG}}, func(t *testing.T, b *mock.Board) {
		v, sim := openVideo(t, b, "/dev/video0"), b.Video("/dev/video0")
		s := start(t, v, hw.MJPG)
		sound := len(next(t, v))
		card := func() bool {
			img, err := jpeg.Decode(bytes.NewReader(next(t, v)))
			if err != nil {
				return false
			}
			_, _, ok := mock.ReadCard(img)
			return ok
		}
		sim.Spoil(mock.Short, 2)
		if n := len(next(t, v)); n > sound*2/3 {
			t.Errorf("a short frame of %d bytes, sound ones have %d", n, sound)
		}
		if card() || !card() {
			t.Error("Spoil(Short, 2): want two short frames, then a sound one")
		}
		sim.Spoil(mock.Garbage, 1)
		if card() || !card() {
			t.Error("Spoil(Garbage, 1): want one damaged frame, then a sound one")
		}
		sim.Spoil(mock.Empty, -1)
		for range 2 {
			if len(next(t, v)) != 0 {
				t.Error("Spoil(Empty, -1): want empty frames for ever")
			}
		}
		sim.Spoil(mock.Black, 1)
		img := picture(t, s, next(t, v))
		if y, _, _, _ := img.At(320, 100).RGBA(); y > 0x1000 {
			t.Error("Spoil(Black, 1): want a black picture")
		}
		sim.Spoil(mock.Sound, 0)

		sim.Stall(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := v.Next(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stalled: %v", err)
		}
		go func() { time.Sleep(time.Second); sim.Stall(false) }()
		if !card() {
			t.Error("frames come again, but no card")
		}

		done := make(chan error)
		sim.Stall(true)
		go func() { _, err := v.Next(t.Context(), nil); done <- err }()
		synctest.Wait()
		sim.Unplug()
		if err := <-done; !errors.Is(err, hw.ErrGone) {
			t.Errorf("unplugged while waiting: %v", err)
		}
		if _, err := v.Start(s.VideoFormat); !errors.Is(err, hw.ErrGone) {
			t.Errorf("unplugged: Start says %v", err)
		}
		if _, err := v.Formats(); !errors.Is(err, hw.ErrGone) {
			t.Errorf("unplugged: Formats says %v", err)
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		sim.Replug()
		sim.Stall(false)

		sim.Override(352, 288)
		v = openVideo(t, b, "/dev/video0")
		s, err := v.Start(hw.VideoFormat{Pixel: hw.MJPG, Width: 640, Height: 480})
		if err != nil || s.Width != 352 || s.Height != 288 || !sim.Streaming() {
			t.Errorf("override: %+v, %v", s, err)
		}
		if got := picture(t, s, next(t, v)).Bounds(); got != image.Rect(0, 0, 352, 288) {
			t.Errorf("override: a picture of %v", got)
		}
		if _, err := v.Start(s.VideoFormat); err == nil {
			t.Error("started twice")
		}
		if err := v.Stop(); err != nil || sim.Streaming() {
			t.Error("stopped, but it streams")
		}
		if _, err := v.Start(hw.VideoFormat{Pixel: hw.YUYV}); !errors.Is(err, hw.ErrUnsupported) {
			t.Errorf("a format not offered: %v", err)
		}
	})
}

func TestNearestSizeIsPicked(t *testing.T) {
	bubble(t, mock.Options{}, func(t *testing.T, b *mock.Board) {
		v := openVideo(t, b, "mock")
		for _, row := range []struct{ asked, want image.Point }{
			{image.Pt(0, 0), image.Pt(640, 480)},
			{image.Pt(640, 480), image.Pt(640, 480)},
			{image.Pt(1920, 1080), image.Pt(1280, 720)},
			{image.Pt(1, 1), image.Pt(320, 240)},
			{image.Pt(-5, 1<<30), image.Pt(640, 480)},
			{image.Pt(math.MaxInt, math.MaxInt), image.Pt(1280, 720)},
		} {
			s, err := v.Start(hw.VideoFormat{Pixel: hw.YUYV, Width: row.asked.X, Height: row.asked.Y})
			if err != nil || s.Width != row.want.X || s.Height != row.want.Y || s.Stride != 2*s.Width {
				t.Errorf("asked for %v: %+v, %v", row.asked, s, err)
			}
			if err := v.Stop(); err != nil {
				t.Error(err)
			}
		}
	})
}

// A frame costs its own bytes and nothing else, so that a simulated camera
// fits on the smallest Pi.
func BenchmarkFrame(b *testing.B) {
	for _, pixel := range []hw.PixelFormat{hw.YUYV, hw.MJPG} {
		b.Run(pixel.String(), func(b *testing.B) {
			board := mock.New(mock.Options{Video: mock.VideoOptions{Pixel: pixel, FrameInterval: time.Nanosecond}})
			v, err := board.OpenVideo("mock")
			if err != nil {
				b.Fatal(err)
			}
			s, err := v.Start(hw.VideoFormat{Pixel: pixel, Width: 1280, Height: 720})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.SetBytes(int64(2 * s.Width * s.Height))
			var frame []byte
			for b.Loop() {
				if frame, err = v.Next(b.Context(), frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
