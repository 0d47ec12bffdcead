package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t *testing.T, s *Store, key, value string) {
	t.Helper()
	if err := s.Put(key, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func commit(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
}

// Random changes, some committed and some taken back, are after each opening what a map has.
func TestRecordsAreThoseThatWereCommitted(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()
	s := open(t, dir)
	want := map[string]string{}
	for range 100 {
		changed := maps.Clone(want)
		for range r.IntN(5) {
			key := fmt.Sprint("k", r.IntN(20))
			if r.IntN(4) == 0 {
				s.Delete(key)
				delete(changed, key)
				continue
			}
			value := fmt.Sprintf(`{"n":%d,"pad":%q}`, r.IntN(1000), bytes.Repeat([]byte("x"), r.IntN(30_000)))
			put(t, s, key, value)
			changed[key] = value
		}
		if r.IntN(5) == 0 {
			s.Rollback()
		} else {
			commit(t, s)
			want = changed
		}
		if r.IntN(10) == 0 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir)
		}
		live := 0
		for k, v := range want {
			live += len(k) + len(v)
			if got := string(s.Get(k)); got != v {
				t.Fatalf("%s is %.40s, want %.40s", k, got, v)
			}
		}
		if s.Len() != len(want) || s.live != int64(live) || s.Damaged() != 0 {
			t.Fatalf("%d records, %d bytes, %d damaged; want %d, %d, none", s.Len(), s.live, s.Damaged(), len(want), live)
		}
		if st, err := os.Stat(filepath.Join(dir, "journal")); err != nil || st.Size() > 2*s.live+2*slack {
			t.Fatalf("the journal has %d bytes for %d: %v", st.Size(), s.live, err)
		}
	}
}

// A journal that was cut anywhere, or in which a byte is another one, has all other records.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for i := range 5 {
		put(t, s, fmt.Sprint("k", i), `{"v":1}`)
		commit(t, s)
	}
	s.Close()
	whole, err := os.ReadFile(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	length := len(whole) / 5
	for at := range len(whole) {
		for _, cut := range []bool{true, false} {
			torn := bytes.Clone(whole)
			if torn[at] ^= 0x15; cut {
				torn = torn[:at]
			}
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "journal"), torn, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(folder, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			want := 4
			if cut {
				want = at / length
			} else if (at+1)%length == 0 && at+1 < len(whole) {
				want = 3 // the end of a line: two are one
			}
			if s.Len() != want {
				t.Fatalf("byte %d, cut %v: %d records, want %d", at, cut, s.Len(), want)
			}
			put(t, s, "new", `1`)
			commit(t, s)
			s.Close()
			again := open(t, folder)
			if again.Len() != want+1 || again.Damaged() != 0 {
				t.Fatalf("byte %d, cut %v: after the repair %d records, %d damaged", at, cut, again.Len(), again.Damaged())
			}
			again.Close()
		}
	}
}

// What cannot be written is not there, and what is written later is.
func TestFailedCommit(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "a", `1`)
	commit(t, s)
	s.journal.Close() // a disk that fails
	put(t, s, "a", `2`)
	put(t, s, "b", `2`)
	if err := s.Commit(); err == nil {
		t.Fatal("committed to a closed file")
	}
	if string(s.Get("a")) != "1" || s.Get("b") != nil {
		t.Fatalf("a is %s, b is %s", s.Get("a"), s.Get("b"))
	}
	put(t, s, "c", `3`)
	commit(t, s)
	s.Close()
	s = open(t, dir)
	if string(s.Get("a")) != "1" || s.Get("b") != nil || string(s.Get("c")) != "3" {
		t.Fatalf("a is %s, b is %s, c is %s", s.Get("a"), s.Get("b"), s.Get("c"))
	}
}

func TestBounds(t *testing.T) {
	s, err := Open("", 10)
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "k", `12345678`)
	for _, value := range []string{`1234567890`, string(make([]byte, MaxRecord+1))} {
		if err := s.Put("k", []byte(value)); !errors.Is(err, ErrFull) {
			t.Errorf("%d bytes: %v", len(value), err)
		}
	}
	put(t, s, "k", `1`)
	put(t, s, "l", `12345`)
}

func TestOneOwner(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if s, err := Open(dir, 1<<20); err == nil {
		s.Close()
		t.Error("two stores own one folder")
	}
}

func FuzzJournal(f *testing.F) {
	l, err := appendLine(nil, "k", []byte(`{"v":1}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(l)
	f.Add([]byte("00000000 {}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := &Store{records: map[string][]byte{}}
		size, err := s.read(bytes.NewReader(text))
		if err == nil && size != int64(len(text)) {
			t.Fatalf("read %d of %d bytes", size, len(text))
		}
		n := int64(0)
		for k, v := range s.records {
			n += int64(len(k) + len(v))
		}
		if n != s.live {
			t.Fatalf("counted %d bytes of %d", s.live, n)
		}
	})
}
