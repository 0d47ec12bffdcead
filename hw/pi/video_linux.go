package pi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"

	"pithings/hw"
)

const (
	videoMissing = "no such camera; plugged-in ones are listed by `ls -l /dev/v4l/by-id /dev/video*`"
	// videoBuffers is how many frames the driver may fill ahead. Two are the
	// least, more only make old frames.
	videoBuffers = 4
	maxVideoSide = 16384
)

// OpenVideo implements [hw.Board].
func (b *Board) OpenVideo(device string) (hw.Video, error) {
	v := &video{node: device}
	if err := v.open(); err != nil {
		return nil, err
	}
	var err error
	if v.wake, err = newWake(); err != nil {
		v.release()
		return nil, err
	}
	return v, nil
}

// video is an open V4L2 capture device.
//
// webcam unmaps its buffers before it ends the stream, never frees them in the
// driver, and loses its mappings when the start fails half-way (issue 70 of
// that project). So a Webcam serves for one stream only: closing its file is
// what makes the kernel clean up.
type video struct {
	node  string
	title string // "/dev/video0 (uvcvideo, HD Webcam)"
	wake  *wake

	closed atomic.Bool
	use    sync.Mutex // held by every method but String
	cam    *webcam.Webcam
	stream bool
}

func (v *video) String() string { return v.title }

// open opens the node and makes sure that it is a capture device.
func (v *video) open() error {
	info, err := os.Stat(v.node)
	if err != nil {
		return openError(v.node, err, videoMissing)
	}
	if info.Mode()&fs.ModeCharDevice == 0 {
		return because(hw.ErrUnsupported, nil, v.node, "this is %s, not a video device node", fileKind(info.Mode()))
	}
	fd, err := unix.Open(v.node, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return openError(v.node, err, videoMissing)
	}
	var c v4l2Capability
	err = ioctl(fd, vidiocQueryCap, unsafe.Pointer(&c))
	unix.Close(fd)
	if err != nil {
		if is(err, unix.ENODEV, unix.ENXIO, unix.EIO) {
			return openError(v.node, err, videoMissing)
		}
		return because(hw.ErrUnsupported, err, v.node, "this is not a V4L2 device")
	}
	if err := checkCapture(v.node, c); err != nil {
		return err
	}
	cam, err := webcam.Open(v.node)
	if err != nil {
		return openError(v.node, err, videoMissing)
	}
	unix.CloseOnExec(descriptor(cam))
	v.cam = cam
	v.title = fmt.Sprintf("%s (%s, %s)", v.node, cString(c.driver[:]), cString(c.card[:]))
	return nil
}

func fileKind(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return "a regular file"
	case m.IsDir():
		return "a folder"
	}
	return "something else"
}

// ready makes sure that there is an open Webcam, after a Stop or a failure too.
func (v *video) ready() error {
	if v.closed.Load() {
		return fmt.Errorf("%s: %w", v.title, fs.ErrClosed)
	}
	if v.cam != nil {
		return nil
	}
	if err := v.open(); err != nil {
		if errors.Is(err, hw.ErrNotFound) {
			return because(hw.ErrGone, err, v.title, "it was unplugged")
		}
		return err
	}
	return nil
}

// Formats implements [hw.Video].
func (v *video) Formats() ([]hw.VideoFormat, error) {
	v.use.Lock()
	defer v.use.Unlock()
	if err := v.ready(); err != nil {
		return nil, err
	}
	var formats []hw.VideoFormat
	for code := range v.cam.GetSupportedFormats() {
		f := hw.VideoFormat{Pixel: hw.PixelFormat(code)}
		listed := false
		for _, s := range v.cam.GetSupportedFrameSizes(code) {
			// Ranges have different bounds, or, when continuous, zeros in webcam.
			if s.MinWidth == s.MaxWidth && s.MinHeight == s.MaxHeight && s.MaxWidth != 0 && s.MaxHeight != 0 {
				f.Width, f.Height = int(s.MaxWidth), int(s.MaxHeight)
				formats = append(formats, f)
				listed = true
			}
		}
		if !listed {
			formats = append(formats, f)
		}
	}
	if len(formats) == 0 {
		// An unplugged device lists nothing either.
		if _, err := v.negotiated(); err != nil {
			return nil, v.lost(err)
		}
		return nil, because(hw.ErrUnsupported, nil, v.title, "it offers no capture format")
	}
	sort.Slice(formats, func(i, j int) bool {
		a, b := formats[i], formats[j]
		return cmp.Or(cmp.Compare(a.Pixel, b.Pixel), cmp.Compare(b.Width*b.Height, a.Width*a.Height), cmp.Compare(b.Width, a.Width)) < 0
	})
	return slices.Compact(formats), nil
}

// Start implements [hw.Video].
func (v *video) Start(want hw.VideoFormat) (hw.Stream, error) {
	v.use.Lock()
	defer v.use.Unlock()
	if v.stream {
		return hw.Stream{}, fmt.Errorf("%s: it streams already", v.title)
	}
	if err := v.ready(); err != nil {
		return hw.Stream{}, err
	}
	s, err := v.start(want)
	if err != nil {
		v.release()
		return hw.Stream{}, err
	}
	v.stream = true
	return s, nil
}

func (v *video) start(want hw.VideoFormat) (hw.Stream, error) {
	if want.Width < 0 || want.Height < 0 || want.Width > maxVideoSide || want.Height > maxVideoSide {
		return hw.Stream{}, because(hw.ErrUnsupported, nil, v.title, "a picture of %d x %d", want.Width, want.Height)
	}
	now, err := v.negotiated()
	if err != nil {
		return hw.Stream{}, v.explainStart(err)
	}
	offered := v.cam.GetSupportedFormats()
	if _, ok := offered[webcam.PixelFormat(want.Pixel)]; !ok {
		var names []string
		for code := range offered {
			names = append(names, hw.PixelFormat(code).String())
		}
		slices.Sort(names)
		return hw.Stream{}, because(hw.ErrUnsupported, nil, v.title, "it does not offer %s, only %s", want.Pixel, strings.Join(names, ", "))
	}
	if want.Width == 0 || want.Height == 0 {
		// Drivers take 0 for "the smallest".
		want.Width, want.Height = int(now.width), int(now.height)
	}
	if _, _, _, err := v.cam.SetImageFormat(webcam.PixelFormat(want.Pixel), uint32(want.Width), uint32(want.Height)); err != nil {
		return hw.Stream{}, v.explainStart(err)
	}
	// SetImageFormat returns the size that was asked for, not the driver's.
	got, err := v.negotiated()
	if err != nil {
		return hw.Stream{}, v.explainStart(err)
	}
	s := got.stream()
	switch {
	case s.Pixel != want.Pixel:
		return hw.Stream{}, because(hw.ErrUnsupported, nil, v.title, "the driver insists on %s instead of %s", s.Pixel, want.Pixel)
	case s.Width < 1 || s.Height < 1 || s.Width > maxVideoSide || s.Height > maxVideoSide:
		return hw.Stream{}, because(hw.ErrUnsupported, nil, v.title, "the driver offers a picture of %d x %d", s.Width, s.Height)
	}
	if err := v.cam.SetBufferCount(videoBuffers); err != nil {
		return hw.Stream{}, v.explainStart(err)
	}
	if err := v.cam.StartStreaming(); err != nil {
		return hw.Stream{}, v.explainStart(err)
	}
	s.Buffers = bufferCount(v.cam)
	return s, nil
}

// negotiated asks the driver for its current format (VIDIOC_G_FMT).
func (v *video) negotiated() (v4l2PixFormat, error) {
	f := v4l2Format{kind: bufTypeVideoCapture}
	err := ioctl(descriptor(v.cam), vidiocGetFmt, unsafe.Pointer(&f))
	return f.fmt.pix, err
}

// explainStart explains an error before the first frame. Unlike in a running
// stream, EIO and ENOTTY need not mean that the device has gone.
func (v *video) explainStart(err error) error {
	switch {
	case is(err, unix.EBUSY):
		return because(hw.ErrBusy, err, v.title, "another program takes pictures with it; close it first (sudo fuser %s names it)", v.node)
	case is(err, unix.ENODEV, unix.ENXIO, unix.ESHUTDOWN, unix.EIO, unix.EPIPE):
		return because(hw.ErrGone, err, v.title, "%v", err)
	case is(err, unix.ENOSPC):
		return fmt.Errorf("%s: the USB bus has no bandwidth left: choose a smaller size or MJPG, or unplug another camera: %w", v.title, err)
	case is(err, unix.EINVAL, unix.ENOTTY):
		return because(hw.ErrUnsupported, err, v.title, "%v", err)
	}
	return fmt.Errorf("%s: %w", v.title, err)
}

// lost explains an error in a running stream. Opening the device again is the
// only cure for any of them, so all of them say that it has gone.
func (v *video) lost(err error) error { return because(hw.ErrGone, err, v.title, "%v", err) }

// Next implements [hw.Video].
func (v *video) Next(ctx context.Context, buf []byte) ([]byte, error) {
	v.use.Lock()
	defer v.use.Unlock()
	defer context.AfterFunc(ctx, v.wake.signal)()
	for {
		switch {
		case v.closed.Load():
			return nil, fmt.Errorf("%s: %w", v.title, fs.ErrClosed)
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%s: no frame: %w", v.title, context.Cause(ctx))
		case !v.stream:
			return nil, fmt.Errorf("%s: the stream was not started", v.title)
		}
		revents, err := v.wake.wait(descriptor(v.cam))
		if err != nil {
			return nil, v.lost(err)
		}
		if revents == 0 {
			continue // interrupted: see above why
		}
		frame, index, err := v.cam.GetFrame()
		switch {
		case err == nil:
			// The frame is the driver's memory: copy it before it goes back.
			buf = append(buf[:0], frame...)
			if err := v.cam.ReleaseFrame(index); err != nil {
				return nil, v.lost(err)
			}
			return buf, nil
		case is(err, unix.EINTR):
		case is(err, unix.EAGAIN) && revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) == 0:
		default:
			return nil, v.lost(err)
		}
	}
}

// Stop implements [hw.Video].
func (v *video) Stop() error {
	v.use.Lock()
	defer v.use.Unlock()
	return v.release()
}

// release ends the stream and closes the file.
func (v *video) release() error {
	cam := v.cam
	v.cam, v.stream = nil, false
	if cam == nil {
		return nil
	}
	if err := cam.Close(); err != nil {
		return fmt.Errorf("%s: close: %w", v.title, err)
	}
	return nil
}

// Close implements [hw.Video].
func (v *video) Close() error {
	if v.closed.Swap(true) {
		return nil
	}
	v.wake.signal()
	v.use.Lock()
	defer v.use.Unlock()
	v.wake.close()
	return v.release()
}
