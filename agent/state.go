package agent

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// errInUse says that another process owns the state folder.
var errInUse = errors.New("in use by another pithings")

// state is the folder for what outlives the process. One process owns it, by a
// lock that ends with the process; it is taken on first need, so that processes
// that keep nothing can share a folder.
type state struct {
	dir  string
	lock *os.File
}

func (s *state) own() error {
	if s.lock != nil {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("state folder: %w; name another with --state DIR", err)
	}
	f, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("state folder: %w; name another with --state DIR", err)
	}
	if err := lock(f); err != nil {
		f.Close()
		return fmt.Errorf("state folder %s: %w (%w); give each its own with --state DIR", s.dir, errInUse, err)
	}
	s.lock = f
	return nil
}

// close gives the folder up.
func (s *state) close() {
	if s.lock != nil {
		s.lock.Close() // which unlocks
		s.lock = nil
	}
}

// clientID returns the client id of the shared connection: made once and kept,
// since a broker knows a session by it. A process that does not own the folder
// gets one for this run: two with the same id would throw each other off.
func (s *state) clientID() (id string, kept bool, err error) {
	if err := s.own(); errors.Is(err, errInUse) {
		return newClientID(), false, nil
	} else if err != nil {
		return "", false, err
	}
	name := filepath.Join(s.dir, "client-id")
	text, err := os.ReadFile(name)
	if id := strings.TrimSpace(string(text)); err == nil && id != "" && len(id) <= 128 {
		return id, true, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", false, fmt.Errorf("client id: %w; give mqtt.client_id, or another folder with --state DIR", err)
	}
	id = newClientID()
	if err := os.WriteFile(name, []byte(id+"\n"), 0o600); err != nil {
		return "", false, fmt.Errorf("client id: %w; give mqtt.client_id, or another folder with --state DIR", err)
	}
	return id, true, nil
}

func newClientID() string {
	var b [6]byte
	rand.Read(b[:]) // never fails
	return "pithings-" + hex.EncodeToString(b[:])
}
