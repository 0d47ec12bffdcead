package state

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOneOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	first, second := Folder{Dir: dir}, Folder{Dir: dir}
	if err := errors.Join(first.Own(), first.Own()); err != nil {
		t.Fatal(err)
	}
	if err := second.Own(); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "--state DIR") {
		t.Errorf("the second got %v", err)
	}
	id, err := first.ClientID(slog.New(slog.DiscardHandler))
	if err != nil || !strings.HasPrefix(id, "pithings-") {
		t.Fatal(id, err)
	}
	first.Close()
	if err := second.Own(); err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if again, err := second.ClientID(slog.New(slog.DiscardHandler)); err != nil || again != id {
		t.Errorf("%q, %v; want %q again", again, err, id)
	}
}

// What is no client id is replaced.
func TestDamagedClientID(t *testing.T) {
	s := Folder{Dir: t.TempDir()}
	for _, text := range []string{"", "\x00\x00\x00\x00", "\xff\xfe", strings.Repeat("x", 200)} {
		if err := os.WriteFile(filepath.Join(s.Dir, "client-id"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		id, err := s.ClientID(slog.New(slog.DiscardHandler))
		if err != nil || !strings.HasPrefix(id, "pithings-") {
			t.Errorf("%q: %q, %v", text, id, err)
		}
		if again, err := s.ClientID(slog.New(slog.DiscardHandler)); err != nil || again != id {
			t.Errorf("%q, %v; want %q again", again, err, id)
		}
	}
}

func TestConnections(t *testing.T) {
	s := Folder{Dir: t.TempDir()}
	if before := s.Connection("", "a"); before != "" {
		t.Errorf("%q before anything", before)
	}
	for _, id := range []string{"a", "a", "b"} {
		if err := s.SetConnection("", id); err != nil {
			t.Fatal(err)
		}
	}
	if before := s.Connection("", "b"); before != "" {
		t.Errorf("%q, although it has not changed", before)
	}
	if before := s.Connection("", "c"); before != "b" {
		t.Errorf("%q, want b", before)
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "connections"), []byte("{tor"), 0o600); err != nil {
		t.Fatal(err)
	}
	if before := s.Connection("", "c"); before != "" {
		t.Errorf("%q of a torn file", before)
	}
}

// Every client id has a folder of its own inside the state folder, and is found
// again by it.
func TestQueueNames(t *testing.T) {
	s := Folder{Dir: t.TempDir()}
	seen := map[string]string{}
	for _, id := range []string{"TG_MS", "tg-ms", "a/b", "a%2Fb", "..", ".", "...", "a.b", ".a", "pictures", "Pictures", "lock", "socket", "ä", "a b", "a:b", "\x01", strings.Repeat("x", 300), strings.Repeat("x", 301)} {
		dir := s.QueueDir(id)
		if filepath.Dir(dir) != s.Dir || len(filepath.Base(dir)) > 250 || strings.HasPrefix(filepath.Base(dir), ".") {
			t.Errorf("%q lies in %s", id, dir)
		}
		if reserved[strings.ToLower(filepath.Base(dir))] {
			t.Errorf("%q takes the name %s, which is another thing's", id, filepath.Base(dir))
		}
		if other, taken := seen[dir]; taken {
			t.Errorf("%q and %q share %s", id, other, dir)
		}
		seen[dir] = id
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "lock"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(s.Dir, "pictures"), 0o700); err != nil {
		t.Fatal(err)
	}
	queues, err := s.Queues()
	if err != nil || len(queues) != len(seen) {
		t.Fatalf("%d queues, %v; want %d", len(queues), err, len(seen))
	}
	for _, q := range queues {
		if id := seen[q.Dir]; id != q.ClientID && len(id) <= 200 {
			t.Errorf("%s is %q, want %q", q.Dir, q.ClientID, id)
		}
	}
}

// The error for a folder in use names the process.
func TestOwnerIsNamed(t *testing.T) {
	dir := t.TempDir()
	first, second := Folder{Dir: dir}, Folder{Dir: dir}
	if err := first.Own(); err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	err := second.Own()
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprintf("process %d;", os.Getpid())) {
		t.Errorf("in use: %v", err)
	}
}

// `queue ls` listed nothing, and ended well, in a folder that it may not look into. A
// link to itself fails to be looked at for root, too.
func TestQueuesThatCannotBeReadAreAnError(t *testing.T) {
	s := Folder{Dir: t.TempDir()}
	for _, id := range []string{"a", "b", "c"} {
		if err := os.Mkdir(s.QueueDir(id), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(s.QueueDir("a"), "lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("lock", filepath.Join(s.QueueDir("b"), "lock")); err != nil {
		t.Skip(err)
	}
	queues, err := s.Queues()
	if err == nil || !strings.Contains(err.Error(), s.QueueDir("b")) {
		t.Errorf("%v", err)
	}
	if len(queues) != 1 || queues[0].ClientID != "a" {
		t.Errorf("%v", queues)
	}
}
