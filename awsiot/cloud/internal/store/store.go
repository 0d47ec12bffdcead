// Package store keeps records of JSON under keys, in memory and in a journal that survives
// a power cut.
//
// The journal is one file of lines, each with its checksum:
//
//	CRC32 {"k":"shadow/pi","v":{…}}
//	CRC32 {"k":"shadow/pi"}
//
// A line without v deletes the record. A change counts when Commit has returned; one that a
// power cut tears is dropped when the journal is opened. The journal is rewritten when most
// of it is of the past.
package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pithings/mqttlink/durable"
)

// MaxRecord is how large a record may be, in bytes. A journal has no longer line.
const MaxRecord = 4 << 20

// ErrFull is returned by Put when the records would take more than Open's limit.
var ErrFull = errors.New("the state is full")

// Store is such a set of records. It is for one goroutine at a time.
type Store struct {
	dir     string // "" keeps nothing
	max     int64
	records map[string][]byte
	live    int64 // bytes of the records and their keys
	undo    map[string]change
	order   []string // keys of undo, in the order of their first change

	lock, journal *os.File
	size          int64 // bytes of the journal
	stale         bool  // the journal may have what was taken back: it must be rewritten
	damaged       int
}

// change is what a record was before the first change since the last Commit.
type change struct {
	value []byte
	was   bool
}

// Open opens the store in a folder, which this process owns until Close. With dir "" it is
// in memory only. max bounds keys and records together, in bytes.
func Open(dir string, max int64) (*Store, error) {
	s := &Store{dir: dir, max: max, records: map[string][]byte{}, undo: map[string]change{}}
	if dir == "" {
		return s, nil
	}
	if err := durable.MakeFolder(dir); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	if err := s.own(); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// own takes the lock of the folder.
func (s *Store) own() error {
	f, err := durable.OpenFile(filepath.Join(s.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the lock of the state folder: %w", err)
	}
	free, err := durable.TryLock(f)
	if err == nil && !free {
		err = fmt.Errorf("another process uses the state folder %s: end it, or give another folder", s.dir)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	s.lock = f
	return nil
}

// Close ends the ownership. What is not committed is lost.
func (s *Store) Close() error {
	var err error
	for _, f := range []*os.File{s.journal, s.lock} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	s.journal, s.lock = nil, nil
	return err
}

// Damaged returns how many lines of the journal could not be read when it was opened.
func (s *Store) Damaged() int { return s.damaged }

// Len returns how many records there are.
func (s *Store) Len() int { return len(s.records) }

// Get returns a record, or nil. It must not be changed.
func (s *Store) Get(key string) []byte { return s.records[key] }

// Keys returns the keys with a prefix, sorted.
func (s *Store) Keys(prefix string) []string {
	var keys []string
	for k := range s.records {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// Put replaces a record with valid JSON, which the store keeps. It is refused if it is too
// large, or the store full.
func (s *Store) Put(key string, value []byte) error {
	old, was := s.records[key]
	grows := int64(len(value) - len(old))
	if !was {
		grows += int64(len(key))
	}
	switch {
	case was && bytes.Equal(old, value):
		return nil
	case len(value) > MaxRecord:
		return fmt.Errorf("the record %s has %d bytes, and may have %d: %w", key, len(value), MaxRecord, ErrFull)
	case grows > 0 && s.live+grows > s.max:
		return fmt.Errorf("%w: it has %d of %d bytes", ErrFull, s.live, s.max)
	}
	s.remember(key)
	s.records[key] = value
	s.live += grows
	return nil
}

// Delete removes a record.
func (s *Store) Delete(key string) {
	if old, was := s.records[key]; was {
		s.remember(key)
		delete(s.records, key)
		s.live -= int64(len(old) + len(key))
	}
}

func (s *Store) remember(key string) {
	if _, known := s.undo[key]; !known {
		old, was := s.records[key]
		s.undo[key] = change{old, was}
		s.order = append(s.order, key)
	}
}

// Commit makes all changes since the last one survive. If it returns an error, none of them
// is kept.
func (s *Store) Commit() error {
	if len(s.order) == 0 {
		return nil
	}
	if err := s.write(); err != nil {
		s.Rollback()
		return fmt.Errorf("write the state in %s: %w", s.dir, err)
	}
	s.forget()
	return nil
}

// Rollback takes all changes since the last Commit back.
func (s *Store) Rollback() {
	for _, key := range s.order {
		if now, is := s.records[key]; is {
			s.live -= int64(len(now) + len(key))
			delete(s.records, key)
		}
		if old := s.undo[key]; old.was {
			s.records[key] = old.value
			s.live += int64(len(old.value) + len(key))
		}
	}
	s.forget()
}

func (s *Store) forget() {
	clear(s.undo)
	s.order = s.order[:0]
}
