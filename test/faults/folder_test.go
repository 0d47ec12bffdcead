//go:build faults && linux

package faults

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What happens to the files of an outbox (docs/outbox-format.md).
type change int

const (
	prepared change = iota // a file to become a segment is begun
	rolled                 // a new segment has its name
	trimmed                // a segment has been emptied, and lost it
	changes
)

func (c change) String() string {
	return [...]string{"a file is being prepared", "a segment begins", "a segment is trimmed"}[c]
}

// folder watches the files of an outbox with inotify(7).
type folder struct {
	f *os.File

	mu   sync.Mutex
	last [changes]time.Time
	more chan struct{} // closed, and made anew, at each change
}

// watchFolder watches until the test ends.
func watchFolder(t *testing.T, dir string) *folder {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	f := &folder{f: os.NewFile(uintptr(fd), "inotify"), more: make(chan struct{})}
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_DELETE|unix.IN_MOVED_FROM|unix.IN_MOVED_TO); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { f.follow(t) })
	t.Cleanup(func() {
		f.f.Close()
		wg.Wait()
	})
	return f
}

func (f *folder) follow(t *testing.T) {
	buf := make([]byte, 64<<10)
	for {
		n, err := f.f.Read(buf)
		if err != nil {
			if !errors.Is(err, os.ErrClosed) {
				t.Error(err)
			}
			return
		}
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			mask, length := binary.NativeEndian.Uint32(b[4:]), binary.NativeEndian.Uint32(b[12:])
			name := string(bytes.TrimRight(b[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+length], "\x00"))
			b = b[unix.SizeofInotifyEvent+length:]
			switch ext := filepath.Ext(name); {
			case ext == ".new" && mask&unix.IN_CREATE != 0:
				f.note(prepared)
			case ext == ".seg" && mask&unix.IN_MOVED_TO != 0:
				f.note(rolled)
			case ext == ".seg" && mask&(unix.IN_MOVED_FROM|unix.IN_DELETE) != 0:
				f.note(trimmed)
			}
		}
	}
}

func (f *folder) note(c change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last[c] = time.Now()
	close(f.more)
	f.more = make(chan struct{})
}

// since returns how long ago a change was.
func (f *folder) since(c change) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Since(f.last[c])
}

// await waits for the next change of a kind, at most limit.
func (f *folder) await(c change, limit time.Duration) bool {
	end := time.After(limit)
	f.mu.Lock()
	before := f.last[c]
	for {
		if f.last[c] != before {
			f.mu.Unlock()
			return true
		}
		more := f.more
		f.mu.Unlock()
		select {
		case <-more:
		case <-end:
			return false
		}
		f.mu.Lock()
	}
}
