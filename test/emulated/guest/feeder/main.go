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

func setFormat(out *os.File, size image.Point) error {
	f := outputFormat{kind: 2} // V4L2_BUF_TYPE_VIDEO_OUTPUT
	f.fmt.width, f.fmt.height, f.fmt.pixelFormat = uint32(size.X), uint32(size.Y), hw.MJPG
	f.fmt.field = 1 // V4L2_FIELD_NONE
	f.fmt.sizeImage = uint32(2 * size.X * size.Y)
	f.fmt.colorspace = 7                                             // V4L2_COLORSPACE_JPEG
	request := 3<<30 | unsafe.Sizeof(f)<<16 | uintptr('V')<<8 | 0x05 // VIDIOC_S_FMT
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, out.Fd(), request, uintptr(unsafe.Pointer(&f))); errno != 0 {
		return errno
	}
	return nil
}
