package sysfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
)

// MaxSize is the longest text that is read: a page, which is the most that a
// driver can show in one file (Documentation/filesystems/sysfs.rst).
const MaxSize = 4096

// ErrTooLong is the error of a file that is longer.
var ErrTooLong = errors.New("longer than it may be")

// ErrNoNumber is the error of a text that is not one decimal number.
var ErrNoNumber = errors.New("no number")

// Files reads files of a root folder, one after the other, into one buffer.
type Files struct {
	Root fs.FS
	Max  int // the longest text, MaxSize when zero
	buf  []byte
}

// Text returns what a file holds, without white space and NULs around it (the
// texts of the device tree end with one). It is valid until the next call.
func (f *Files) Text(name string) ([]byte, error) {
	file, err := f.Root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if f.buf == nil {
		longest := MaxSize
		if f.Max > 0 {
			longest = f.Max
		}
		f.buf = make([]byte, longest+1)
	}
	n := 0
	for n < len(f.buf) {
		m, err := file.Read(f.buf[n:])
		n += m
		if errors.Is(err, io.EOF) {
			return bytes.Trim(f.buf[:n], "\x00 \t\r\n"), nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, &fs.PathError{Op: "read", Path: name, Err: ErrTooLong}
}

// Number returns the number that a file holds.
func (f *Files) Number(name string) (float64, error) {
	text, err := f.Text(name)
	if err != nil {
		return 0, err
	}
	v, err := Number(text)
	if err != nil {
		return 0, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return v, nil
}

// Number reads a number as drivers print them: a sign, digits, a point. Two of
// them ("1 2"), words, "nan" and exponents are none.
func Number(text []byte) (float64, error) {
	const longest = 64
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return 0, fmt.Errorf("%w: the file is empty", ErrNoNumber)
	}
	if len(text) > longest || len(bytes.Trim(text, "+-.0123456789")) > 0 {
		return 0, fmt.Errorf("%w: %q", ErrNoNumber, text[:min(len(text), longest)])
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %q", ErrNoNumber, text)
	}
	return v, nil
}
