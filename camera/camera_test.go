package camera

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pithings/hw"
	"pithings/hw/mock"
)

const node = "/dev/video0"

// bench is a camera on a simulated board, inside a bubble of simulated time.
type bench struct {
	*testing.T
	board *mock.Board
	video *mock.Video
	*Camera
	log *bytes.Buffer
}

func run(t *testing.T, name string, video mock.VideoOptions, opts Opts, test func(b *bench)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			if video.Sizes == nil {
				video.Sizes = []image.Point{{160, 120}, {320, 240}}
			}
			b := &bench{T: t, board: mock.New(mock.Options{Video: video}), log: &bytes.Buffer{}}
			b.video = b.board.Video(node)
			b.Camera = New(b.board, node, &opts, slog.New(slog.NewTextHandler(b.log, nil)))
			defer b.board.Close()
			defer b.Camera.Close()
			test(b)
		})
	})
}

// shot takes a picture that has to be one, and younger than the request.
func (b *bench) shot() Picture {
	b.Helper()
	asked := time.Now()
	p, err := b.Capture(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	m, err := jpeg.Decode(bytes.NewReader(p.JPEG))
	if err != nil {
		b.Fatalf("image/jpeg does not read the picture: %v", err)
	}
	if m.Bounds().Size() != p.Size {
		b.Errorf("picture is %v, said to be %v", m.Bounds().Size(), p.Size)
	}
	_, exposed, ok := mock.ReadCard(m)
	if !ok {
		b.Fatal("the picture does not show the test card")
	}
	if exposed.Before(asked.Truncate(time.Millisecond)) {
		b.Errorf("the picture is %v older than the request", asked.Sub(exposed))
	}
	if p.Taken.Before(exposed.Truncate(time.Millisecond)) || p.Taken.Sub(exposed) > time.Second {
		b.Errorf("taken at %v, exposed at %v", p.Taken, exposed)
	}
	return p
}

// fails takes a picture that must not come, with an error that is want and
// reports what it has to.
func (b *bench) fails(want error, says ...string) {
	b.Helper()
	_, err := b.Capture(b.Context())
	if !errors.Is(err, want) {
		b.Fatalf("error %v, want %v", err, want)
	}
	for _, s := range append(says, node) {
		if !strings.Contains(err.Error(), s) {
			b.Errorf("error %q does not tell %q", err, s)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		b.Errorf("error of several lines: %q", err)
	}
	if b.video.InUse() {
		b.Error("the device stays open after an error")
	}
}

// pages rounds a frame's length up to whole pages, with what was in the buffer before.
func pages(frame []byte) []byte {
	return append(frame, bytes.Repeat([]byte{0x55}, 4096-len(frame)%4096)...)
}

// deepin-camera#520: the JPEG's own header is right, and said once to differ.
func TestTheSizeInTheJPEGIsRight(t *testing.T) {
	other := mock.New(mock.Options{Video: mock.VideoOptions{Pixel: hw.MJPG, Sizes: []image.Point{{320, 240}}, FrameInterval: time.Nanosecond}})
	run(t, "another size than agreed", mock.VideoOptions{}, Opts{Size: image.Pt(160, 120)}, func(b *bench) {
		v, err := other.OpenVideo(node)
		if err != nil {
			b.Fatal(err)
		}
		defer v.Close()
		if _, err := v.Start(hw.VideoFormat{Pixel: hw.MJPG}); err != nil {
			b.Fatal(err)
		}
		b.video.Configure(mock.VideoOptions{Sizes: []image.Point{{160, 120}}, Deliver: func(frame []byte) []byte {
			frame, err := v.Next(b.Context(), frame)
			if err != nil {
				b.Error(err)
			}
			return frame
		}})
		for range 3 {
			p, err := b.Capture(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			c, err := jpeg.DecodeConfig(bytes.NewReader(p.JPEG))
			if want := image.Pt(320, 240); err != nil || p.Size != want || image.Pt(c.Width, c.Height) != want {
				b.Errorf("a picture of %v that says %d x %d (%v), want %v", p.Size, c.Width, c.Height, err, want)
			}
		}
		if s := b.Stats(); s.Corrupt != 0 || s.Format != "MJPG 320x240" {
			b.Errorf("%+v", s)
		}
		if n := strings.Count(b.log.String(), "another size"); n != 1 {
			b.Errorf("said %d times:\n%s", n, b.log)
		}
	})
}

// pits#24, mjpg-streamer#236: bytes of the camera's own before the end, in every frame. The first two frames may be
// damaged ones; from then on it is a habit, of which the next picture knows.
func TestHabitsOfACamera(t *testing.T) {
	for _, n := range []int{1, 16, 17, 100, 1300} {
		stray := func(frame []byte) []byte {
			return append(append(frame[:len(frame)-2:len(frame)-2], bytes.Repeat([]byte{0x5A}, n)...), 0xFF, 0xD9)
		}
		run(t, fmt.Sprintf("%d stray bytes", n), mock.VideoOptions{Deliver: stray}, Opts{WarmUpFrames: -1}, func(b *bench) {
			for range 3 {
				b.shot()
			}
			if s := b.Stats(); s.Captures != 3 || s.Failures != 0 || s.Corrupt > 2 {
				b.Errorf("%+v", s)
			}
		})
	}
	// One frame in three is no habit.
	count := 0
	sometimes := func(frame []byte) []byte {
		if count++; count%3 != 0 {
			return frame
		}
		return append(append(frame[:len(frame)-2:len(frame)-2], bytes.Repeat([]byte{0x5A}, 100)...), 0xFF, 0xD9)
	}
	run(t, "stray bytes now and then", mock.VideoOptions{Deliver: sometimes}, Opts{WarmUpFrames: -1}, func(b *bench) {
		for range 20 {
			b.shot()
		}
		if s := b.Stats(); s.Corrupt != uint64(count/3) || s.Corrupt == 0 {
			b.Errorf("%+v of %d frames", s, count)
		}
	})
}

func TestCapture(t *testing.T) {
	for _, tt := range []struct {
		name  string
		video mock.VideoOptions
		opts  Opts
		size  image.Point
		form  string
	}{
		{"a webcam as it comes", mock.VideoOptions{}, Opts{}, image.Pt(160, 120), "MJPG"},
		{"a size that it has", mock.VideoOptions{}, Opts{Size: image.Pt(320, 240)}, image.Pt(320, 240), "MJPG"},
		{"a size that it has not", mock.VideoOptions{}, Opts{Size: image.Pt(300, 200)}, image.Pt(320, 240), "MJPG"},
		{"MJPEG without Huffman tables", mock.VideoOptions{NoHuffman: true}, Opts{}, image.Pt(160, 120), "MJPG"},
		{"JPEG only", mock.VideoOptions{Pixel: hw.JPEG}, Opts{}, image.Pt(160, 120), "JPEG"},
		{"YUYV only", mock.VideoOptions{Pixel: hw.YUYV}, Opts{}, image.Pt(160, 120), "YUYV"},
		{"YUYV by choice", mock.VideoOptions{}, Opts{Pixel: hw.YUYV}, image.Pt(160, 120), "YUYV"},
		{"YUYV of full range", mock.VideoOptions{Pixel: hw.YUYV, FullRange: true}, Opts{}, image.Pt(160, 120), "YUYV"},
		{"YUYV in padded rows", mock.VideoOptions{Pixel: hw.YUYV, Padding: 64}, Opts{}, image.Pt(160, 120), "YUYV"},
		{"YUYV of a size that blocks do not fill", mock.VideoOptions{Pixel: hw.YUYV, Sizes: []image.Point{{330, 250}}}, Opts{}, image.Pt(330, 250), "YUYV"},
		{"a device that lists no sizes", mock.VideoOptions{Pixel: hw.YUYV, Sizes: []image.Point{{}}}, Opts{Size: image.Pt(400, 300)}, image.Pt(400, 300), "YUYV"},
		{"no warm-up", mock.VideoOptions{}, Opts{WarmUpFrames: -1}, image.Pt(160, 120), "MJPG"},
		{"UYVY only", mock.VideoOptions{Pixel: hw.UYVY}, Opts{}, image.Pt(160, 120), "UYVY"},
		// rpicam-apps#176, #857: rpicam-vid through v4l2loopback.
		{"YU12 only", mock.VideoOptions{Pixel: hw.YU12}, Opts{}, image.Pt(160, 120), "YU12"},
		{"YU12 by choice, any size", mock.VideoOptions{Pixel: hw.YU12, Sizes: []image.Point{{}}}, Opts{Pixel: hw.YU12, Size: image.Pt(330, 250)}, image.Pt(330, 250), "YU12"},
		{"YU12 in padded rows", mock.VideoOptions{Pixel: hw.YU12, Padding: 32}, Opts{}, image.Pt(160, 120), "YU12"},
		{"NV12 only", mock.VideoOptions{Pixel: hw.NV12, FullRange: true}, Opts{}, image.Pt(160, 120), "NV12"},
		{"GREY only", mock.VideoOptions{Pixel: hw.GREY}, Opts{}, image.Pt(160, 120), "GREY"},
		{"JPEG when MJPG is asked for", mock.VideoOptions{Pixel: hw.JPEG}, Opts{Pixel: hw.MJPG}, image.Pt(160, 120), "JPEG"},
		// v4l2loopback#190, #543, #206: the length rounded up to a page.
		{"YUYV of whole pages", mock.VideoOptions{Pixel: hw.YUYV, Sizes: []image.Point{{800, 600}}, Deliver: pages}, Opts{}, image.Pt(800, 600), "YUYV"},
		{"YU12 of whole pages", mock.VideoOptions{Pixel: hw.YU12, Sizes: []image.Point{{800, 600}}, Deliver: pages}, Opts{}, image.Pt(800, 600), "YU12"},
		{"GREY of whole pages", mock.VideoOptions{Pixel: hw.GREY, Sizes: []image.Point{{330, 250}}, Deliver: pages}, Opts{}, image.Pt(330, 250), "GREY"},
		// ruffle#8820, libyami#801
		{"MJPEG without an end", mock.VideoOptions{Deliver: func(f []byte) []byte { return f[:len(f)-2] }}, Opts{}, image.Pt(160, 120), "MJPG"},
	} {
		run(t, tt.name, tt.video, tt.opts, func(b *bench) {
			for range 2 {
				if p := b.shot(); p.Size != tt.size {
					b.Errorf("size %v, want %v", p.Size, tt.size)
				}
				if b.video.InUse() {
					b.Error("the device stays open")
				}
				time.Sleep(time.Minute)
			}
			s := b.Stats()
			frames := uint64(2 * (max(b.opts.WarmUpFrames, 0) + 1))
			if s.Captures != 2 || s.Failures != 0 || s.Corrupt != 0 || s.Reopens != 0 || s.Frames != frames {
				b.Errorf("%+v, want %d frames", s, frames)
			}
			if want := tt.form + " " + sizeString(tt.size); s.Format != want {
				b.Errorf("format %q, want %q", s.Format, want)
			}
			if n := strings.Count(b.log.String(), "size wanted"); (n == 1) != (tt.opts.Size != (image.Point{}) && tt.opts.Size != tt.size) {
				b.Errorf("log:\n%s", b.log)
			}
		})
	}
}

func TestKeepOpen(t *testing.T) {
	run(t, "a second picture comes at once and is fresh", mock.VideoOptions{}, Opts{KeepOpen: time.Minute}, func(b *bench) {
		b.shot()
		for _, pause := range []time.Duration{0, time.Millisecond, 150 * time.Millisecond, 59 * time.Second} {
			time.Sleep(pause)
			if !b.video.Streaming() {
				b.Fatal("the stream does not run any more")
			}
			// A frame interval is 100 ms; the one that is being exposed is too old.
			if b.shot(); b.Stats().LastDuration > 600*time.Millisecond {
				b.Errorf("after %v it took %v", pause, b.Stats().LastDuration)
			}
		}
		if err := b.Check(b.Context()); err != nil {
			b.Error(err)
		}
		time.Sleep(time.Minute + time.Second)
		if b.video.InUse() {
			b.Error("the device stays open for ever")
		}
		b.shot()
	})
	run(t, "unplugged between two pictures", mock.VideoOptions{}, Opts{KeepOpen: time.Minute}, func(b *bench) {
		b.shot()
		b.video.Unplug()
		if err := b.Check(b.Context()); !errors.Is(err, hw.ErrGone) {
			b.Errorf("check says %v", err)
		}
		if err := b.Check(b.Context()); !errors.Is(err, hw.ErrNotFound) {
			b.Errorf("check says %v", err)
		}
		b.video.Replug()
		b.shot()
		b.video.Unplug()
		b.video.Replug()
		b.shot()
		if s := b.Stats(); s.Reopens != 1 {
			b.Errorf("%+v", s)
		}
	})
	run(t, "closed while it is kept open", mock.VideoOptions{}, Opts{KeepOpen: time.Hour}, func(b *bench) {
		b.shot()
		b.Close()
		if b.video.InUse() {
			b.Error("the device stays open")
		}
	})
}

func TestSpoiltFrames(t *testing.T) {
	for _, tt := range []struct {
		name  string
		video mock.VideoOptions
		how   mock.Spoil
	}{
		{"frames cut short", mock.VideoOptions{}, mock.Short},
		{"frames full of noise", mock.VideoOptions{NoHuffman: true}, mock.Garbage},
		{"empty frames", mock.VideoOptions{}, mock.Empty},
		{"YUYV frames cut short", mock.VideoOptions{Pixel: hw.YUYV}, mock.Short},
		{"empty YUYV frames", mock.VideoOptions{Pixel: hw.YUYV}, mock.Empty},
	} {
		run(t, tt.name, tt.video, Opts{WarmUpFrames: -1}, func(b *bench) {
			b.video.Spoil(tt.how, 3)
			b.shot()
			if s := b.Stats(); s.Corrupt != 3 || s.Captures != 1 {
				b.Errorf("%+v", s)
			}
			b.video.Spoil(tt.how, -1)
			b.fails(ErrCorrupt, fmt.Sprintf("%d of %d", maxLooked, maxLooked))
			if s := b.Stats(); s.Corrupt != 3+maxLooked || s.Failures != 1 {
				b.Errorf("%+v", s)
			}
			b.video.Spoil(mock.Sound, 0)
			b.shot()
		})
	}
	run(t, "corrupt until the time is over", mock.VideoOptions{FrameInterval: 950 * time.Millisecond}, Opts{WarmUpFrames: -1}, func(b *bench) {
		b.video.Spoil(mock.Short, -1)
		b.fails(ErrCorrupt, "10 of 10")
	})
}

func TestUnplug(t *testing.T) {
	run(t, "unplugged and back while a picture is taken", mock.VideoOptions{}, Opts{}, func(b *bench) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(350 * time.Millisecond)
			b.video.Unplug()
			time.Sleep(3 * time.Second)
			b.video.Replug()
		}()
		b.shot()
		<-done
		s := b.Stats()
		if s.Reopens < 2 || s.Reopens > 10 {
			b.Errorf("opened again %d times", s.Reopens)
		}
		if n := strings.Count(b.log.String(), "\n"); n != 1 {
			b.Errorf("%d lines in the log:\n%s", n, b.log)
		}
	})
	run(t, "unplugged for good", mock.VideoOptions{}, Opts{}, func(b *bench) {
		go func() {
			time.Sleep(350 * time.Millisecond)
			b.video.Unplug()
		}()
		began := time.Now()
		b.fails(hw.ErrNotFound, "did not come back within 10s")
		if d := time.Since(began); d != 10*time.Second {
			b.Errorf("took %v", d)
		}
		began = time.Now()
		b.fails(hw.ErrNotFound)
		if d := time.Since(began); d > time.Second {
			b.Errorf("a camera that is not there was waited for: %v", d)
		}
		if err := b.Check(b.Context()); !errors.Is(err, hw.ErrNotFound) {
			b.Errorf("check says %v", err)
		}
		b.video.Replug()
		if err := b.Check(b.Context()); err != nil {
			b.Error(err)
		}
		b.shot()
	})
}

func TestStall(t *testing.T) {
	run(t, "a stream that stalls is started again", mock.VideoOptions{}, Opts{}, func(b *bench) {
		go func() {
			time.Sleep(250 * time.Millisecond)
			b.video.Stall(true)
			time.Sleep(2 * time.Second)
			b.video.Stall(false)
		}()
		b.shot()
	})
	run(t, "a stream that never starts", mock.VideoOptions{}, Opts{}, func(b *bench) {
		b.video.Stall(true)
		b.fails(ErrNoFrame, "within 10s", "cable")
		if s := b.Stats(); s.Reopens == 0 {
			b.Error("the device was not opened again")
		}
		b.video.Stall(false)
		b.shot()
	})
	run(t, "the caller has less time", mock.VideoOptions{}, Opts{}, func(b *bench) {
		b.video.Stall(true)
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := b.Capture(ctx); !errors.Is(err, ErrNoFrame) {
			b.Error(err)
		}
		if d := time.Since(began); d != time.Second {
			b.Errorf("took %v", d)
		}
	})
}

func TestRefusals(t *testing.T) {
	run(t, "another program has the camera", mock.VideoOptions{}, Opts{}, func(b *bench) {
		b.video.Hold("motion")
		b.fails(hw.ErrBusy, "motion")
		b.video.Release()
		b.shot()
	})
	run(t, "no format understood", mock.VideoOptions{Pixel: 'H' | '2'<<8 | '6'<<16 | '4'<<24}, Opts{}, func(b *bench) {
		b.fails(hw.ErrUnsupported, `"H264"`, "MJPG, JPEG, YUYV, UYVY, YU12, NV12 or GREY")
		if err := b.Check(b.Context()); !errors.Is(err, hw.ErrUnsupported) {
			b.Errorf("check says %v", err)
		}
	})
	run(t, "the format asked for is not there", mock.VideoOptions{Pixel: hw.MJPG}, Opts{Pixel: hw.YUYV}, func(b *bench) {
		b.fails(hw.ErrUnsupported, `"MJPG"`, "not YUYV")
	})
	run(t, "the driver changes the size", mock.VideoOptions{}, Opts{Size: image.Pt(320, 240)}, func(b *bench) {
		b.video.Override(160, 120)
		if p := b.shot(); p.Size != image.Pt(160, 120) {
			b.Errorf("size %v", p.Size)
		}
	})
}

func TestOneAtATime(t *testing.T) {
	run(t, "pictures queue up", mock.VideoOptions{}, Opts{}, func(b *bench) {
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if _, err := b.Capture(b.Context()); err != nil {
					b.Error(err)
				}
			})
			all.Go(func() {
				if err := b.Check(b.Context()); err != nil {
					b.Error(err)
				}
			})
		}
		all.Wait()
		if s := b.Stats(); s.Captures != 5 {
			b.Errorf("%+v", s)
		}
	})
	run(t, "waiting for another one has its end", mock.VideoOptions{}, Opts{}, func(b *bench) {
		b.video.Stall(true)
		first := make(chan error)
		go func() {
			_, err := b.Capture(b.Context())
			first <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		if _, err := b.Capture(ctx); !errors.Is(err, context.DeadlineExceeded) {
			b.Errorf("error %v", err)
		}
		b.Close()
		if err := <-first; !errors.Is(err, ErrClosed) {
			b.Errorf("a closed camera's capture ends with %v", err)
		}
		if _, err := b.Capture(b.Context()); !errors.Is(err, ErrClosed) {
			b.Errorf("a capture of a closed camera ends with %v", err)
		}
		if err := b.Check(b.Context()); !errors.Is(err, ErrClosed) {
			b.Errorf("a check of a closed camera ends with %v", err)
		}
		b.Close()
	})
}

func TestMemoryIsGivenBack(t *testing.T) {
	run(t, "after a picture", mock.VideoOptions{Pixel: hw.YUYV}, Opts{}, func(b *bench) {
		b.shot()
		if b.session != nil || b.encoder != nil {
			b.Error("the camera holds on to its frames")
		}
	})
}
