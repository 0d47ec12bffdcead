package pi

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pithings/hw"
)

func TestOnlyCaptureNodesAreTaken(t *testing.T) {
	device := func(driver string, caps, deviceCaps uint32) (c v4l2Capability) {
		copy(c.driver[:], driver)
		c.capabilities, c.deviceCaps = caps, deviceCaps
		return c
	}
	const uvc = capVideoCapture | capMetaCapture | capStreaming | capDeviceCaps
	for _, c := range []struct {
		name string
		caps v4l2Capability
		want error
		says string
	}{
		{"USB webcam", device("uvcvideo", uvc, capVideoCapture|capStreaming), nil, ""},
		{"its metadata node", device("uvcvideo", uvc, capMetaCapture|capStreaming), hw.ErrUnsupported, "metadata"},
		{"an old driver without device caps", device("bm2835 mmal", capVideoCapture|capStreaming, 0), nil, ""},
		{"CSI receiver of a Pi 4", device("unicam", capVideoCapture|capStreaming|capDeviceCaps, capVideoCapture|capStreaming), hw.ErrUnsupported, "CSI camera"},
		{"CSI receiver of a Pi 5", device("rp1-cfe", capVideoCaptureMplane|capStreaming|capDeviceCaps, capVideoCaptureMplane|capStreaming), hw.ErrUnsupported, "CSI camera"},
		{"codec of a Pi", device("bcm2835-codec", capVideoM2MMplane|capStreaming, 0), hw.ErrUnsupported, "CSI camera"},
		{"another codec", device("vicodec", capVideoM2M|capStreaming, 0), hw.ErrUnsupported, "codec"},
		{"multi-planar capture", device("rkisp1", capVideoCaptureMplane|capStreaming, 0), hw.ErrUnsupported, "multi-planar"},
		{"loopback without a feeder", device("v4l2 loopback", 0x2|capStreaming, 0), hw.ErrNotFound, "feeds"},
		{"loopback whose feeder was killed", device("v4l2 loopback", capStreaming, 0), hw.ErrNotFound, "feeds"},
		{"read(2) only", device("old", capVideoCapture, 0), hw.ErrUnsupported, "stream"},
		{"radio", device("radio", 0x50000, 0), hw.ErrUnsupported, "not a video capture device"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := checkCapture("/dev/video0", c.caps)
			if c.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "/dev/video0") {
				t.Errorf("error %v, want %v saying %q", err, c.want, c.says)
			}
		})
	}
}

func TestNegotiatedFormats(t *testing.T) {
	base := v4l2PixFormat{width: 640, height: 480, pixelFormat: hw.YUYV, bytesPerLine: 1280, priv: pixFormatPrivMagic}
	for _, c := range []struct {
		name   string
		change func(*v4l2PixFormat)
		stride int
		full   bool
	}{
		{"webcam", func(*v4l2PixFormat) {}, 1280, false},
		{"padded rows", func(p *v4l2PixFormat) { p.bytesPerLine = 1536 }, 1536, false},
		{"no word about rows", func(p *v4l2PixFormat) { p.bytesPerLine = 0 }, 1280, false},
		{"full range said", func(p *v4l2PixFormat) { p.quantization = quantizationFull }, 1280, true},
		{"full range by colour space", func(p *v4l2PixFormat) { p.colorspace = colorspaceJPEG }, 1280, true},
		{"limited range in spite of it", func(p *v4l2PixFormat) { p.colorspace, p.quantization = colorspaceJPEG, quantizationLimited }, 1280, false},
		{"garbage after an unset magic", func(p *v4l2PixFormat) { p.priv, p.quantization = 0, quantizationFull }, 1280, false},
		{"compressed", func(p *v4l2PixFormat) { p.pixelFormat = hw.MJPG }, 0, false},
		{"compressed, with rows", func(p *v4l2PixFormat) { p.pixelFormat, p.bytesPerLine = hw.JPEG, 1280 }, 0, false},
		{"UYVY", func(p *v4l2PixFormat) { p.pixelFormat, p.bytesPerLine = hw.UYVY, 0 }, 1280, false},
		{"YU12 of a loopback device: rows of Y", func(p *v4l2PixFormat) { p.pixelFormat, p.bytesPerLine = hw.YU12, 640 }, 640, false},
		{"NV12, padded rows", func(p *v4l2PixFormat) { p.pixelFormat, p.bytesPerLine = hw.NV12, 768 }, 768, false},
		{"GREY, no word about rows or range", func(p *v4l2PixFormat) { p.pixelFormat, p.bytesPerLine = hw.GREY, 0 }, 640, true},
		{"GREY of limited range", func(p *v4l2PixFormat) {
			p.pixelFormat, p.bytesPerLine, p.quantization = hw.GREY, 640, quantizationLimited
		}, 640, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := base
			c.change(&p)
			if s := p.stream(); s.Stride != c.stride || s.FullRange != c.full || s.Width != 640 || s.Height != 480 {
				t.Errorf("%+v, want rows of %d bytes, full range %v", s, c.stride, c.full)
			}
		})
	}
}

func TestNodesThatAreNoDevices(t *testing.T) {
	dir := t.TempDir()
	file, fifo := filepath.Join(dir, "picture.jpg"), filepath.Join(dir, "pipe")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	var b Board
	for _, c := range []struct {
		name, node string
		want       error
		says       string
	}{
		{"regular file", file, hw.ErrUnsupported, "a regular file"},
		{"folder", dir, hw.ErrUnsupported, "a folder"},
		{"named pipe", fifo, hw.ErrUnsupported, "not a"},
		{"another device", "/dev/null", hw.ErrUnsupported, "this is not a"},
		{"nothing", filepath.Join(dir, "absent"), hw.ErrNotFound, "no such"},
		{"path through a file", file + "/x", unix.ENOTDIR, "not a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, video := b.OpenVideo(c.node)
			_, screen := b.OpenFramebuffer(c.node)
			for _, err := range []error{video, screen} {
				if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.node) {
					t.Errorf("error %v, want %v saying %q", err, c.want, c.says)
				}
			}
		})
	}
}

func TestWakeEndsAWait(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	wake, err := newWake()
	if err != nil {
		t.Fatal(err)
	}
	fd := int(r.Fd())
	ctx, cancel := context.WithCancel(t.Context())
	stop := context.AfterFunc(ctx, wake.signal)
	defer stop()
	go cancel()
	if events, err := wake.wait(fd); events != 0 || err != nil {
		t.Errorf("events %#x, %v, want a wake-up only", events, err)
	}
	if _, err := w.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if events, err := wake.wait(fd); events&unix.POLLIN == 0 || err != nil {
		t.Errorf("events %#x, %v, want data", events, err)
	}
	wake.signal()
	wake.signal() // counts as one
	if events, _ := wake.wait(fd); events != 0 {
		t.Errorf("events %#x, want the wake-up first", events)
	}
	wake.close()
	wake.close()
	wake.signal()
}

// An interrupted poll must not end a wait.
func TestWakeOutlastsSignals(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	wake, err := newWake()
	if err != nil {
		t.Fatal(err)
	}
	defer wake.close()
	time.AfterFunc(20*time.Millisecond, func() {
		for range 20 {
			unix.Kill(os.Getpid(), unix.SIGURG) // what the Go runtime preempts with
		}
		w.Write([]byte{1})
	})
	if events, err := wake.wait(int(r.Fd())); events&unix.POLLIN == 0 || err != nil {
		t.Errorf("events %#x, %v, want data", events, err)
	}
}
