package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ReadFile reads a regular file of at most so many bytes. Whatever else has the name is
// refused at once: a named pipe would wait for a writer, and a device may have no end.
func ReadFile(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path) // before it is opened, which some devices notice
	if err == nil {
		err = readable(path, info, most)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0) // it may be another one by now
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err == nil {
		err = readable(path, info, most)
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most { // it grows, or is one of proc(5), without a size
		err = tooLarge(path, most)
	}
	return data, err
}

func readable(path string, info fs.FileInfo, most int64) error {
	kind := "of another kind"
	switch mode := info.Mode(); {
	case mode.IsRegular() && info.Size() <= most:
		return nil
	case mode.IsRegular():
		return tooLarge(path, most)
	case mode.IsDir():
		kind = "a folder"
	case mode&fs.ModeNamedPipe != 0:
		kind = "a pipe"
	case mode&fs.ModeSocket != 0:
		kind = "a socket"
	case mode&fs.ModeDevice != 0:
		kind = "a device"
	}
	return &fs.PathError{Op: "read", Path: path, Err: errors.New("it is not a regular file but " + kind)}
}

func tooLarge(path string, most int64) error {
	size := fmt.Sprintf("%d bytes", most)
	if most >= 1<<20 {
		size = fmt.Sprintf("%d MiB", most>>20)
	}
	return &fs.PathError{Op: "read", Path: path, Err: errors.New("it is larger than " + size)}
}
