// Package writelog makes of a recording of all that a machine wrote to its disk what
// a power cut would have left there, at any moment of it.
//
// QEMU's driver blklogwrites records in the format of the kernel's dm-log-writes
// (Documentation/admin-guide/device-mapper/log-writes.rst, drivers/md/dm-log-writes.c):
// a sector with a head, then for each request a sector that describes it, and the
// data written. A request is recorded when it has been done and before the guest gets
// the answer.
//
// A disk with a volatile cache has for certain what it was given before the last
// flush that it has completed. Of what came later any part may be there.
package writelog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
)

const (
	magic   = 0x6a736677736872
	version = 1
	Sector  = 512 // bytes; the recordings that are read here have no others
)

// Flags of a request.
const (
	flagFlush   = 1 << 0
	flagFUA     = 1 << 1
	flagDiscard = 1 << 2
)

// ErrFormat says that something is no recording of this format.
var ErrFormat = errors.New("not a recording of a disk's writes")

// Request is a write, or a flush, or both: then the flush comes first.
type Request struct {
	Offset int64 // on the disk, in bytes
	Length int64
	Flush  bool  // what was written before is to be kept
	Kept   bool  // this write too (FUA)
	data   int64 // where its data are in the recording; 0: it was discarded
	End    int64 // where it ends in the recording, in bytes
}

// Log is a recording.
type Log struct {
	Requests []Request
	r        io.ReaderAt
}

// Read reads a recording of size bytes. Its end may be missing, as when QEMU was
// killed; what is behind a hole is not read.
func Read(r io.ReaderAt, size int64) (*Log, error) {
	var head [Sector]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	le := binary.LittleEndian
	if le.Uint64(head[0:]) != magic || le.Uint64(head[8:]) != version || le.Uint32(head[24:]) != Sector {
		return nil, fmt.Errorf("%w: its head is %x", ErrFormat, head[:28])
	}
	l := &Log{r: r}
	for at := int64(Sector); at+Sector <= size; {
		if _, err := r.ReadAt(head[:], at); err != nil {
			return nil, err
		}
		sector, n, flags := le.Uint64(head[0:]), le.Uint64(head[8:]), le.Uint64(head[16:])
		if sector == 0 && n == 0 && flags == 0 {
			break // not written yet
		}
		if sector > 1<<40 || n > 1<<24 {
			return nil, fmt.Errorf("%w: a write of %d sectors at %d", ErrFormat, n, sector)
		}
		q := Request{Offset: int64(sector) * Sector, Length: int64(n) * Sector, Flush: flags&flagFlush != 0, Kept: flags&flagFUA != 0, End: at + Sector}
		if flags&flagDiscard == 0 {
			q.data = q.End
			q.End += q.Length
		}
		if q.End > size {
			break
		}
		l.Requests = append(l.Requests, q)
		at = q.End
	}
	return l, nil
}

// Loss says what of the writes since the last flush is not on the disk.
type Loss func(*rand.Rand) (lost func(sector int) bool)

// None loses nothing: all that QEMU was given is there, as when it is killed.
func None(*rand.Rand) func(int) bool { return func(int) bool { return false } }

// All loses everything that was not flushed.
func All(*rand.Rand) func(int) bool { return func(int) bool { return true } }

// Writes loses writes as wholes, with an even chance.
func Writes(r *rand.Rand) func(int) bool {
	lost := false
	return func(sector int) bool {
		if sector == 0 {
			lost = r.IntN(2) == 0
		}
		return lost
	}
}

// Sectors loses single sectors of writes, with an even chance.
func Sectors(r *rand.Rand) func(int) bool { return func(int) bool { return r.IntN(2) == 0 } }

// Apply makes of the disk as it was before the recording what the first n requests
// leave on it after a power cut.
func (l *Log) Apply(d io.WriterAt, n int, loss Loss, r *rand.Rand) error {
	flushed := 0 // requests before this one were flushed
	for i, q := range l.Requests[:n] {
		if q.Flush {
			flushed = i
		}
	}
	lost := loss(r)
	for i, q := range l.Requests[:n] {
		b := make([]byte, q.Length)
		if q.data != 0 {
			if _, err := l.r.ReadAt(b, q.data); err != nil {
				return err
			}
		}
		if i < flushed || q.Kept {
			if _, err := d.WriteAt(b, q.Offset); err != nil {
				return err
			}
			continue
		}
		for s := 0; int64(s)*Sector < q.Length; s++ {
			if lost(s) {
				continue
			}
			if _, err := d.WriteAt(b[s*Sector:(s+1)*Sector], q.Offset+int64(s)*Sector); err != nil {
				return err
			}
		}
	}
	return nil
}

// Unflushed returns how many bytes were written by the first n requests and not
// flushed by them.
func (l *Log) Unflushed(n int) (bytes int64) {
	for _, q := range l.Requests[:n] {
		if q.Flush {
			bytes = 0
		}
		if !q.Kept {
			bytes += q.Length
		}
	}
	return bytes
}
