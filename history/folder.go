package history

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sort"
	"strings"
	"time"
)

// cleanEvery is after how many ticks files that are not used any more are looked for: a day.
const cleanEvery = int(24 * time.Hour / Tick)

// unusedKeep is how long a file is kept after its last write: all in it is older than its rings
// keep then.
const unusedKeep = 367 * 24 * time.Hour

// Listed is a history in a list.
type Listed struct {
	Key
	File    string    `json:"file"`
	Written time.Time `json:"written"`           // when its file was
	Current bool      `json:"current"`           // it had a reading in this process
	Unsaved bool      `json:"unsaved,omitempty"` // the disk cannot be written
}

// ours reports whether a file of the folder counts in its size.
func ours(name string) bool {
	return strings.HasSuffix(name, suffix) || strings.HasSuffix(name, suffix+damagedSuffix)
}

// readKey reads of what a file is.
func readKey(d files, name string) (k Key, err error) {
	f, err := d.open(name, os.O_RDONLY)
	if err != nil {
		return k, err
	}
	defer f.Close()
	var p page
	if err := readFull(f, p[:], 0); err != nil {
		return k, err
	}
	h, err := decodeHeader(&p)
	return h.Key, err
}

// list lists the files that can be read, sorted.
func list(d files) (all []Listed, err error) {
	names, err := d.list()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, suffix) {
			continue
		}
		k, err := readKey(d, name)
		if err != nil {
			continue // its owner says what is wrong with it
		}
		written, err := d.modified(name)
		if err != nil {
			continue
		}
		all = append(all, Listed{Key: k, File: name, Written: written.UTC().Truncate(time.Second)})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].text() < all[j].text() })
	return all, nil
}

// List lists the histories in a folder.
func List(dir string) ([]Listed, error) { return list(folder(dir)) }

// Find returns the file of a quantity in a folder: of several units the one written last.
func Find(all []Listed, thing, quantity string) (found Listed, err error) {
	for _, l := range all {
		if l.Thing == thing && l.Quantity == quantity && (found.File == "" || better(l, found)) {
			found = l
		}
	}
	if found.File == "" {
		return found, fmt.Errorf("%.80q of %.80q: %w", quantity, thing, ErrNone)
	}
	return found, nil
}

func better(a, b Listed) bool {
	if a.Current != b.Current {
		return a.Current
	}
	return a.Written.After(b.Written)
}

// List lists the histories.
func (s *Store) List() ([]Listed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.place()
	return s.listed()
}

// listed is List. mu is held.
func (s *Store) listed() ([]Listed, error) {
	all, err := list(s.fs)
	for i := range all {
		if one := s.of(all[i].Key); one != nil {
			all[i].Current, all[i].Unsaved = true, one.failing
		}
	}
	return all, err
}

// of returns a series that had a reading, or nil.
func (s *Store) of(k Key) *series {
	s.intake.mu.Lock()
	defer s.intake.mu.Unlock()
	return s.intake.all[k]
}

// Open opens the history of a quantity as it is now: of several units that which the thing has,
// or had last. What is measured meanwhile is not in it, and it does not stop writing.
func (s *Store) Open(thing, quantity string) (*File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.place()
	var one *series
	for _, other := range s.intake.series() {
		if other.Thing == thing && other.Quantity == quantity && other.f != nil && (one == nil || other.last > one.last) {
			one = other
		}
	}
	if one != nil {
		f, err := s.fs.open(one.name, os.O_RDONLY)
		if err != nil {
			return nil, err
		}
		return &File{&view{header: one.header, f: f, over: one.newer()}, f}, nil
	}
	all, err := s.listed()
	if err != nil {
		return nil, err
	}
	found, err := Find(all, thing, quantity)
	if err != nil {
		return nil, err
	}
	return openFile(s.fs, found.File)
}

// room makes room for the file of a series, if it has none yet. mu is held.
func (s *Store) room(one *series) error {
	names, err := s.fs.list()
	if err != nil || slices.Contains(names, one.name) {
		return err
	}
	all := slices.DeleteFunc(names, func(name string) bool { return !ours(name) })
	for int64(len(all)+1)*FileSize > s.o.Max {
		oldest, _ := s.oldest(all)
		if oldest == "" {
			one.full = true
			return fmt.Errorf("there is no room for %v: its file would be number %d, and history.max allows %d; raise it", one.Key, len(all)+1, s.o.Max/FileSize)
		}
		if err := s.fs.remove(oldest); err != nil {
			return err
		}
		s.log.Warn("history that is not used any more is removed, to make room", "file", oldest)
		all = slices.DeleteFunc(all, func(name string) bool { return name == oldest })
	}
	return nil
}

// oldest returns the file that was written first of those that nothing uses, and when; "": none.
func (s *Store) oldest(names []string) (oldest string, at time.Time) {
	used := map[string]bool{}
	for _, one := range s.intake.series() {
		used[one.name] = true
	}
	for _, name := range names {
		if used[name] || !ours(name) {
			continue
		}
		written, err := s.fs.modified(name)
		if err == nil && (oldest == "" || written.Before(at)) {
			oldest, at = name, written
		}
	}
	return oldest, at
}

// tidy removes, once a day, files in which nothing is left that they keep. mu is held.
func (s *Store) tidy() {
	now := s.o.Clock.Now()
	if s.clean++; s.clean < cleanEvery || now.IsZero() {
		return
	}
	s.clean = 0
	names, err := s.fs.list()
	for err == nil {
		oldest, at := s.oldest(names)
		if oldest == "" || now.Sub(at) < unusedKeep {
			return
		}
		if err = s.fs.remove(oldest); err == nil || errors.Is(err, fs.ErrNotExist) {
			err = nil
			s.log.Info("history that is not used any more is removed", "file", oldest, "written", at.UTC().Format(time.RFC3339))
			names = slices.DeleteFunc(names, func(name string) bool { return name == oldest })
		}
	}
	s.log.Warn("history that is not used any more cannot be removed", "err", err)
}
