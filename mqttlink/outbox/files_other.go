//go:build !linux

package outbox

import "os"

// osFile is a file whose Sync is fsync; on macOS package os makes it F_FULLFSYNC.
type osFile struct{ *os.File }

func newOSFile(f *os.File) (file, error) { return osFile{f}, nil }

func (o osFile) Size() (int64, error) { return size(o.File) }
