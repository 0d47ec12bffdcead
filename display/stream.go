package display

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"strconv"
	"strings"

	"pithings/picture/jpeg"
)

// Cameras on the network give a stream at the address that people know, mostly:
// JPEG pictures one behind the other, as the parts of an answer of type
// multipart/x-mixed-replace that never ends (Motion JPEG over HTTP), or without
// anything between them. The first one is the picture.

// boundary returns what stands between the parts, without the dashes before it,
// which some cameras take for a part of it and some do not.
func boundary(kind string) string {
	_, params, err := mime.ParseMediaType(kind)
	b := params["boundary"]
	if err != nil { // characters that would have to be quoted
		_, b, _ = strings.Cut(kind, "boundary=")
		b, _, _ = strings.Cut(b, ";")
	}
	return strings.TrimLeft(strings.Trim(b, `" `), "-")
}

const (
	maxParts = 8       // that are looked at for a picture: some streams begin with an empty one
	maxLine  = 4 << 10 // of a part's header, in bytes
	maxLines = 64
)

// readPart returns the first picture of a multipart body.
func (f *fetcher) readPart(body io.Reader, boundary string) ([]byte, error) {
	r := bufio.NewReaderSize(io.LimitReader(body, f.opts.MaxBytes+maxParts*maxLines*maxLine), maxLine)
	for range maxParts {
		size, err := partHeader(r)
		if err != nil {
			return nil, err
		}
		if size > f.opts.MaxBytes {
			return nil, f.tooLong()
		}
		var data []byte
		if size >= 0 {
			data, err = f.readAll(io.LimitReader(r, size), size)
		} else {
			data, err = f.readUntil(r, boundary)
		}
		if err != nil {
			return nil, err
		}
		if _, ok := sniff(data); ok {
			return data, nil
		}
	}
	return nil, fmt.Errorf("%w: no picture in its first %d parts", ErrPicture, maxParts)
}

// partHeader reads the lines before a part, up to the blank one, and returns the
// length that they tell, or -1.
func partHeader(r *bufio.Reader) (size int64, err error) {
	size = -1
	begun := false // blank lines may stand before the header
	for range maxLines {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return 0, fmt.Errorf("%w: a part's header has a line of more than %d bytes", ErrPicture, maxLine)
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("%w: it ends before its first picture", ErrPicture)
			}
			return 0, err
		}
		text := strings.TrimSpace(string(line))
		if text == "" {
			if begun {
				return size, nil
			}
			continue
		}
		begun = true
		name, value, _ := strings.Cut(text, ":")
		if strings.EqualFold(name, "Content-Length") {
			n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			if err == nil && n >= 0 {
				size = n
			}
		}
	}
	return 0, fmt.Errorf("%w: a part's header of more than %d lines", ErrPicture, maxLines)
}

// readUntil reads a part of unknown length: to the end of a JPEG, or to the
// boundary, which comes with the next part only.
func (f *fetcher) readUntil(r *bufio.Reader, boundary string) ([]byte, error) {
	var buf []byte
	var whole jpegEnd
	mark := []byte("\n--" + boundary)
	for {
		if _, err := r.Peek(1); errors.Is(err, io.EOF) {
			return buf, nil
		} else if err != nil {
			return nil, err
		}
		chunk, _ := r.Peek(r.Buffered()) // what has come: more may take its time
		had, from := len(buf), max(0, len(buf)-len(mark))
		buf = append(buf, chunk...)
		end := bytes.Index(buf[from:], mark)
		if end >= 0 { // the rest is the next part's
			buf = buf[:from+end]
			_, _ = r.Discard(max(0, len(buf)-had))
			return bytes.TrimSuffix(buf, []byte("\r")), nil
		}
		_, _ = r.Discard(len(chunk))
		switch {
		case int64(len(buf)) > f.opts.MaxBytes:
			return nil, f.tooLong()
		case whole.reached(buf):
			return buf, nil
		}
	}
}

// jpegEnd finds the end of a JPEG that is still arriving. It looks at each byte
// once.
type jpegEnd struct{ at int }

// reached reports whether data, which begins with what it had before, is a whole
// JPEG.
func (e *jpegEnd) reached(data []byte) bool {
	if len(data) < 2 || data[0] != 0xFF || data[1] != jpeg.SOI {
		return false
	}
	for {
		s, ok := jpeg.Next(data, e.at)
		switch {
		case !ok: // all but a last 0xFF, which may begin a marker
			e.at = max(e.at, len(data)-1)
			return false
		case s.Short:
			e.at = s.At
			return false
		case s.Marker == jpeg.EOI:
			return true
		}
		e.at = s.End
	}
}
