//go:build linux

// Feeder is a camera: it writes hw/mock's moving test card into a v4l2loopback
// device as MJPEG, or in a raw format, until it is killed.
//
//	feeder [-size 640x480] [-format mjpeg] [-no-huffman] [-ready FILE] /dev/video10
package main

import (
	"context"
	"flag"
	"fmt"
	"image"
	"log"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"pithings/camera"
	"pithings/hw"
	"pithings/hw/mock"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("feeder: ")
	size := flag.String("size", "640x480", "`WIDTHxHEIGHT` of the picture")
	format := flag.String("format", "mjpeg", "`FORMAT` as in a configuration")
	noHuffman := flag.Bool("no-huffman", false, "leave the Huffman tables out, as many webcams do")
	ready := flag.String("ready", "", "`FILE` to make when the first frame has been written")
	flag.Parse()
	var p image.Point
	pixel, ok := camera.ParseFormat(*format)
	if _, err := fmt.Sscanf(*size, "%dx%d", &p.X, &p.Y); err != nil || !ok || flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	o := mock.VideoOptions{Pixel: pixel, Sizes: []image.Point{p}, FrameInterval: 200 * time.Millisecond, NoHuffman: *noHuffman}
	if err := feed(flag.Arg(0), o, *ready); err != nil {
		log.Fatal(err)
	}
}

func feed(device string, o mock.VideoOptions, ready string) error {
	out, err := os.OpenFile(device, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer out.Close()
	board := mock.New(mock.Options{Video: o})
	defer board.Close()
	camera, err := board.OpenVideo("mock")
	if err != nil {
		return err
	}
	defer camera.Close()
	stream, err := camera.Start(hw.VideoFormat{Pixel: o.Pixel, Width: o.Sizes[0].X, Height: o.Sizes[0].Y})
	if err != nil {
		return err
	}
	if err := setFormat(out, stream); err != nil {
		return fmt.Errorf("%s: set format: %w", device, err)
	}
	for frame := []byte(nil); ; {
		if frame, err = camera.Next(context.Background(), frame); err != nil {
			return err
		}
		if _, err := out.Write(frame); err != nil {
			return err
		}
		if ready != "" {
			if err := os.WriteFile(ready, nil, 0o644); err != nil {
				return err
			}
			ready = ""
		}
	}
}

// outputFormat is struct v4l2_format with a struct v4l2_pix_format
// (linux/videodev2.h); the union begins at a pointer's alignment.
type outputFormat struct {
	kind uint32
	fmt  struct {
		_                       [0]uintptr
		width, height           uint32
		pixelFormat             hw.PixelFormat
		field                   uint32
		bytesPerLine, sizeImage uint32
		colorspace              uint32
		_                       [200 - 7*4]byte
	}
}

// setFormat sets the format and starts the stream. Asking for the capabilities
// makes v4l2loopback see that it has no writer any more; starting makes it see
// when this one ends (version 0.12.7 does neither for those that only write).
func setFormat(out *os.File, s hw.Stream) error {
	f := outputFormat{kind: videoOutput}
	f.fmt.width, f.fmt.height, f.fmt.pixelFormat = uint32(s.Width), uint32(s.Height), s.Pixel
	f.fmt.field = 1 // V4L2_FIELD_NONE
	f.fmt.bytesPerLine = uint32(s.Stride)
	f.fmt.sizeImage = uint32(2 * s.Width * s.Height)
	if l := s.Layout(); l.Bytes > 0 {
		f.fmt.sizeImage = uint32(l.Bytes)
	}
	f.fmt.colorspace = 1 // V4L2_COLORSPACE_SMPTE170M: limited range
	if s.FullRange {
		f.fmt.colorspace = 7 // V4L2_COLORSPACE_JPEG
	}
	var capability [104]byte
	kind := uint32(videoOutput)
	for _, request := range []struct {
		dir, nr, size uintptr
		arg           unsafe.Pointer
	}{
		{2, 0, unsafe.Sizeof(capability), unsafe.Pointer(&capability)}, // VIDIOC_QUERYCAP
		{3, 5, unsafe.Sizeof(f), unsafe.Pointer(&f)},                   // VIDIOC_S_FMT
		{1, 18, unsafe.Sizeof(kind), unsafe.Pointer(&kind)},            // VIDIOC_STREAMON
	} {
		number := request.dir<<30 | request.size<<16 | 'V'<<8 | request.nr
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, out.Fd(), number, uintptr(request.arg)); errno != 0 {
			return fmt.Errorf("VIDIOC %d: %w", request.nr, errno)
		}
	}
	return nil
}

const videoOutput = 2 // V4L2_BUF_TYPE_VIDEO_OUTPUT
