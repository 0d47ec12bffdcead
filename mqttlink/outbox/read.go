package outbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Read looks into the box in a folder, which another process may own and use
// meanwhile: nothing is written and nothing locked. It calls each for the messages
// that are left, in order, until that returns an error, which Read returns; the
// payload is the callee's. Without each it returns the counts only, in little time
// however many messages there are.
//
// What comes was in the box when Read began or came in later; what is delivered
// meanwhile may come or not. Messages that the owner holds in memory, because its disk
// cannot be written, are not seen: Stats.Unsaved and Stats.Err are its own business. A
// folder that is not there is an error that wraps fs.ErrNotExist.
func Read(dir string, each func(Record) error) (Stats, error) {
	s, err := read(folder(dir), each)
	if err != nil {
		return s, fmt.Errorf("read outbox %s: %w", dir, err)
	}
	return s, nil
}

// readTries is how often a walk begins again because the owner has used files again
// that were to be read. Each time it continues where it was.
const readTries = 1000

func read(owned files, each func(Record) error) (s Stats, err error) {
	w := walk{each: each}
	for range readTries {
		d := newDisk("", DiskOptions{fs: untouched{owned}})
		switch err = d.load(); {
		case err == nil:
			s = d.Stats()
			err = w.on(d)
			s.Damaged = d.position.damaged
		case errors.Is(err, fs.ErrNotExist): // is it the folder, or a file that was in it?
			if _, err = owned.list(); err == nil {
				err = errMoved
			}
		}
		d.release()
		if !errors.Is(err, errMoved) {
			return s, err
		}
	}
	return s, errors.New("its owner uses it faster than it can be read: try again, or end that first")
}

// errMoved says that a file that was to be read is not what it was.
var errMoved = errors.New("the log has changed")

// walk reads on from where it was, in one look at the folder after another.
type walk struct {
	each func(Record) error
	pos  uint64
}

// on gives out what d has. What it cannot read is damaged if the file is still the
// same; otherwise the log has changed.
func (w *walk) on(d *Disk) error {
	if w.each == nil {
		return nil
	}
	damaged, failed := d.position.damaged, 0
	for {
		r, ok, err := d.Next(w.pos)
		if err != nil {
			if failed++; failed > badSector {
				return err
			}
			continue
		}
		if d.position.damaged != damaged || !ok {
			if !d.position.unmoved() {
				return errMoved
			}
			damaged = d.position.damaged
		}
		if !ok {
			return nil
		}
		w.pos, failed = r.Seq+1, 0
		if err := w.each(r); err != nil {
			return err
		}
	}
}

// unmoved reports whether the files with damaged messages, and the last one, are still
// those that were opened.
func (p *position) unmoved() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.holes {
		if h.seg != nil && !p.log.sameFile(h.seg) {
			return false
		}
	}
	last := p.log.last()
	return last == nil || p.log.sameFile(last)
}

// untouched is a folder in which nothing is changed.
type untouched struct{ files }

var errUntouched = errors.New("opened for reading only")

func (u untouched) open(name string, flag int) (file, error) {
	if flag != os.O_RDONLY {
		return nil, &os.PathError{Op: "open", Path: name, Err: errUntouched}
	}
	return u.files.open(name, flag)
}

func (untouched) rename(_, _ string) error { return errUntouched }
func (untouched) remove(string) error      { return errUntouched }
func (untouched) syncDir() error           { return errUntouched }
