package store

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"pithings/mqttlink/durable"
)

// slack is how much of the past a journal holds before it is rewritten, in bytes, beside as
// much again as the records have.
const slack = 1 << 20

// line is a line of the journal without its checksum.
type line struct {
	Key   string          `json:"k"`
	Value json.RawMessage `json:"v,omitempty"`
}

func (s *Store) path() string { return filepath.Join(s.dir, "journal") }

// appendLine appends a line for a record; value nil deletes it.
func appendLine(b []byte, key string, value []byte) ([]byte, error) {
	text, err := json.Marshal(line{key, value})
	if err != nil {
		return nil, err
	}
	b = fmt.Appendf(b, "%08x ", crc32.ChecksumIEEE(text))
	return append(append(b, text...), '\n'), nil
}

// parseLine reads a line without its end. ok is false if it is damaged.
func parseLine(b []byte) (l line, ok bool) {
	sum, text, found := bytes.Cut(b, []byte(" "))
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if !found || len(sum) != 8 || err != nil || uint32(want) != crc32.ChecksumIEEE(text) {
		return line{}, false
	}
	return l, json.Unmarshal(text, &l) == nil && len(l.Value) <= MaxRecord
}

// write appends the changes to the journal, or rewrites it.
func (s *Store) write() error {
	if s.dir == "" {
		return nil
	}
	var b []byte
	var err error
	for _, key := range s.order {
		if b, err = appendLine(b, key, s.records[key]); err != nil {
			return err
		}
	}
	if s.stale || s.size+int64(len(b)) > 2*s.live+slack {
		err = s.rewrite()
	} else if _, err = s.journal.WriteAt(b, s.size); err == nil {
		s.size += int64(len(b))
		err = s.journal.Sync()
	}
	s.stale = err != nil
	return err
}

// rewrite writes a journal of the records alone, and puts it in the place of the old one.
func (s *Store) rewrite() error {
	fresh := s.path() + ".new"
	f, err := durable.OpenFile(fresh, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	size, err := s.writeAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	if s.journal != nil { // Windows renames over no open file
		_ = s.journal.Close() // all that it should have is in the new one
		s.journal = nil
	}
	err = os.Rename(fresh, s.path())
	if opened := s.open(); opened != nil {
		return errors.Join(err, opened)
	}
	if err != nil {
		return err
	}
	s.size = size
	return durable.SyncFolder(s.dir)
}

func (s *Store) writeAll(f *os.File) (size int64, err error) {
	w := bufio.NewWriter(f)
	var b []byte
	for key, value := range s.records {
		if b, err = appendLine(b[:0], key, value); err != nil {
			return 0, err
		}
		size += int64(len(b))
		if _, err := w.Write(b); err != nil {
			return 0, err
		}
	}
	return size, errors.Join(w.Flush(), f.Sync())
}

func (s *Store) open() (err error) {
	s.journal, err = durable.OpenFile(s.path(), os.O_RDWR|os.O_CREATE, 0o600)
	return err
}

// load reads the journal. One with damaged lines is rewritten.
func (s *Store) load() error {
	if err := s.open(); err != nil {
		return fmt.Errorf("open the state: %w", err)
	}
	size, err := s.read(s.journal)
	if err != nil {
		return fmt.Errorf("read the state %s: %w", s.path(), err)
	}
	s.size = size
	if s.damaged > 0 {
		if err := s.rewrite(); err != nil {
			return fmt.Errorf("rewrite the state %s: %w", s.path(), err)
		}
	}
	return nil
}

// read takes the records of a journal, and returns its size in bytes.
func (s *Store) read(from io.Reader) (size int64, err error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, MaxRecord+64<<10)
	lines.Split(wholeLines)
	for lines.Scan() {
		text := lines.Bytes()
		size += int64(len(text))
		text, whole := bytes.CutSuffix(text, []byte("\n"))
		l, ok := parseLine(text)
		if !ok || !whole {
			s.damaged++
			continue
		}
		s.take(l)
	}
	return size, lines.Err()
}

func (s *Store) take(l line) {
	old, was := s.records[l.Key]
	if was {
		s.live -= int64(len(old) + len(l.Key))
		delete(s.records, l.Key)
	}
	if l.Value != nil {
		s.records[l.Key] = l.Value
		s.live += int64(len(l.Value) + len(l.Key))
	}
}

// wholeLines splits into lines with their ends, so that a torn last one is seen.
func wholeLines(b []byte, end bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return i + 1, b[:i+1], nil
	}
	if end && len(b) > 0 {
		return len(b), b, nil
	}
	return 0, nil, nil
}
