package shadow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// The limits of a shadow.
const (
	MaxState = 8 << 10 // bytes of desired and reported together, as JSON without spaces
	MaxDepth = 6       // levels, see the package's documentation
	MaxToken = 64      // bytes of a clientToken

	// Remembered is how long the version of a deleted shadow continues with its next.
	Remembered = 48 * time.Hour
)

// Tree is an object of JSON. Its numbers are [json.Number], so that they stay as they are
// written.
type Tree = map[string]any

// Document is a shadow as it is stored. It is not changed: an update returns another one.
type Document struct {
	Version int64 `json:"version"`
	State   Parts `json:"state"`
	Meta    Parts `json:"metadata"`
	// Deleted is when the shadow was deleted, in seconds since 1970; 0 if it exists.
	Deleted int64 `json:"deleted,omitempty"`
}

// Parts are the sections of a document; an empty one is nil.
type Parts struct {
	Desired  Tree `json:"desired,omitempty"`
	Reported Tree `json:"reported,omitempty"`
}

// Parse reads a document as json.Marshal has written it.
func Parse(record []byte) (*Document, error) {
	var d Document
	decoder := json.NewDecoder(bytes.NewReader(record))
	decoder.UseNumber()
	if err := decoder.Decode(&d); err != nil {
		return nil, fmt.Errorf("read a shadow: %w", err)
	}
	return &d, nil
}

// exists reports whether there is a shadow; d may be nil.
func (d *Document) exists() bool { return d != nil && d.Deleted == 0 }

// Forgotten reports whether the document is of a shadow that was deleted so long ago that
// its version no longer counts.
func (d *Document) Forgotten(now time.Time) bool {
	return d.Deleted != 0 && now.Unix()-d.Deleted >= int64(Remembered/time.Second)
}

// version returns the version of the last update, also of a shadow that was deleted since.
func (d *Document) version(now time.Time) int64 {
	if d == nil || d.Forgotten(now) {
		return 0
	}
	return d.Version
}

// size returns how many bytes count for MaxState.
func (p Parts) size() int {
	n := 0
	for _, t := range []Tree{p.Desired, p.Reported} {
		if len(t) > 0 {
			n += len(encode(t))
		}
	}
	return n
}

// snapshot is a document as the topic documents has it.
type snapshot struct {
	State    Parts `json:"state"`
	Metadata Parts `json:"metadata"`
	Version  int64 `json:"version"`
}

func (d *Document) snapshot() *snapshot {
	if !d.exists() {
		return nil
	}
	return &snapshot{d.State, d.Meta, d.Version}
}
