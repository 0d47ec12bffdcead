//go:build linux

// Feeder is a camera: it writes hw/mock's moving test card into a v4l2loopback
// device as MJPEG, until it is killed.
//
//	feeder [-size 640x480] [-no-huffman] [-ready FILE] /dev/video10
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

	"pithings/hw"
	"pithings/hw/mock"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("feeder: ")
	size := flag.String("size", "640x480", "`WIDTHxHEIGHT` of the picture")
	noHuffman := flag.Bool("no-huffman", false, "leave the Huffman tables out, as many webcams do")
	ready := flag.String("ready", "", "`FILE` to make when the first frame has been written")
	flag.Parse()
	var p image.Point
	if _, err := fmt.Sscanf(*size, "%dx%d", &p.X, &p.Y); err != nil || flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := feed(flag.Arg(0), p, *noHuffman, *ready); err != nil {
		log.Fatal(err)
	}
}

func feed(device string, size image.Point, noHuffman bool, ready string) error {
	out, err := os.OpenFile(device, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := setFormat(out, size); err != nil {
		return fmt.Errorf("%s: set format: %w", device, err)
	}
	board := mock.New(mock.Options{Video: mock.VideoOptions{
		Pixel: hw.MJPG, Sizes: []image.Point{size}, FrameInterval: 200 * time.Millisecond, NoHuffman: noHuffman,
	}})
	defer board.Close()
	camera, err := board.OpenVideo("mock")
	if err != nil {
		return err
	}
	defer camera.Close()
	if _, err := camera.Start(hw.VideoFormat{Pixel: hw.MJPG, Width: size.X, Height: size.Y}); err != nil {
		return err
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
func setFormat(out *os.File, size image.Point) error {
	f := outputFormat{kind: videoOutput}
	f.fmt.width, f.fmt.height, f.fmt.pixelFormat = uint32(size.X), uint32(size.Y), hw.MJPG
	f.fmt.field = 1 // V4L2_FIELD_NONE
	f.fmt.sizeImage = uint32(2 * size.X * size.Y)
	f.fmt.colorspace = 7 // V4L2_COLORSPACE_JPEG
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
