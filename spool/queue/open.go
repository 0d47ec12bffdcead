package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"pithings/mqttlink/outbox"
	"pithings/spool/state"
)

// Open opens the outbox of a connection in the folder, which must be owned. If the
// connection had another client id before, which none has now (inUse), the backlog
// is moved, and that is logged. name is that of the connection; "" is the shared one.
func Open(s *state.Folder, name, id string, inUse func(id string) bool, o outbox.DiskOptions) (*outbox.Disk, error) {
	dir := s.QueueDir(id)
	from := ""
	if before := s.Connection(name, id); before != "" && !inUse(before) {
		from = s.QueueDir(before)
		if _, err := os.Stat(from); err != nil {
			from = ""
		}
	}
	if from != "" {
		if err := rename(from, dir); err == nil {
			o.Log.Info("the client id has changed: what waited under the old one goes out under the new one", "client_id", id, "before", s.Connection(name, id))
			from = ""
		}
	}
	box, err := outbox.Open(dir, o)
	if err != nil {
		return nil, err
	}
	if from != "" {
		n, err := move(from, box, o)
		if err != nil {
			box.Close()
			return nil, fmt.Errorf("the client id has changed, and what waited under the old one cannot be moved from %s: %w", from, err)
		}
		o.Log.Info("the client id has changed: what waited under the old one goes out under the new one", "client_id", id, "before", s.Connection(name, id), "messages", n)
	}
	if err := s.SetConnection(name, id); err != nil {
		o.Log.Warn("the client id of a connection cannot be noted: if it changes, what waits must be moved by hand (pithings queue export, import)", "client_id", id, "err", err)
	}
	return box, nil
}

// rename moves a whole outbox, if there is none at the new place.
func rename(from, to string) error {
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		return fs.ErrExist
	}
	return os.Rename(from, to)
}

// batch is how many messages are moved at a time.
const batch = 256

// move appends what is in the outbox at dir to box, and removes it there. If it is
// interrupted, messages may be in both: twice, but not lost.
func move(dir string, box outbox.Box, o outbox.DiskOptions) (n int, err error) {
	old, err := outbox.Open(dir, outbox.DiskOptions{Log: o.Log, Now: o.Now})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	if n, err = pass(old, box); err == nil {
		removeEmptied(dir, o.Log)
	}
	return n, err
}

// pass appends what is in one outbox to another, or behind itself, and removes it
// there.
func pass(from, to outbox.Box) (n int, err error) {
	for left := from.Len(); left > 0; {
		rs, err := First(from)
		if err != nil || len(rs) == 0 {
			return n, err
		}
		rs = rs[:min(left, len(rs))]
		a, err := to.AppendAll(rs)
		n, left = n+a.N, left-a.N
		if a.N > 0 {
			if err := to.Sync(); err != nil {
				return n, err
			}
			if err := from.Ack(rs[a.N-1].Seq); err != nil {
				return n, err
			}
		}
		if err != nil && a.N == 0 {
			return n, err
		}
	}
	return n, nil
}

// First returns the first messages of an outbox, as many as are moved at a time.
func First(box outbox.Box) (rs []outbox.Record, err error) {
	for pos, size := uint64(0), 0; len(rs) < batch && size < 1<<20; {
		r, ok, err := box.Next(pos)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		rs = append(rs, r)
		pos, size = r.Seq+1, size+len(r.Payload)
	}
	return rs, nil
}

// removeEmptied removes an outbox from which all has been moved, unless people may
// want to look at something in it.
func removeEmptied(dir string, log *slog.Logger) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".damaged") || strings.HasPrefix(e.Name(), "aside.") {
			log.Info("the old outbox is kept, because it has damaged files or dead letters", "dir", dir, "file", filepath.Base(e.Name()))
			return
		}
	}
	_ = os.RemoveAll(dir) // if it stays it is empty
}
