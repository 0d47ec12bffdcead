// Package notices has the licences and notices of all that is linked into the program:
// MIT, BSD, Apache and the Eclipse licences ask for them beside a binary. The file is
// made from the modules' own files:
//
//	go test ./cmd/pithings/internal/notices -update
//
// and the test fails when it does not fit go.mod any more.
package notices

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
)

//go:embed notices.txt.gz
var compressed []byte

// Write writes the whole text.
func Write(w io.Writer) error {
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return err
}
