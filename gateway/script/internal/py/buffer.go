package py

import "sync"

// largestKept is the largest buffer that is kept for another text, in bytes.
const largestKept = 1024

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 128); return &b }}

// Buffer returns an empty buffer for a text that is made piece by piece.
func Buffer() *[]byte { return buffers.Get().(*[]byte) }

// Return takes a buffer back, with what it has become, when its text has been copied.
func Return(to *[]byte, b []byte) {
	if cap(b) <= largestKept {
		*to = b[:0]
		buffers.Put(to)
	}
}
